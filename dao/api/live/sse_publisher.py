"""Tells listeners what changed in the index, and how the API is."""

import asyncio

from dao.api.dependencies import Dependencies
from dao.api.http.json_types import shown_address
from dao.api.routes.service import status_of
from dao.index.reducer import Change

_EVERY = 0.1  # seconds between two statuses, when blocks come in a burst


class SsePublisher:
    """One service's. Call it on the event loop."""

    def __init__(self, services: Dependencies) -> None:
        self._services = services
        self._planned: asyncio.TimerHandle | None = None

    def changed(self, change: Change) -> None:
        """Something is to be read again; of a status with `changed`, all that is shown."""
        if change.kind == "status":
            self._tell_status(changed=True)
            return
        data: dict[str, object] = {"kind": change.kind, "block": change.block}
        if change.task is not None:
            data["task"] = change.task
        if change.round is not None:
            data["round"] = change.round
        if change.proposal is not None:
            data["proposal"] = str(change.proposal)
        if change.address is not None:
            data["address"] = shown_address(change.address)
        self._services.live.tell(change.kind, data)

    def moved(self) -> None:
        """The status may be another: tell the newest, soon."""
        if self._planned is None:
            self._planned = asyncio.get_running_loop().call_later(_EVERY, self._now)

    def _now(self) -> None:
        self._planned = None
        self._tell_status()

    def _tell_status(self, **more: object) -> None:
        self._services.live.tell("status", {"kind": "status", **status_of(self._services), **more})
