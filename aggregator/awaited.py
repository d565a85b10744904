"""Says whom the open round waits for, by the events of the status stream: which member, for what, since when, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEARD = ("committed", "passed", "revealed")
OVER = ("posted", "aborted", "void")


@dataclass(frozen=True, slots=True)
class Awaited:
    """A member that the open round waits for; `since` in Unix seconds; `why` says when it was last heard."""

    node: str
    awaited: str
    since: float
    why: str


def list_awaited(events: Sequence[Mapping[str, Any]]) -> list[Awaited]:
    """List the members that the newest round waits for, in order; none where that is over, or no event of it is left."""
    opened = next((event for event in reversed(events) if event["event"] == "opened"), None)
    if opened is None:
        return []
    now = [event for event in events if event.get("round") == opened["round"]]
    if any(event["event"] in OVER for event in now):
        return []
    closed = next((event for event in reversed(now) if event["event"] == "closed"), None)
    if closed is None:
        missing = set(opened["nodes"]) - _nodes(now, "committed", "passed")
    else:
        missing = (_nodes(now, "committed") | set(closed["forced"])) - _nodes(now, "revealed")
    what, began = ("commit", opened) if closed is None else ("update", closed)
    return [Awaited(node, what, began["time"], _explain(events, node)) for node in sorted(missing)]


def _nodes(events: Iterable[Mapping[str, Any]], *names: str) -> set[str]:
    return {event["node"] for event in events if event["event"] in names}


def _explain(events: Sequence[Mapping[str, Any]], node: str) -> str:
    """Say when a member was last heard; "not heard" where no event that is left says that it was."""
    last = max((event["round"] for event in events if _is_from(event, node)), default=None)
    rounds = {event["round"] for event in events if event["event"] == "opened"}
    if last is None:
        return f"not heard in the last {len(rounds)} rounds" if len(rounds) > 1 else "not heard yet"
    silent = len([number for number in rounds if number > last])
    return f"last heard in round {last}, {silent} rounds ago" if silent > 1 else f"last heard in round {last}"


def _is_from(event: Mapping[str, Any], node: str) -> bool:
    return event["event"] in HEARD and bool(event["node"] == node)
