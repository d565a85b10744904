"""Tasks and their rounds."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from dao.core import round_machine as machine
from dao.core.formats.json_form import get_form
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    BlockNumber,
    Digest,
    MicroScore,
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
from dao.index.reads.reader import LIMIT, Reader, newest, page, read_cursor

_ROUNDS = schema.rounds
_MADE = schema.manifests
_NODES = schema.manifest_nodes
OF_ROUND: ColumnElement[bool] = and_(
    _MADE.c.task == _ROUNDS.c.task,
    _MADE.c.round == _ROUNDS.c.round,
    _MADE.c.result_hash == _ROUNDS.c.result_hash,
)


class TrainingReads(Reader):
    """Reads of tasks and rounds."""

    def tasks(self, cursor: str | None = None, limit: int = LIMIT) -> records.RecordPage[records.TaskRecord]:
        """All tasks, the newest first."""
        query = _tasks().order_by(schema.tasks.c.task.desc())
        if cursor is not None:
            (before,) = read_cursor(cursor, int)
            query = query.where(schema.tasks.c.task < min(before, 2**62))
        with self._moment() as connection:
            return page(
                connection, query, limit, lambda rows: _read_tasks(connection, rows), lambda row: (row.task,)
            )

    def task(self, task: TaskId) -> records.TaskRecord | None:
        """One task."""
        with self._moment() as connection:
            found = _read_tasks(
                connection, connection.execute(_tasks().where(schema.tasks.c.task == task)).all()
            )
            return found[0] if found else None

    def rules(self, task: TaskId, proposal: int | None = None) -> Rules | None:
        """The rules of a task's next round, or those of the block in which a proposal was made."""
        rules, made = schema.task_rules, schema.proposals
        query = select(rules.c.rules).where(rules.c.task == min(task, 2**62))
        if proposal is not None:
            block = select(made.c.block).where(made.c.proposal == proposal).scalar_subquery()
            query = query.where(rules.c.block <= block)
        with self._moment() as connection:
            found = connection.execute(query.order_by(rules.c.version.desc()).limit(1)).scalar()
            return None if found is None else rules_of(found)

    def rounds(
        self, task: TaskId, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.RoundRecord]:
        """A task's rounds, the newest first."""
        query = _rounds().where(_ROUNDS.c.task == task).order_by(_ROUNDS.c.round.desc())
        if cursor is not None:
            (before,) = read_cursor(cursor, int)
            query = query.where(_ROUNDS.c.round < min(before, 2**62))
        with self._moment() as connection:
            return page(
                connection,
                query,
                limit,
                lambda rows: _read_rounds(connection, rows),
                lambda row: (row.round,),
            )

    def round(self, task: TaskId, round_: RoundId) -> records.RoundRecord | None:
        """One round."""
        query = _rounds().where(_ROUNDS.c.task == task, _ROUNDS.c.round == round_)
        with self._moment() as connection:
            found = _read_rounds(connection, connection.execute(query).all())
            return found[0] if found else None

    def nodes(
        self, task: TaskId, round_: RoundId, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.RoundNodeRecord]:
        """The Supernodes of a round, by address: as its manifest says, else all that could commit."""
        after = read_cursor(cursor, bytes)[0] if cursor is not None else b""
        with self._moment() as connection:
            where = newest(_ROUNDS, task, round_), _ROUNDS.c.task == task, _ROUNDS.c.round == round_
            query = (
                select(_MADE.c.id)
                .select_from(_ROUNDS.join(_MADE, OF_ROUND))
                .where(*where, _MADE.c.refusal == "")
            )
            manifest = connection.execute(query).scalar()
            if manifest is not None:
                rows = select(_NODES).where(_NODES.c.manifest == manifest, _NODES.c.node > after)
                read = read_nodes
            else:
                rows, read = _candidates(task, round_, after), _read_candidates
            return page(connection, rows.order_by("node"), limit, read, lambda row: (row.node,))

    def rewards(self, task: TaskId) -> Mapping[Address, Wei] | None:
        """What each owner has earned under the task's active reward root, all rounds together, which a proof needs.

        Empty where nothing is final; None where the manifest of the finalized round is not known.
        """
        state = schema.task_states
        with self._moment() as connection:
            finalized = connection.execute(
                select(state.c.finalized).where(state.c.task == task, newest(state, task))
            ).scalar()
            if not finalized:
                return {}
            accounts = schema.manifest_accounts
            where = (
                newest(_ROUNDS),
                _ROUNDS.c.task == task,
                _ROUNDS.c.round == finalized,
                _MADE.c.refusal == "",
            )
            made = connection.execute(
                select(_MADE.c.id).select_from(_ROUNDS.join(_MADE, OF_ROUND)).where(*where)
            ).scalar()
            if made is None:
                return None
            rows = connection.execute(
                select(accounts.c.owner, accounts.c.cumulative).where(accounts.c.manifest == made)
            )
            return {Address(row.owner): Wei(row.cumulative) for row in rows}


def _tasks() -> Select[Any]:
    made, state, rules = schema.tasks, schema.task_states, schema.task_rules
    columns = [column for column in state.c if column.name not in ("task", "block")]
    current = (rules.c.task == state.c.task) & (rules.c.version == state.c.version)
    joined = made.join(state, (state.c.task == made.c.task) & newest(state, made.c.task)).join(rules, current)
    return select(made.c.task, made.c.created_at, rules.c.rules, *columns).select_from(joined)


def _read_tasks(connection: Connection, rows: Sequence[Any]) -> list[records.TaskRecord]:
    heads = {(row.task, row.head) for row in rows if row.head}
    models: dict[int, Digest] = {}
    for task, head in heads:
        where = newest(_ROUNDS, task, head), _ROUNDS.c.task == task, _ROUNDS.c.round == head
        models[task] = connection.execute(select(_ROUNDS.c.model_digest).where(*where)).scalar_one()
    return [_task(row, models.get(row.task)) for row in rows]


def _task(row: Any, model: Digest | None) -> records.TaskRecord:
    rules = rules_of(row.rules)
    return records.TaskRecord(
        task=row.task,
        created_at=row.created_at,
        closed=row.closed,
        superlink=row.superlink,
        rules=rules,
        funded=row.funded,
        rewarded=row.rewarded,
        claimed=row.claimed,
        available=Wei(row.funded - row.rewarded),
        active=row.active,
        last_round=row.last_round,
        head=row.head,
        in_flight=row.in_flight,
        finalized=row.finalized,
        model=model or rules.base_model,
    )


@lru_cache(1024)
def rules_of(text: str) -> Rules:
    """Rules from their row."""
    rules: Rules = get_form(Rules).read(json.loads(text), "rules")
    return rules


def _rounds() -> Select[Any]:
    made = [
        _MADE.c[name]
        for name in ("refusal", "cid", "base_model", "model", "shard", "loss_before", "loss_after")
    ]
    rules = schema.task_rules
    rest = [rules.c.rules, *made, _MADE.c.budget, _MADE.c.refunded]
    its_own = (rules.c.task == _ROUNDS.c.task) & (rules.c.version == _ROUNDS.c.version)
    joined = _ROUNDS.join(rules, its_own).outerjoin(_MADE, OF_ROUND)
    return select(_ROUNDS, *rest).select_from(joined).where(newest(_ROUNDS))


def _read_rounds(_: Connection, rows: Sequence[Any]) -> list[records.RoundRecord]:
    return [_round(row) for row in rows]


def _round(row: Any) -> records.RoundRecord:
    manifest = None
    if row.refusal == "":
        losses = row.loss_before, row.loss_after
        manifest = records.ManifestRecord(
            row.cid, row.base_model, row.model, row.shard, *losses, row.budget, row.refunded
        )
    return records.RoundRecord(
        task=row.task,
        round=row.round,
        phase=Phase(row.phase),
        superlink=row.superlink,
        parent=row.parent,
        eligible=row.eligible,
        commits=row.commits,
        forced=row.forced,
        contested=row.contested,
        open_block=row.open_block,
        opened_at=row.opened_at,
        closed_at=row.closed_at or None,
        posted_at=row.posted_at or None,
        ended_at=row.ended_at or None,
        deadlines=_deadlines(row),
        seed=row.seed,
        challenger=row.challenger,
        challenge=row.challenge,
        result=get_form(Result).read(json.loads(row.result), "result") if row.result else None,
        manifest=manifest,
        refusal=row.refusal or None,
    )


def _deadlines(row: Any) -> records.DeadlinesRecord:
    rules = rules_of(row.rules)
    state = RoundState(
        open_block=BlockNumber(row.open_block),
        opened_at=Timestamp(row.opened_at),
        closed_at=Timestamp(row.closed_at),
        posted_at=Timestamp(row.posted_at),
        parent=RoundId(row.parent),
        eligible=row.eligible,
        commits=row.commits,
        phase=Phase(row.phase),
        closing=ZERO_DIGEST,
        result_hash=ZERO_DIGEST,
    )
    closed, posted = bool(row.closed_at), bool(row.posted_at)
    frozen = state.phase is Phase.FROZEN
    return records.DeadlinesRecord(
        commit=machine.compute_commit_deadline(rules, state),
        reveal=machine.compute_reveal_deadline(rules, state) if closed else None,
        result=machine.compute_result_deadline(rules, state) if closed else None,
        force=machine.compute_force_deadline(rules, state) if closed else None,
        challenge=machine.compute_challenge_deadline(rules, state) if posted and not frozen else None,
        resolve=machine.compute_resolve_deadline(rules, state) if frozen else None,
    )


def _candidates(task: TaskId, round_: RoundId, after: bytes) -> Select[Any]:
    """Who had joined before a round opened, with its forced commit."""
    member, forced = schema.members, schema.forced_commits
    of_round = _ROUNDS.c.task == task, _ROUNDS.c.round == round_
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
    theirs = (forced.c.task == task) & (forced.c.round == round_) & (forced.c.node == member.c.operator)
    return (
        select(member.c.operator.label("node"), member.c.owner, forced.c.commitment)
        .select_from(member.outerjoin(forced, theirs))
        .where(member.c.task == task, member.c.operator > after, member.c.block == last, member.c.joined)
    )


def _read_candidates(rows: Sequence[Any]) -> list[records.RoundNodeRecord]:
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


def read_nodes(rows: Sequence[Any]) -> list[records.RoundNodeRecord]:
    """Nodes from rows of their manifest."""
    return [
        records.RoundNodeRecord(
            operator=row.node,
            owner=row.owner,
            status=row.status,
            stake=row.stake,
            weight=row.weight,
            score=MicroScore(row.score),
            debt=row.debt,
            reward=row.reward,
            reason=row.reason,
        )
        for row in rows
    ]
