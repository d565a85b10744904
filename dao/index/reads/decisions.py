"""Reads proposals and the votes on them."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, not_, select

from dao.core.types import Address, Timestamp, Wei
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import (
    LIMIT,
    Reader,
    is_newest,
    make_record,
    read_cursor,
    read_page,
    read_settings,
    read_time,
)
from dao.index.reads.records import ProposalPhase

_PROPOSALS = schema.proposals
_STATES = schema.proposal_states
_VOTES = schema.votes


class DecisionReads(Reader):
    """Reads proposals and votes."""

    def list_proposals(
        self, state: ProposalPhase | None = None, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.ProposalRecord]:
        """List all proposals, or those in a state, the newest first."""
        query = _select_proposals().order_by(_PROPOSALS.c.place.desc())
        if cursor is not None:
            query = query.where(_PROPOSALS.c.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._snapshot() as connection:
            if state is not None:
                query = query.where(_is_in(state, read_time(connection)))
            return read_page(
                connection, query, limit, partial(_read_proposals, connection), lambda row: (row.place,)
            )

    def count_proposals(self, state: ProposalPhase) -> int:
        """Count the proposals in a state."""
        with self._snapshot() as connection:
            query = _select_proposals().where(_is_in(state, read_time(connection)))
            return int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())

    def find_proposal(self, proposal: int) -> records.ProposalRecord | None:
        """Find a proposal."""
        with self._snapshot() as connection:
            rows = connection.execute(_select_proposals().where(_PROPOSALS.c.proposal == proposal)).all()
            return next(iter(_read_proposals(connection, rows)), None)

    def get_titles(self, proposals: Collection[int]) -> Mapping[int, str]:
        """Get the titles of proposals by their numbers."""
        query = select(_PROPOSALS.c.proposal, _PROPOSALS.c.description).where(
            _PROPOSALS.c.proposal.in_(proposals)
        )
        with self._snapshot() as connection:
            return {row.proposal: _get_title(row.description) for row in connection.execute(query)}

    def list_votes(
        self, proposal: int, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.VoteRecord]:
        """List the votes on a proposal, the newest first."""
        return self._list_votes(_VOTES.c.proposal == proposal, cursor, limit)

    def list_votes_of(
        self, voter: Address, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.VoteRecord]:
        """List the votes of an account, the newest first."""
        return self._list_votes(_VOTES.c.voter == voter, cursor, limit)

    def find_vote(self, proposal: int, voter: Address) -> records.VoteRecord | None:
        """Find an account's vote on a proposal."""
        votes = self._list_votes(and_(_VOTES.c.proposal == proposal, _VOTES.c.voter == voter), None, 1)
        return next(iter(votes.items), None)

    def _list_votes(
        self, which: ColumnElement[bool], cursor: str | None, limit: int
    ) -> records.RecordPage[records.VoteRecord]:
        query = select(_VOTES).where(which).order_by(_VOTES.c.place.desc())
        if cursor is not None:
            query = query.where(_VOTES.c.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._snapshot() as connection:
            return read_page(connection, query, limit, _make_votes, lambda row: (row.place,))


def compute_phase(row: Any, when: Timestamp) -> ProposalPhase:
    """Compute where a proposal stands at a time, as the governor does."""
    if row.executed:
        return ProposalPhase.EXECUTED
    if row.canceled:
        return ProposalPhase.CANCELED
    if when <= row.starts_at:
        return ProposalPhase.PENDING
    if when <= row.ends_at:
        return ProposalPhase.ACTIVE
    if not row.passing:
        return ProposalPhase.DEFEATED
    return ProposalPhase.QUEUED if row.eta else ProposalPhase.SUCCEEDED


def _is_in(state: ProposalPhase, when: Timestamp) -> ColumnElement[bool]:
    """Write `compute_phase` as a condition of a query."""
    c = _STATES.c
    has_begun, has_ended = c.starts_at < when, c.ends_at < when
    is_over = and_(has_begun, has_ended)
    live = {
        ProposalPhase.PENDING: not_(has_begun),
        ProposalPhase.ACTIVE: and_(has_begun, not_(has_ended)),
        ProposalPhase.DEFEATED: and_(is_over, not_(c.passing)),
        ProposalPhase.SUCCEEDED: and_(is_over, c.passing, c.eta == 0),
        ProposalPhase.QUEUED: and_(is_over, c.passing, c.eta != 0),
    }
    if state is ProposalPhase.EXECUTED:
        return c.executed
    if state is ProposalPhase.CANCELED:
        return and_(c.canceled, not_(c.executed))
    return and_(not_(c.executed), not_(c.canceled), live[state])


def _select_proposals() -> Select[Any]:
    columns = [column for column in _STATES.c if column.name not in ("proposal", "block", "starts_at")]
    same = _STATES.c.proposal == _PROPOSALS.c.proposal
    joined = _PROPOSALS.join(_STATES, and_(same, is_newest(_STATES, _PROPOSALS.c.proposal)))
    return select(_PROPOSALS, *columns).select_from(joined)


def _read_proposals(connection: Connection, rows: Sequence[Any]) -> list[records.ProposalRecord]:
    when = read_time(connection)
    return [_make_proposal(row, when, _read_quorum(connection, row)) for row in rows]


def _make_proposal(row: Any, when: Timestamp, quorum: Wei) -> records.ProposalRecord:
    actions = json.loads(row.actions)
    return make_record(
        records.ProposalRecord,
        row,
        state=compute_phase(row, when),
        title=_get_title(row.description),
        eta=row.eta or None,
        quorum=quorum,
        targets=tuple(Address(bytes.fromhex(target[2:])) for target in actions["targets"]),
        values=tuple(Wei(int(value)) for value in actions["values"]),
        calldatas=tuple(bytes.fromhex(data[2:]) for data in actions["calldatas"]),
        created_tx=row.tx_hash,
    )


def _read_quorum(connection: Connection, row: Any) -> Wei:
    """Read the quorum in wei: that of the first vote, without one that of the snapshot's settings or of today's."""
    return Wei(row.quorum) if row.quorum is not None else read_settings(connection, row.starts_at).quorum


def _get_title(description: str) -> str:
    """Get the first line that is not blank, without its Markdown marks, at most 200 characters."""
    lines = (line.strip().lstrip("#").strip() for line in description.splitlines())
    return next((line for line in lines if line), "")[:200]


def _make_votes(rows: Sequence[Any]) -> list[records.VoteRecord]:
    return [make_record(records.VoteRecord, row) for row in rows]
