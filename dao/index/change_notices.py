"""Notices to readers that an event changed something."""

from collections.abc import Iterator
from dataclasses import dataclass

from dao.chain.event_types import Event
from dao.core.types import Address
from dao.index.reducer import TOPIC_OF, make_event_row


@dataclass(frozen=True, slots=True)
class ChangeNotice:
    """Something that readers must read again. `topic`: round proposal vote task supernode account reorg status.

    `status`: very much changed at once, or a setting did. `reorg`: all above `block` is void.
    """

    topic: str
    block: int
    task: int | None = None
    round: int | None = None
    proposal: int | None = None
    address: Address | None = None


def list_notices(event: Event) -> Iterator[ChangeNotice]:
    """List what readers must read again after an event."""
    row = make_event_row(event)
    topic = TOPIC_OF[row["kind"]]
    yield ChangeNotice(topic, event.block, row["task"], row["round"], row["proposal"], row["address"])
    if topic == "account" and row["other"] is not None:
        yield ChangeNotice(topic, event.block, address=row["other"])
