"""Reads the Superlink's status file, and applies its events to the state that is shown."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dao.core.formats.manifest import Manifest
from dao.core.types import hex_of
from dao.demo.demo_state import DemoState, RoundView, SeatRound

PHASES = {"opened": "training and commits", "closed": "reveals", "working": "aggregating and scoring"}


class StatusReader:
    """Reads new lines of a status file."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def events(self) -> Iterator[Mapping[str, Any]]:
        """Yield the events that were added since the last call, whole lines only."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                yield json.loads(line)


def apply_event(state: DemoState, event: Mapping[str, Any]) -> RoundView | None:
    """Apply an event to the state; return its round, or None where it has none or that is not shown."""
    name, number = event["event"], int(event.get("round", 0))
    if name == "opened" and all(view.round != number for view in state.rounds):
        state.rounds.append(RoundView(number, started=event["time"]))
    if name == "trouble":
        state.note = f"the Superlink: {event['error']}"
    view = next((view for view in state.rounds if view.round == number), None)
    if view is None:
        return None
    if name in PHASES:
        view.phase, view.deadline = PHASES[name], event.get("deadline")
    if name in ("committed", "revealed"):
        part = view.nodes.setdefault(event["node"], SeatRound())
        part.committed = True
        part.revealed = part.revealed or name == "revealed"
    if name == "posted":
        view.phase, view.deadline = "posted", None
        view.seconds = event["time"] - view.started
    if name == "finalized":
        view.phase = "final"
    if name == "aborted":
        state.rounds.remove(view)
        state.note = f"round {number} was aborted: {event.get('reason', '')}"
    return view


def apply_manifest(view: RoundView, manifest: Manifest) -> None:
    """Fill in the results of each node."""
    view.budget_wei, view.refunded_wei = manifest.budget_wei, manifest.refunded_wei
    for node in manifest.nodes:
        part = view.nodes.setdefault(hex_of(node.node), SeatRound())
        part.committed = True
        part.status, part.reason = str(node.status), node.reason
        part.weight, part.score, part.reward_wei = node.weight, node.score, node.reward_wei
    for node_pass in manifest.passes:
        part = view.nodes.setdefault(hex_of(node_pass.node), SeatRound())
        part.status, part.reason = "passed", node_pass.reason
    for absent in manifest.absent:
        part = view.nodes.setdefault(hex_of(absent.node), SeatRound())
        part.status, part.reason = "late", absent.reason
