"""Whom a round waits for is told by the events of the status stream."""

from pathlib import Path
from typing import Any

import pytest

from aggregator.awaited import Awaited, list_awaited
from dao.runtime.status_events import read_status_events

A, B, C = "0xa", "0xb", "0xc"
Event = dict[str, Any]


def opened(number: int, time: float = 1.0) -> Event:
    return {"event": "opened", "round": number, "time": time, "nodes": [C, A, B]}


def closed(number: int, *forced: str) -> Event:
    return {"event": "closed", "round": number, "time": 2.0, "forced": [*forced]}


def heard(event: str, number: int, *nodes: str) -> list[Event]:
    return [{"event": event, "round": number, "time": 1.5, "node": node} for node in nodes]


def over(event: str, number: int) -> Event:
    return {"event": event, "round": number, "time": 3.0}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([over("serving", 0)], []),
        (
            [opened(1)],
            [(A, "commit", "not heard yet"), (B, "commit", "not heard yet"), (C, "commit", "not heard yet")],
        ),
        ([opened(1), *heard("committed", 1, A), *heard("passed", 1, C)], [(B, "commit", "not heard yet")]),
        ([opened(1), *heard("committed", 1, A, B, C)], []),
        # commits are closed: those that committed are awaited, in whatever way they did, and those that passed are not
        (
            [
                opened(1),
                *heard("committed", 1, A),
                *heard("passed", 1, C),
                closed(1, B),
                *heard("revealed", 1, A),
            ],
            [(B, "update", "not heard yet")],
        ),
        ([opened(1), *heard("committed", 1, A), closed(1), over("posted", 1)], []),
        ([opened(1), over("aborted", 1)], []),
        # opened again, as after a restart: what came before counts
        ([opened(1), *heard("committed", 1, A, B), opened(1)], [(C, "commit", "not heard yet")]),
        # rounds that were lost before
        (
            [
                opened(1),
                *heard("committed", 1, A, B),
                over("aborted", 1),
                opened(2),
                *heard("committed", 2, B, C),
            ],
            [(A, "commit", "last heard in round 1")],
        ),
        (
            [opened(1), *heard("passed", 1, A), opened(2), opened(3), *heard("committed", 3, B)],
            [
                (A, "commit", "last heard in round 1, 2 rounds ago"),
                (C, "commit", "not heard in the last 3 rounds"),
            ],
        ),
    ],
)
def test_list_awaited__events__who_for_what_and_why(
    events: list[Event], expected: list[tuple[str, str, str]]
) -> None:
    assert [(one.node, one.awaited, one.why) for one in list_awaited(events)] == expected


def test_list_awaited__a_period__since_its_beginning() -> None:
    events = [opened(1, 7.5)]
    assert list_awaited(events)[0] == Awaited(A, "commit", 7.5, "not heard yet")
    events += [*heard("committed", 1, A), closed(1)]
    assert list_awaited(events) == [Awaited(A, "update", 2.0, "last heard in round 1")]


def test_read_events__a_line_that_was_cut__the_others(tmp_path: Path) -> None:
    path = tmp_path / "status.jsonl"
    path.write_text('{"event": "opened"}\n{"event": "clo{"event": "posted"}\n{"event": "finalized"}\n{"ev')
    assert [event["event"] for event in read_status_events(path)] == ["opened", "finalized"]
