"""Reads the feed of events, and the index's position."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import or_, select

from dao.core.types import Address, BlockNumber, Digest, RoundId, TaskId, Timestamp
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import LIMIT, MOST, Reader, make_record
from dao.index.reducer import TOPIC_OF

_EVENTS = schema.events


class FeedReads(Reader):
    """Reads events in their order, and the last indexed block."""

    def find_status(self) -> records.IndexStatus | None:
        """Find the last indexed block; None before the first."""
        with self._snapshot() as connection:
            row = connection.execute(select(schema.position)).first()
        if row is None or not row.timestamp:
            return None
        return records.IndexStatus(BlockNumber(row.block), Digest(row.hash), Timestamp(row.timestamp))

    def list_events(
        self,
        after: int | None = None,
        *,
        before: int | None = None,
        topics: Collection[str] = (),
        task: TaskId | None = None,
        round_id: RoundId | None = None,
        proposal: int | None = None,
        address: Address | None = None,
        limit: int = LIMIT,
    ) -> Sequence[records.EventRecord]:
        """List events after a place, the oldest first; without `after` the newest, the newest first."""
        columns = _EVENTS.c
        query = select(_EVENTS).limit(max(1, min(limit, MOST)))
        query = query.order_by(columns.place.desc() if after is None else columns.place)
        if after is not None:
            query = query.where(columns.place > min(after, 2**62))
        if before is not None:
            query = query.where(columns.place < min(before, 2**62))
        if topics:
            query = query.where(
                columns.kind.in_([kind for kind, topic in TOPIC_OF.items() if topic in topics])
            )
        if task is not None:
            query = query.where(columns.task == task)
        if round_id is not None:
            query = query.where(columns.round == round_id)
        if proposal is not None:
            query = query.where(columns.proposal == proposal)
        if address is not None:
            query = query.where(or_(columns.address == address, columns.other == address))
        with self._snapshot() as connection:
            return [_make_event(row) for row in connection.execute(query)]


def _make_event(row: Any) -> records.EventRecord:
    return make_record(records.EventRecord, row, topic=TOPIC_OF[row.kind])
