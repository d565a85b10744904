"""Reads Supernodes: in a task, over its rounds, and their stakes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from dao.core.types import Address, Phase, TaskId, Wei
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import LIMIT, Reader, is_newest, make_record, read_cursor, read_page
from dao.index.reads.training import OF_ROUND

_MEMBERS = schema.members
_STAKES = schema.supernodes
_ROUNDS = schema.rounds
_MANIFESTS = schema.manifests
_NODES = schema.manifest_nodes
_STANDING = (Phase.POSTED, Phase.FROZEN, Phase.FINALIZED)


class SupernodeReads(Reader):
    """Reads Supernodes, one or those of a task."""

    def list_task_nodes(
        self, task: TaskId, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.TaskNodeRecord]:
        """List all Supernodes that ever took part in a task, by address."""
        query = _select_members().where(_MEMBERS.c.task == task).order_by(_MEMBERS.c.operator)
        if cursor is not None:
            query = query.where(_MEMBERS.c.operator > read_cursor(cursor, bytes)[0])
        with self._snapshot() as connection:
            return read_page(
                *(connection, query, limit),
                lambda rows: _read_task_nodes(connection, task, rows),
                lambda row: (row.operator,),
            )

    def find_supernode(self, operator: Address) -> records.SupernodeRecord | None:
        """Find an operator, with all its tasks."""
        with self._snapshot() as connection:
            where = _STAKES.c.operator == operator, is_newest(_STAKES, operator)
            stake = connection.execute(select(_STAKES).where(*where)).first()
            if stake is None:
                return None
            rows = connection.execute(_select_members().where(_MEMBERS.c.operator == operator)).all()
            tasks = [
                _read_task_nodes(connection, row.task, [row])[0]
                for row in sorted(rows, key=lambda row: row.task)
            ]
            release_time = stake.release_time if stake.unbonding else None
            return make_record(records.SupernodeRecord, stake, release_time=release_time, tasks=tuple(tasks))

    def list_node_rounds(
        self, task: TaskId, operator: Address, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.NodeRoundRecord]:
        """List a Supernode's rounds that have a manifest, the newest first."""
        query = _select_history(task, operator)
        if cursor is not None:
            query = query.where(_NODES.c.round < min(read_cursor(cursor, int)[0], 2**62))
        with self._snapshot() as connection:
            return read_page(connection, query, limit, _make_node_rounds, lambda row: (row.round,))


def _select_members() -> Select[Any]:
    both = _MEMBERS.outerjoin(
        _STAKES, (_STAKES.c.operator == _MEMBERS.c.operator) & is_newest(_STAKES, _MEMBERS.c.operator)
    )
    return select(_MEMBERS, _STAKES.c.active).select_from(both).where(is_newest(_MEMBERS))


def _select_nodes() -> Select[Any]:
    """Select the nodes of manifests, each with the newest row of its round."""
    newest = is_newest(_ROUNDS, _NODES.c.task, _NODES.c.round)
    of_node = and_(_ROUNDS.c.task == _NODES.c.task, _ROUNDS.c.round == _NODES.c.round, newest)
    posted = and_(_MANIFESTS.c.id == _NODES.c.manifest, _MANIFESTS.c.result_hash == _ROUNDS.c.result_hash)
    return select(_NODES, _ROUNDS.c.phase, _ROUNDS.c.opened_at).select_from(
        _NODES.join(_ROUNDS, of_node).join(_MANIFESTS, posted)
    )


def _select_history(task: TaskId, operator: Address) -> Select[Any]:
    where = _NODES.c.node == operator, _NODES.c.task == task
    return _select_nodes().where(*where).order_by(_NODES.c.round.desc())


def _make_node_rounds(rows: Sequence[Any]) -> list[records.NodeRoundRecord]:
    return [
        make_record(records.NodeRoundRecord, row, operator=row.node, phase=Phase(row.phase)) for row in rows
    ]


def _read_task_nodes(
    connection: Connection, task: TaskId, rows: Sequence[Any]
) -> list[records.TaskNodeRecord]:
    owners, operators = [row.owner for row in rows], [row.operator for row in rows]
    standing, final = _find_manifests(connection, task)
    earned, promised = _read_rewards(connection, standing, owners), _read_rewards(connection, final, owners)
    claims = schema.claims
    where = claims.c.task == task, claims.c.owner.in_(owners), is_newest(claims)
    claimed = {row.owner: row.claimed for row in connection.execute(select(claims).where(*where))}
    last = _read_last_rounds(connection, task, standing, operators)
    nodes = []
    for row in rows:
        paid = claimed.get(row.owner, 0)
        cumulative, debt = earned.get(row.owner, (0, 0))
        nodes.append(
            make_record(
                records.TaskNodeRecord,
                row,
                stake=Wei(row.active or 0),
                earned=Wei(max(cumulative, paid)),
                claimed=Wei(paid),
                claimable=Wei(max(0, promised.get(row.owner, (0, 0))[0] - paid)),
                debt=debt,
                last=last.get(row.operator),
            )
        )
    return nodes


def _find_manifests(connection: Connection, task: TaskId) -> tuple[int | None, int | None]:
    """Find the manifests of a task's last standing and last finalized rounds, of those that were read."""
    joined = _ROUNDS.join(_MANIFESTS, OF_ROUND)
    manifests: list[int | None] = []
    for phases in (_STANDING, (Phase.FINALIZED,)):
        query = (
            select(_MANIFESTS.c.id)
            .select_from(joined)
            .where(
                _ROUNDS.c.task == task,
                _ROUNDS.c.phase.in_(phases),
                is_newest(_ROUNDS),
                _MANIFESTS.c.refusal == "",
            )
            .order_by(_ROUNDS.c.round.desc())
            .limit(1)
        )
        manifests.append(connection.execute(query).scalar())
    return manifests[0], manifests[1]


def _read_rewards(
    connection: Connection, manifest: int | None, owners: Sequence[Address]
) -> dict[Address, tuple[int, int]]:
    """Read the cumulative reward (wei) and debt (micro-score) of owners in a manifest."""
    if manifest is None:
        return {}
    table = schema.manifest_accounts
    query = select(table).where(table.c.manifest == manifest, table.c.owner.in_(owners))
    return {row.owner: (row.cumulative, row.debt) for row in connection.execute(query)}


def _read_last_rounds(
    connection: Connection, task: TaskId, manifest: int | None, operators: Sequence[Address]
) -> dict[Address, records.NodeRoundRecord]:
    """Read the newest round of each Supernode: mostly that of the task's newest manifest."""
    if manifest is None:
        return {}
    query = _select_nodes().where(_NODES.c.manifest == manifest, _NODES.c.node.in_(operators))
    newest = {item.operator: item for item in _make_node_rounds(connection.execute(query).all())}
    for operator in operators:
        if operator not in newest:
            rows = connection.execute(_select_history(task, operator).limit(1)).all()
            newest |= {item.operator: item for item in _make_node_rounds(rows)}
    return newest
