"""Publishes to listeners what changed in the index, and the API's status."""

import asyncio

from dao.api.dependencies import Dependencies
from dao.api.http.json_types import show_address
from dao.index.change_notices import ChangeNotice

_EVERY = 0.1  # seconds between two statuses when blocks come in a burst


class SsePublisher:
    """Publishes for one API. Call it on the event loop."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._scheduled: asyncio.TimerHandle | None = None

    def publish_change(self, notice: ChangeNotice) -> None:
        """Publish what is to be read again: all that is shown, by a status with `changed`, or one thing."""
        if notice.topic == "status":
            self._publish_status(changed=True)
            return
        data: dict[str, object] = {"kind": notice.topic, "block": notice.block}
        if notice.task is not None:
            data["task"] = notice.task
        if notice.round is not None:
            data["round"] = notice.round
        if notice.proposal is not None:
            data["proposal"] = str(notice.proposal)
        if notice.address is not None:
            data["address"] = show_address(notice.address)
        self._deps.event_hub.publish(notice.topic, data)

    def schedule_status(self) -> None:
        """Publish the newest status soon, as it may have changed."""
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_later(_EVERY, self._publish_now)

    def _publish_now(self) -> None:
        self._scheduled = None
        self._publish_status()

    def _publish_status(self, **more: object) -> None:
        self._deps.event_hub.publish("status", {"kind": "status", **self._deps.get_status(), **more})
