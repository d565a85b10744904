"""Supernodes: in a task, over its rounds, and as stakes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from dao.core.types import Address, Phase, TaskId, Wei
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import LIMIT, Reader, newest, page, read_cursor
from dao.index.reads.training import OF_ROUND, read_nodes

_MEMBERS = schema.members
_STAKES = schema.supernodes
_ROUNDS = schema.rounds
_MADE = schema.manifests
_NODES = schema.manifest_nodes
_STANDING = (Phase.POSTED, Phase.FROZEN, Phase.FINALIZED)


class SupernodeReads(Reader):
    """Reads of Supernodes."""

    def supernodes(
        self, task: TaskId, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.TaskNodeRecord]:
        """All that ever took part in a task, by address."""
        query = _members().where(_MEMBERS.c.task == task).order_by(_MEMBERS.c.operator)
        if cursor is not None:
            query = query.where(_MEMBERS.c.operator > read_cursor(cursor, bytes)[0])
        with self._moment() as connection:
            return page(
                *(connection, query, limit),
                lambda rows: _task_nodes(connection, task, rows),
                lambda row: (row.operator,),
            )

    def supernode(self, operator: Address) -> records.SupernodeRecord | None:
        """An operator, with all its tasks."""
        with self._moment() as connection:
            where = _STAKES.c.operator == operator, newest(_STAKES, operator)
            found = connection.execute(select(_STAKES).where(*where)).first()
            if found is None:
                return None
            rows = connection.execute(_members().where(_MEMBERS.c.operator == operator)).all()
            tasks = [
                _task_nodes(connection, row.task, [row])[0] for row in sorted(rows, key=lambda row: row.task)
            ]
            return records.SupernodeRecord(
                operator=operator,
                owner=found.owner,
                registered_at=found.registered_at,
                active=found.active,
                unbonding=found.unbonding,
                release_time=found.release_time if found.unbonding else None,
                slashed=found.slashed,
                tasks=tuple(tasks),
            )

    def supernode_history(
        self, task: TaskId, operator: Address, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.NodeRoundRecord]:
        """What became of a Supernode in each round that has a manifest, the newest first."""
        query = _history(task, operator)
        if cursor is not None:
            query = query.where(_NODES.c.round < min(read_cursor(cursor, int)[0], 2**62))
        with self._moment() as connection:
            return page(connection, query, limit, _node_rounds, lambda row: (row.round,))


def _members() -> Select[Any]:
    both = _MEMBERS.outerjoin(
        _STAKES, (_STAKES.c.operator == _MEMBERS.c.operator) & newest(_STAKES, _MEMBERS.c.operator)
    )
    return select(_MEMBERS, _STAKES.c.active).select_from(both).where(newest(_MEMBERS))


def _of_nodes() -> Select[Any]:
    """Nodes of known manifests, each with its round as it stands."""
    round_ = newest(_ROUNDS, _NODES.c.task, _NODES.c.round)
    theirs = and_(_ROUNDS.c.task == _NODES.c.task, _ROUNDS.c.round == _NODES.c.round, round_)
    posted = and_(_MADE.c.id == _NODES.c.manifest, _MADE.c.result_hash == _ROUNDS.c.result_hash)
    return select(_NODES, _ROUNDS.c.phase, _ROUNDS.c.opened_at).select_from(
        _NODES.join(_ROUNDS, theirs).join(_MADE, posted)
    )


def _history(task: TaskId, operator: Address) -> Select[Any]:
    where = _NODES.c.node == operator, _NODES.c.task == task
    return _of_nodes().where(*where).order_by(_NODES.c.round.desc())


def _node_rounds(rows: Sequence[Any]) -> list[records.NodeRoundRecord]:
    return [
        records.NodeRoundRecord(row.task, row.round, Phase(row.phase), row.opened_at, node)
        for row, node in zip(rows, read_nodes(rows), strict=True)
    ]


def _task_nodes(connection: Connection, task: TaskId, rows: Sequence[Any]) -> list[records.TaskNodeRecord]:
    owners, operators = [row.owner for row in rows], [row.operator for row in rows]
    standing, final = _manifests(connection, task)
    earned, promised = _cumulative(connection, standing, owners), _cumulative(connection, final, owners)
    claims = schema.claims
    where = claims.c.task == task, claims.c.owner.in_(owners), newest(claims)
    claimed = {row.owner: row.claimed for row in connection.execute(select(claims).where(*where))}
    last = _last(connection, task, standing, operators)
    found = []
    for row in rows:
        paid = claimed.get(row.owner, 0)
        cumulative, debt = earned.get(row.owner, (0, 0))
        found.append(
            records.TaskNodeRecord(
                task=task,
                operator=row.operator,
                owner=row.owner,
                joined=row.joined,
                stake=Wei(row.active or 0),
                earned=Wei(max(cumulative, paid)),
                claimed=Wei(paid),
                claimable=Wei(max(0, promised.get(row.owner, (0, 0))[0] - paid)),
                debt=debt,
                last=last.get(row.operator),
            )
        )
    return found


def _manifests(connection: Connection, task: TaskId) -> tuple[int | None, int | None]:
    """The known manifests of a task's last standing and last finalized rounds."""
    joined = _ROUNDS.join(_MADE, OF_ROUND)
    found: list[int | None] = []
    for phases in (_STANDING, (Phase.FINALIZED,)):
        query = (
            select(_MADE.c.id)
            .select_from(joined)
            .where(
                _ROUNDS.c.task == task, _ROUNDS.c.phase.in_(phases), newest(_ROUNDS), _MADE.c.refusal == ""
            )
            .order_by(_ROUNDS.c.round.desc())
            .limit(1)
        )
        found.append(connection.execute(query).scalar())
    return found[0], found[1]


def _cumulative(
    connection: Connection, manifest: int | None, owners: Sequence[Address]
) -> dict[Address, tuple[int, int]]:
    """What owners have earned by a manifest, and owe."""
    if manifest is None:
        return {}
    table = schema.manifest_accounts
    query = select(table).where(table.c.manifest == manifest, table.c.owner.in_(owners))
    return {row.owner: (row.cumulative, row.debt) for row in connection.execute(query)}


def _last(
    connection: Connection, task: TaskId, manifest: int | None, operators: Sequence[Address]
) -> dict[Address, records.NodeRoundRecord]:
    """The newest round of each Supernode: mostly that of the task's newest known manifest."""
    if manifest is None:
        return {}
    query = _of_nodes().where(_NODES.c.manifest == manifest, _NODES.c.node.in_(operators))
    found = {item.node.operator: item for item in _node_rounds(connection.execute(query).all())}
    for operator in operators:
        if operator not in found:
            rows = connection.execute(_history(task, operator).limit(1)).all()
            found |= dict.fromkeys([operator], *_node_rounds(rows)) if rows else {}
    return found
