"""Reads tasks and their rounds."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from dao.core import round_machine as machine
from dao.core.formats.accounts import AccountTree
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import Account
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    BlockNumber,
    Digest,
    Phase,
    Result,
    RoundId,
    RoundState,
    Rules,
    TaskId,
    Timestamp,
    Wei,
)
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.cards import read_cards
from dao.index.reads.reader import LIMIT, Reader, is_newest, make_record, read_cursor, read_page

_ROUNDS = schema.rounds
_MANIFESTS = schema.manifests
_NODES = schema.manifest_nodes
OF_ROUND: ColumnElement[bool] = and_(
    _MANIFESTS.c.task == _ROUNDS.c.task,
    _MANIFESTS.c.round == _ROUNDS.c.round,
    _MANIFESTS.c.result_hash == _ROUNDS.c.result_hash,
)


class TrainingReads(Reader):
    """Reads tasks, their rounds, and the Supernodes of a round."""

    def list_tasks(
        self, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.TaskRecord]:
        """List all tasks, the newest first."""
        query = _select_tasks().order_by(schema.tasks.c.task.desc())
        if cursor is not None:
            (before,) = read_cursor(cursor, int)
            query = query.where(schema.tasks.c.task < min(before, 2**62))
        with self._snapshot() as connection:
            return read_page(
                connection, query, limit, lambda rows: _read_tasks(connection, rows), lambda row: (row.task,)
            )

    def find_task(self, task: TaskId) -> records.TaskRecord | None:
        """Find a task."""
        with self._snapshot() as connection:
            rows = connection.execute(_select_tasks().where(schema.tasks.c.task == task)).all()
            return next(iter(_read_tasks(connection, rows)), None)

    def find_rules(self, task: TaskId, proposal: int | None = None) -> Rules | None:
        """Find the rules of a task's next round, or those of the block in which a proposal was made."""
        rules, proposals = schema.task_rules, schema.proposals
        query = select(rules.c.rules).where(rules.c.task == min(task, 2**62))
        if proposal is not None:
            block = select(proposals.c.block).where(proposals.c.proposal == proposal).scalar_subquery()
            query = query.where(rules.c.block <= block)
        with self._snapshot() as connection:
            text = connection.execute(query.order_by(rules.c.version.desc()).limit(1)).scalar()
            return None if text is None else parse_rules(text)

    def list_rounds(
        self, task: TaskId, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.RoundRecord]:
        """List a task's rounds, the newest first."""
        query = _select_rounds().where(_ROUNDS.c.task == task).order_by(_ROUNDS.c.round.desc())
        if cursor is not None:
            (before,) = read_cursor(cursor, int)
            query = query.where(_ROUNDS.c.round < min(before, 2**62))
        with self._snapshot() as connection:
            return read_page(
                connection, query, limit, lambda rows: [*map(_make_round, rows)], lambda row: (row.round,)
            )

    def find_round(self, task: TaskId, round_id: RoundId) -> records.RoundRecord | None:
        """Find a round."""
        query = _select_rounds().where(_ROUNDS.c.task == task, _ROUNDS.c.round == round_id)
        with self._snapshot() as connection:
            rows = connection.execute(query).all()
            return next(map(_make_round, rows), None)

    def list_round_nodes(
        self, task: TaskId, round_id: RoundId, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.RoundNodeRecord]:
        """List the Supernodes of a round by address: those of its manifest, without one all that could commit."""
        after = read_cursor(cursor, bytes)[0] if cursor is not None else b""
        with self._snapshot() as connection:
            where = is_newest(_ROUNDS, task, round_id), _ROUNDS.c.task == task, _ROUNDS.c.round == round_id
            query = (
                select(_MANIFESTS.c.id)
                .select_from(_ROUNDS.join(_MANIFESTS, OF_ROUND))
                .where(*where, _MANIFESTS.c.refusal == "")
            )
            manifest = connection.execute(query).scalar()
            if manifest is not None:
                nodes = select(_NODES).where(_NODES.c.manifest == manifest, _NODES.c.node > after)
                make = make_nodes
            else:
                nodes, make = _select_candidates(task, round_id, after), _make_candidates
            return read_page(connection, nodes.order_by("node"), limit, make, lambda row: (row.node,))

    def find_accounts(self, task: TaskId) -> AccountTree | None:
        """Find the tree of the accounts that pay, those after the task's newest final round.

        Empty where no round is final; None where the manifest of the finalized round is not read.
        """
        state = schema.task_states
        with self._snapshot() as connection:
            finalized = connection.execute(
                select(state.c.finalized).where(state.c.task == task, is_newest(state, task))
            ).scalar()
            if not finalized:
                return AccountTree((), {})
            accounts = schema.manifest_accounts
            where = (
                is_newest(_ROUNDS),
                _ROUNDS.c.task == task,
                _ROUNDS.c.round == finalized,
                _MANIFESTS.c.refusal == "",
            )
            manifest = connection.execute(
                select(_MANIFESTS.c.id).select_from(_ROUNDS.join(_MANIFESTS, OF_ROUND)).where(*where)
            ).scalar()
            if manifest is None:
                return None
            query = select(accounts).where(accounts.c.manifest == manifest).order_by(accounts.c.place)
            rows = connection.execute(query).all()
        return AccountTree(
            [Account(Address(row.owner), Wei(row.cumulative), row.debt, row.memory) for row in rows],
            {Address(row.owner): row.row for row in rows},
        )


def _select_tasks() -> Select[Any]:
    tasks, state, rules = schema.tasks, schema.task_states, schema.task_rules
    columns = [column for column in state.c if column.name not in ("task", "block")]
    current = (rules.c.task == state.c.task) & (rules.c.version == state.c.version)
    joined = tasks.join(state, (state.c.task == tasks.c.task) & is_newest(state, tasks.c.task))
    query = select(tasks.c.task, tasks.c.created_at, rules.c.rules, *columns)
    return query.select_from(joined.join(rules, current))


def _read_tasks(connection: Connection, rows: Sequence[Any]) -> list[records.TaskRecord]:
    cards = read_cards(connection, {parse_rules(row.rules).card for row in rows})
    heads = {(row.task, row.head) for row in rows if row.head}
    models: dict[int, Digest] = {}
    for task, head in heads:
        where = is_newest(_ROUNDS, task, head), _ROUNDS.c.task == task, _ROUNDS.c.round == head
        models[task] = connection.execute(select(_ROUNDS.c.model_digest).where(*where)).scalar_one()
    return [_make_task(row, models.get(row.task), cards) for row in rows]


def _make_task(
    row: Any, model: Digest | None, cards: Mapping[Digest, records.CardRecord]
) -> records.TaskRecord:
    rules, available = parse_rules(row.rules), Wei(row.funded - row.rewarded)
    model = model or rules.base_model
    known = {"rules": rules, "available": available, "model": model, "card": cards.get(rules.card)}
    return make_record(records.TaskRecord, row, **known)


@lru_cache(1024)
def parse_rules(text: str) -> Rules:
    """Parse rules from their JSON."""
    rules: Rules = get_form(Rules).read(json.loads(text), "rules")
    return rules


def _select_rounds() -> Select[Any]:
    manifest = [
        _MANIFESTS.c[name]
        for name in (
            *("refusal", "cid", "base_model", "model", "shard"),
            *("loss_before", "loss_after", "metric_name", "metric"),
        )
    ]
    rules = schema.task_rules
    rest = [rules.c.rules, *manifest, _MANIFESTS.c.budget, _MANIFESTS.c.refunded]
    of_round = (rules.c.task == _ROUNDS.c.task) & (rules.c.version == _ROUNDS.c.version)
    joined = _ROUNDS.join(rules, of_round).outerjoin(_MANIFESTS, OF_ROUND)
    return select(_ROUNDS, *rest).select_from(joined).where(is_newest(_ROUNDS))


def _make_round(row: Any) -> records.RoundRecord:
    return make_record(
        records.RoundRecord,
        row,
        phase=Phase(row.phase),
        closed_at=row.closed_at or None,
        posted_at=row.posted_at or None,
        ended_at=row.ended_at or None,
        deadlines=_compute_deadlines(row),
        result=get_form(Result).read(json.loads(row.result), "result") if row.result else None,
        manifest=make_record(records.ManifestRecord, row) if row.refusal == "" else None,
        refusal=row.refusal or None,
    )


def _compute_deadlines(row: Any) -> records.DeadlinesRecord:
    rules = parse_rules(row.rules)
    state = RoundState(
        open_block=BlockNumber(row.open_block),
        opened_at=Timestamp(row.opened_at),
        closed_at=Timestamp(row.closed_at),
        posted_at=Timestamp(row.posted_at),
        parent=RoundId(row.parent),
        eligible=row.eligible,
        commits=row.commits,
        phase=Phase(row.phase),
        opening=ZERO_DIGEST,
        closing=ZERO_DIGEST,
        result_hash=ZERO_DIGEST,
    )
    is_closed, is_posted = bool(row.closed_at), bool(row.posted_at)
    is_frozen = state.phase is Phase.FROZEN
    return records.DeadlinesRecord(
        commit=machine.compute_commit_deadline(rules, state),
        reveal=machine.compute_reveal_deadline(rules, state) if is_closed else None,
        result=machine.compute_result_deadline(rules, state) if is_closed else None,
        challenge=machine.compute_challenge_deadline(rules, state) if is_posted and not is_frozen else None,
        resolve=machine.compute_resolve_deadline(rules, state) if is_frozen else None,
    )


def _select_candidates(task: TaskId, round_id: RoundId, after: bytes) -> Select[Any]:
    """Select the Supernodes that had joined before a round opened, with their forced commits."""
    member, forced = schema.members, schema.forced_commits
    of_round = _ROUNDS.c.task == task, _ROUNDS.c.round == round_id
    opened = select(_ROUNDS.c.open_block).where(*of_round).limit(1).scalar_subquery()
    other = member.alias()
    last = (
        select(other.c.block)
        .where(other.c.task == member.c.task, other.c.operator == member.c.operator, other.c.block < opened)
        .order_by(other.c.block.desc())
        .limit(1)
        .correlate(member)
        .scalar_subquery()
    )
    theirs = (forced.c.task == task) & (forced.c.round == round_id) & (forced.c.node == member.c.operator)
    return (
        select(member.c.operator.label("node"), member.c.owner, forced.c.commitment)
        .select_from(member.outerjoin(forced, theirs))
        .where(member.c.task == task, member.c.operator > after, member.c.block == last, member.c.joined)
    )


def _make_candidates(rows: Sequence[Any]) -> list[records.RoundNodeRecord]:
    return [
        records.RoundNodeRecord(
            operator=row.node,
            owner=row.owner,
            status="forced" if row.commitment is not None else None,
            stake=None,
            weight=None,
            score=None,
            debt=None,
            reward=None,
            reason="",
        )
        for row in rows
    ]


def make_nodes(rows: Sequence[Any]) -> list[records.RoundNodeRecord]:
    """Make the records of nodes of a manifest."""
    return [make_record(records.RoundNodeRecord, row, operator=row.node) for row in rows]
