"""Reads off the daemons' own logs when each round began and when its result was in every node's hands."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dao.core.formats.cid import Cid

_FIELD = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)")


@dataclass
class RoundTiming:
    """One round; times in Unix seconds."""

    number: int
    opened: float = 0.0  # the first sign of it anywhere
    posted: float = 0.0
    model: str = ""  # digest of the new model, 0x…
    steps: list[tuple[float, str]] = field(default_factory=list)  # what the Superlink told


class NodeLog:
    """What one node told: events in order, each with its fields."""

    def __init__(self, path: Path) -> None:
        """`path` is the daemon's log, which may not be there yet."""
        self.events: list[Mapping[str, str]] = []
        self._path, self._read = path, 0

    def read_on(self) -> "NodeLog":
        """Read what came since the last time; a last line that is not whole yet waits for the next one."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            lines = whole.decode(errors="replace").split("\n")
            self.events += [_fields(line) for line in lines if line.startswith("timestamp=")]
        return self

    def time_of(self, event: str, **wanted: str) -> float | None:
        """When an event with these fields was first told, None when it was not."""
        for found in self.events:
            if found["event"] == event and wanted.items() <= found.items():
                return datetime.fromisoformat(found["timestamp"]).timestamp()
        return None


def _fields(line: str) -> dict[str, str]:
    return {name: value.strip("'\"") for name, value in _FIELD.findall(line)}


class Timeline:
    """The rounds of one task, from what the Superlink and the nodes say."""

    def __init__(self) -> None:
        self.rounds: dict[int, RoundTiming] = {}

    def opened(self, number: int, time: float) -> None:
        """Note a sign of a round's opening."""
        view = self.rounds.setdefault(number, RoundTiming(number, opened=time))
        view.opened = min(view.opened, time)

    def told(self, event: Mapping[str, Any]) -> None:
        """Take an event of the Superlink's status."""
        number = event.get("round")
        if number is None or event["event"] in ("finalized", "trouble"):
            return
        label = event.get("label")
        if event["event"] == "opened" or label == "openRound":
            self.opened(number, event["time"])
        if number not in self.rounds or label == "finalize":
            return
        view = self.rounds[number]
        view.steps.append((event["time"], label or event["event"]))
        if event["event"] == "posted":
            view.posted = event["time"]
            view.model = "0x" + Cid.parse(event["model"]).digest.hex()

    def ended(self, number: int, nodes: Sequence[NodeLog]) -> float | None:
        """When every node had the round's manifest and model; None before that."""
        view = self.rounds.get(number)
        if view is None or not view.posted:
            return None
        times = [view.posted]
        for node in nodes:
            outcome = node.time_of("outcome", round=str(number))
            model = node.time_of("model", digest=view.model)
            if outcome is None or model is None:
                return None
            times += [outcome, model]
        return max(times)
