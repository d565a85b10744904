"""Tasks, their rounds, and the Supernodes in them."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query

from dao.api.dependencies import Dependencies, Deps
from dao.api.http.problems import Problem, describe_read
from dao.api.models.base import (
    USUAL,
    AddressPath,
    CursorQuery,
    Extended,
    LimitQuery,
    RoundPath,
    TaskPath,
)
from dao.api.models.cases import name_provers
from dao.api.models.members import NodeRoundPage, TaskNodePage
from dao.api.models.training import (
    EarningsAnswer,
    RoundAnswer,
    RoundNodePage,
    RoundPage,
    TaskAnswer,
    TaskPage,
)
from dao.core.types import RoundId, TaskId
from dao.index.reads import Reads, records
from dao.index.reads.earnings import MOST_ROUNDS, EarningsRecord

router = APIRouter(prefix="/tasks", tags=["training"])
FIRST_NODES = 100  # that come with a round
FIRST_CASES, FIRST_EVENTS = 20, 100


@router.get("", responses=describe_read())
async def list_tasks(deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL) -> TaskPage:
    """List the tasks, the newest first."""
    return await deps.page(TaskPage, lambda reads: reads.list_tasks(cursor, limit))


@router.get("/{task}", responses=describe_read(404))
async def read_task(task: TaskPath, deps: Deps) -> TaskAnswer:
    """Read a task: its rules, its escrow, how far it is."""
    return TaskAnswer.of(*await deps.read(lambda reads: _get_task(reads, task)))


@router.get("/{task}/rounds", responses=describe_read(404))
async def list_rounds(
    task: TaskPath, deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> RoundPage:
    """List a task's rounds, the newest first."""

    def read(reads: Reads) -> records.RecordPage[records.RoundRecord]:
        return reads.list_rounds(_get_task(reads, task).task, cursor, limit)

    return await deps.page(RoundPage, read)


@router.get("/{task}/rounds/{number}", responses=describe_read(404))
async def read_round(task: TaskPath, number: RoundPath, deps: Deps) -> RoundAnswer:
    """Read a round, with the first of its Supernodes, its cases and its events."""
    task_id, round_id = TaskId(task), RoundId(number)

    def read(reads: Reads) -> tuple[records.RoundRecord, dict[str, object]]:
        nodes = reads.list_round_nodes(task_id, round_id, limit=FIRST_NODES)
        cases = reads.list_cases(task_id, round_id, limit=FIRST_CASES).items
        return _get_round(reads, task, number), {
            "is_reported": deps.round_reports.has(task_id),
            "nodes": _add_reports(deps, task_id, round_id, nodes.items),
            "next_nodes": nodes.next,
            "cases": name_provers(cases, deps.chain_connection.deployment),
            "history": reads.list_events(task=task_id, round_id=round_id, limit=FIRST_EVENTS),
        }

    (record, more), as_of = await deps.read(read)
    return RoundAnswer.of(record, as_of, **more)


@router.get("/{task}/rounds/{number}/nodes", responses=describe_read(404))
async def list_round_nodes(
    task: TaskPath,
    number: RoundPath,
    deps: Deps,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> RoundNodePage:
    """List a round's Supernodes, by address."""
    task_id, round_id = TaskId(task), RoundId(number)

    def read(reads: Reads) -> records.RecordPage[records.RoundNodeRecord]:
        _get_round(reads, task, number)
        return reads.list_round_nodes(task_id, round_id, cursor, limit)

    page, as_of = await deps.read(read)
    return RoundNodePage.of(page, as_of, items=_add_reports(deps, task_id, round_id, page.items))


@router.get("/{task}/supernodes", responses=describe_read(404))
async def list_supernodes(
    task: TaskPath, deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> TaskNodePage:
    """List all that ever took part in a task, by address: stakes, earnings, and how their last round went."""

    def read(reads: Reads) -> records.RecordPage[records.TaskNodeRecord]:
        return reads.list_task_nodes(_get_task(reads, task).task, cursor, limit)

    return await deps.page(TaskNodePage, read)


@router.get("/{task}/earnings", responses=describe_read(404))
async def read_earnings(
    task: TaskPath,
    deps: Deps,
    rounds: Annotated[int, Query(ge=1, le=MOST_ROUNDS, description="The newest ones, at most.")] = 60,
) -> EarningsAnswer:
    """Read what the Supernodes that earn most scored and earned, round by round."""

    def read(reads: Reads) -> EarningsRecord:
        return reads.list_earnings(_get_task(reads, task).task, rounds)

    return EarningsAnswer.of(*await deps.read(read))


@router.get("/{task}/supernodes/{operator}/history", responses=describe_read(404))
async def list_history(
    task: TaskPath,
    operator: AddressPath,
    deps: Deps,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> NodeRoundPage:
    """List a Supernode's rounds in a task, the newest first, as far as their manifests are known."""

    def read(reads: Reads) -> records.RecordPage[records.NodeRoundRecord]:
        return reads.list_node_rounds(_get_task(reads, task).task, operator, cursor, limit)

    return await deps.page(NodeRoundPage, read)


def _add_reports(
    deps: Dependencies, task: TaskId, round_id: RoundId, nodes: Iterable[records.RoundNodeRecord]
) -> list[Extended]:
    """Add to each Supernode what the Superlink reported of it."""
    reports = deps.round_reports.find(task, round_id)
    found = ((node, reports.get(node.operator)) for node in nodes)
    return [
        Extended(node, reported=report and report.reported, reported_at=report and report.reported_at)
        for node, report in found
    ]


def _get_task(reads: Reads, task: int) -> records.TaskRecord:
    record = reads.find_task(TaskId(task))
    if record is None:
        raise Problem(404, "not-found", f"there is no task {task}")
    return record


def _get_round(reads: Reads, task: int, number: int) -> records.RoundRecord:
    record = reads.find_round(TaskId(task), RoundId(number))
    if record is None:
        raise Problem(404, "not-found", f"there is no round {number} of task {task}")
    return record
