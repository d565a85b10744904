"""What Superlinks say of their running rounds: who has committed, passed or revealed, before the chain has it."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.core.formats.address import address_of
from dao.core.types import Address, RoundId, TaskId
from dao.errors import DecodeError
from dao.index.change_notices import ChangeNotice
from dao.runtime.status_events import read_status_events

WORDS = ("committed", "passed", "revealed")
_EVERY = 1.0  # seconds between two looks
_TAIL = 2 << 20  # bytes: three events of each of 4,000 Supernodes


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a Supernode did last in a round, of WORDS, and when, by the Superlink's clock in Unix seconds."""

    reported: str
    reported_at: int


Reports = Mapping[RoundId, Mapping[Address, NodeReport]]


class RoundReports:
    """Follows the status streams of Superlinks, by task. `version` changes when any report does."""

    def __init__(self, streams: Mapping[TaskId, Path]) -> None:
        self._streams = streams
        self._seen: dict[TaskId, tuple[int, int]] = {}
        self._reports: dict[TaskId, Reports] = {}
        self.version = 0

    def has(self, task: TaskId) -> bool:
        """Whether a stream tells of the rounds of a task."""
        return task in self._streams

    def find(self, task: TaskId, round_id: RoundId) -> Mapping[Address, NodeReport]:
        """Find the reports of a round, by operator."""
        return self._reports.get(task, {}).get(round_id, {})

    async def run(self, on_change: Callable[[ChangeNotice], None]) -> None:
        """Look at the streams until cancelled; call `on_change` for each task of which more was reported."""
        while self._streams:
            for task in self._streams:
                if await asyncio.to_thread(self._look, task):
                    self.version += 1
                    on_change(ChangeNotice("round", 0, task=task))
            await asyncio.sleep(_EVERY)

    def _look(self, task: TaskId) -> bool:
        """Read a stream where it has changed; whether it reports more than before."""
        path = self._streams[task]
        try:
            stat = path.stat()
            facts = stat.st_mtime_ns, stat.st_size
            if self._seen.get(task) == facts:
                return False
            reports = parse_reports(read_status_events(path, _TAIL))
            self._seen[task] = facts
        except OSError:  # it is not there yet, or this user may not read it
            return False
        is_news = reports != self._reports.get(task)
        self._reports[task] = reports
        return is_news


def parse_reports(events: list[dict[str, Any]]) -> Reports:
    """Parse what the events say of each round; those that say nothing of a Supernode, or not in their form, are left out."""
    reports: dict[RoundId, dict[Address, NodeReport]] = {}
    for event in events:
        if event.get("event") in WORDS:
            with suppress(AttributeError, KeyError, OverflowError, TypeError, ValueError, DecodeError):
                of_round = reports.setdefault(RoundId(int(event["round"])), {})
                of_round[address_of(event["node"])] = NodeReport(event["event"], int(event["time"]))
    return reports
