"""Reads what each Supernode of a task scored and earned, round by round, for charts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select

from dao.core.types import Address, MicroScore, RoundId, TaskId, Wei
from dao.index import schema
from dao.index.reads.reader import Reader, is_newest
from dao.index.reads.training import OF_ROUND

_ROUNDS = schema.rounds
_MANIFESTS = schema.manifests
_NODES = schema.manifest_nodes
MOST_ROUNDS, MOST_NODES = 200, 8


@dataclass(frozen=True, slots=True)
class NodeEarnings:
    """A Supernode's scores (millionths of a loss), rewards and stakes, one for each round of an EarningsRecord.

    None where it did not commit. `operator` is None for all others together.
    """

    operator: Address | None
    scores: tuple[MicroScore | None, ...]
    rewards: tuple[Wei | None, ...]
    stakes: tuple[Wei | None, ...]


@dataclass(frozen=True, slots=True)
class EarningsRecord:
    """Rounds of a task, the oldest first, and what Supernodes scored and earned in them, who earned most first."""

    rounds: tuple[RoundId, ...]
    nodes: tuple[NodeEarnings, ...]


class EarningReads(Reader):
    """Reads scores, rewards and stakes of a task's Supernodes over its newest rounds."""

    def list_earnings(self, task: TaskId, rounds: int = 60) -> EarningsRecord:
        """List the newest rounds whose manifest is read, and the Supernodes that earned most in them.

        The others are summed up in one last row, whose operator is None; their stakes too.
        """
        rounds = max(1, min(rounds, MOST_ROUNDS))
        with self._snapshot() as connection:
            manifests = connection.execute(
                select(_ROUNDS.c.round, _MANIFESTS.c.id)
                .select_from(_ROUNDS.join(_MANIFESTS, OF_ROUND))
                .where(is_newest(_ROUNDS), _ROUNDS.c.task == task, _MANIFESTS.c.refusal == "")
                .order_by(_ROUNDS.c.round.desc())
                .limit(rounds)
            ).all()
            columns = _NODES.c
            query = select(columns.round, columns.node, columns.score, columns.reward, columns.stake)
            of_task = and_(columns.manifest.in_([row.id for row in manifests]), columns.stake != 0)
            rows = connection.execute(query.where(of_task)).all()
        numbers = tuple(sorted(RoundId(row.round) for row in manifests))
        return EarningsRecord(numbers, tuple(_sum_rows(rows, numbers)))


def _sum_rows(rows: Sequence[Any], numbers: Sequence[RoundId]) -> Iterable[NodeEarnings]:
    by_node: dict[Address, dict[RoundId, Any]] = defaultdict(dict)
    for row in rows:
        by_node[row.node][row.round] = row
    ranked = sorted(by_node, key=lambda node: (-sum(row.reward for row in by_node[node].values()), node))
    for node in ranked[:MOST_NODES]:
        yield _sum_up(node, [by_node[node]], numbers)
    if ranked[MOST_NODES:]:
        yield _sum_up(None, [by_node[node] for node in ranked[MOST_NODES:]], numbers)


def _sum_up(
    operator: Address | None, parts: Sequence[Mapping[RoundId, Any]], numbers: Sequence[RoundId]
) -> NodeEarnings:
    """Sum up what some Supernodes have in each round; None where none of them committed."""

    def add(name: str) -> tuple[Any, ...]:
        of_round = ([getattr(part[number], name) for part in parts if number in part] for number in numbers)
        return tuple(sum(values) if values else None for values in of_round)

    return NodeEarnings(operator, add("score"), add("reward"), add("stake"))
