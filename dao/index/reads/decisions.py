"""Proposals and the votes on them."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, not_, select

from dao.core.types import Address, Timestamp, Wei
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import LIMIT, Reader, newest, now, page, read_cursor
from dao.index.reads.records import ProposalPhase
from dao.index.rows import SettingsRow
from dao.index.writer import state_of

_MADE = schema.proposals
_STATE = schema.proposal_states
_VOTES = schema.votes


class DecisionReads(Reader):
    """Reads of proposals and votes."""

    def proposals(
        self, state: ProposalPhase | None = None, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.ProposalRecord]:
        """All proposals, or those in a state, the newest first."""
        query = _proposals().order_by(_MADE.c.place.desc())
        if cursor is not None:
            query = query.where(_MADE.c.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._moment() as connection:
            if state is not None:
                query = query.where(_is_in(state, now(connection)))
            return page(connection, query, limit, partial(_read, connection), lambda row: (row.place,))

    def proposal(self, proposal: int) -> records.ProposalRecord | None:
        """One proposal."""
        with self._moment() as connection:
            rows = connection.execute(_proposals().where(_MADE.c.proposal == proposal)).all()
            return next(iter(_read(connection, rows)), None)

    def titles(self, proposals: Collection[int]) -> Mapping[int, str]:
        """The titles of proposals that are there."""
        query = select(_MADE.c.proposal, _MADE.c.description).where(_MADE.c.proposal.in_(proposals))
        with self._moment() as connection:
            return {row.proposal: _title(row.description) for row in connection.execute(query)}

    def votes(
        self, proposal: int, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.VoteRecord]:
        """The votes on a proposal, the newest first."""
        return self._votes(_VOTES.c.proposal == proposal, cursor, limit)

    def votes_of(
        self, voter: Address, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.VoteRecord]:
        """The votes of an account, the newest first."""
        return self._votes(_VOTES.c.voter == voter, cursor, limit)

    def vote_of(self, proposal: int, voter: Address) -> records.VoteRecord | None:
        """An account's vote on a proposal."""
        found = self._votes(and_(_VOTES.c.proposal == proposal, _VOTES.c.voter == voter), None, 1)
        return next(iter(found.items), None)

    def _votes(
        self, which: ColumnElement[bool], cursor: str | None, limit: int
    ) -> records.RecordPage[records.VoteRecord]:
        query = select(_VOTES).where(which).order_by(_VOTES.c.place.desc())
        if cursor is not None:
            query = query.where(_VOTES.c.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._moment() as connection:
            return page(connection, query, limit, _read_votes, lambda row: (row.place,))


def state_at(row: Any, when: Timestamp) -> ProposalPhase:
    """Where a proposal stands at a time, as the governor tells it."""
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
    """`state_at` as a condition."""
    c = _STATE.c
    begun, ended = c.starts_at < when, c.ends_at < when
    voted = and_(begun, ended)
    live = {
        ProposalPhase.PENDING: not_(begun),
        ProposalPhase.ACTIVE: and_(begun, not_(ended)),
        ProposalPhase.DEFEATED: and_(voted, not_(c.passing)),
        ProposalPhase.SUCCEEDED: and_(voted, c.passing, c.eta == 0),
        ProposalPhase.QUEUED: and_(voted, c.passing, c.eta != 0),
    }
    if state is ProposalPhase.EXECUTED:
        return c.executed
    if state is ProposalPhase.CANCELED:
        return and_(c.canceled, not_(c.executed))
    return and_(not_(c.executed), not_(c.canceled), live[state])


def _proposals() -> Select[Any]:
    state = [column for column in _STATE.c if column.name not in ("proposal", "block", "starts_at")]
    both = _MADE.join(_STATE, and_(_STATE.c.proposal == _MADE.c.proposal, newest(_STATE, _MADE.c.proposal)))
    return select(_MADE, *state).select_from(both)


def _read(connection: Connection, rows: Sequence[Any]) -> list[records.ProposalRecord]:
    when = now(connection)
    return [_proposal(row, when, _quorum(connection, row)) for row in rows]


def _proposal(row: Any, when: Timestamp, quorum: Wei) -> records.ProposalRecord:
    actions = json.loads(row.actions)
    return records.ProposalRecord(
        proposal=row.proposal,
        state=state_at(row, when),
        title=_title(row.description),
        description=row.description,
        proposer=row.proposer,
        created_at=row.created_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        eta=row.eta or None,
        quorum=quorum,
        in_favour=row.in_favour,
        against=row.against,
        abstain=row.abstain,
        targets=tuple(Address(bytes.fromhex(target[2:])) for target in actions["targets"]),
        values=tuple(Wei(int(value)) for value in actions["values"]),
        calldatas=tuple(bytes.fromhex(data[2:]) for data in actions["calldatas"]),
        created_tx=row.tx_hash,
        queued_tx=row.queued_tx,
        ended_tx=row.ended_tx,
    )


def _quorum(connection: Connection, row: Any) -> Wei:
    """What was counted with at the first vote, else as of the snapshot, or of now before that."""
    if row.quorum is not None:
        return Wei(row.quorum)
    table = schema.settings
    query = select(table).where(table.c.timestamp <= row.starts_at).order_by(table.c.block.desc()).limit(1)
    found = connection.execute(query).mappings().first()
    settings: SettingsRow = state_of(SettingsRow, found) if found is not None else SettingsRow()
    return settings.quorum


def _title(description: str) -> str:
    """The first line that says something, without its Markdown marks, at most 200 characters."""
    lines = (line.strip().lstrip("#").strip() for line in description.splitlines())
    return next((line for line in lines if line), "")[:200]


def _read_votes(rows: Sequence[Any]) -> list[records.VoteRecord]:
    return [
        records.VoteRecord(
            row.proposal, row.voter, row.support, row.weight, row.reason, row.timestamp, row.tx_hash
        )
        for row in rows
    ]
