"""What ran on this node's data, when, by whose decision, and what left: for the owner and his auditor, apart from the log.

A file of lines that only grows (`uses.jsonl` in the node's home), each on the disk before what it says begins. It has
numbers, digests, sizes and counts alone (of rows, and of the codes that the app's schema lists for its label): no metric, no
value, no text of an app.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dao.core.formats.cid import Cid
from dao.core.types import Digest, RoundId, TaskId, hex_of
from dao.errors import DaoError
from dao.runtime.json_lines import append_line, read_lines

FILE = "uses.jsonl"
UNKNOWN = "not known: the chain's node does not show it"


class UseStep(StrEnum):
    """What a line says."""

    RUN = "run"  # the app is about to train on the data, for this round
    ENDED = "ended"  # that training is over, with or without an update
    LEFT = "left"  # an update is about to leave


@dataclass
class DataUse:
    """One training on this node's data, with all that is known of it; Unix times, None for what has not happened."""

    task: int
    round: int
    app: str
    decided_by: str  # on chain: a proposal's number, or an account
    began: int
    card: str | None = None  # whose settings the app ran with
    rows: int | None = None  # as the check by the app's schema counted them; None without a schema
    skipped: int | None = None
    labels: Mapping[str, int] | None = None  # how many rows have each code of the label
    used: int | None = None  # as the app says
    ended: int | None = None
    update: str | None = None  # CID of what left
    update_bytes: int | None = None
    left: int | None = None


class UseLog:
    """The uses of a node's data by one task; `read_origin` says by whose decision the task is."""

    def __init__(self, home: Path, task: TaskId, read_origin: Callable[[], Awaitable[str]]) -> None:
        self._path, self._task, self._read_origin = home / FILE, task, read_origin
        self._origin: str | None = None

    async def begin(self, round_id: RoundId, app: Digest, card: Digest, counts: Mapping[str, object]) -> None:
        """Record that the app is about to run on the data, with a card's settings, and what a check of the data counted."""
        if self._origin is None:
            with suppress(DaoError):  # asked again next time
                self._origin = await self._read_origin()
        origin = self._origin or UNKNOWN
        ran: dict[str, object] = {"app": hex_of(app), "card": hex_of(card), "decided_by": origin}
        await self._append(UseStep.RUN, round_id, **ran, **counts)

    async def end(self, round_id: RoundId, used: int | None) -> None:
        """Record that the training is over; `used`: the rows that the app says it had, None where it does not."""
        await self._append(UseStep.ENDED, round_id, used=used)

    async def leave(self, round_id: RoundId, cid: Cid, size: object) -> None:
        """Record that an update is about to leave, so many bytes of it."""
        await self._append(UseStep.LEFT, round_id, update=str(cid), bytes=size)

    async def _append(self, step: UseStep, round_id: RoundId, **facts: object) -> None:
        line = {"time": int(time.time()), "task": self._task, "round": round_id, "step": step, **facts}
        await asyncio.to_thread(append_line, self._path, line)


def read_uses(home: Path) -> list[DataUse]:
    """Return the uses of a node's data, the oldest first, each training with its end and with what left."""
    return join_lines(read_lines(home / FILE))


def join_lines(lines: Iterable[dict[str, Any]]) -> list[DataUse]:
    """Join the lines of each training; what ended or left belongs to the last training of its round."""
    uses: list[DataUse] = []
    last: dict[tuple[int, int], DataUse] = {}
    for line in lines:
        place, at = (line["task"], line["round"]), line["time"]
        if line["step"] == UseStep.RUN:
            counts = (line.get(name) for name in ("card", "rows", "skipped", "labels"))
            last[place] = DataUse(*place, line["app"], line["decided_by"], at, *counts)
            uses.append(last[place])
        elif (use := last.get(place)) is None:
            continue
        elif line["step"] == UseStep.ENDED:
            use.ended, use.used = at, line.get("used")
        else:
            use.update, use.update_bytes, use.left = line["update"], line["bytes"], at
    return uses
