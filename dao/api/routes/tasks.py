"""Tasks, their rounds, and the Supernodes in them."""

from fastapi import APIRouter

from dao.api.dependencies import Deps
from dao.api.http.problems import Problem, describe_read
from dao.api.models.base import USUAL, AddressPath, CursorQuery, LimitQuery, RoundPath, TaskPath
from dao.api.models.members import NodeRoundPage, TaskNodePage
from dao.api.models.training import RoundAnswer, RoundNodePage, RoundPage, TaskAnswer, TaskPage
from dao.core.types import RoundId, TaskId
from dao.index.reads import Reads, records

router = APIRouter(prefix="/tasks", tags=["training"])
FIRST_NODES = 100  # that come with a round


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
    """Read a round, with the first of its Supernodes."""

    def read(reads: Reads) -> tuple[records.RoundRecord, records.RecordPage[records.RoundNodeRecord]]:
        nodes = reads.list_round_nodes(TaskId(task), RoundId(number), limit=FIRST_NODES)
        return _get_round(reads, task, number), nodes

    (record, nodes), as_of = await deps.read(read)
    return RoundAnswer.of(record, as_of, nodes=nodes.items, next_nodes=nodes.next)


@router.get("/{task}/rounds/{number}/nodes", responses=describe_read(404))
async def list_round_nodes(
    task: TaskPath,
    number: RoundPath,
    deps: Deps,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> RoundNodePage:
    """List a round's Supernodes, by address."""

    def read(reads: Reads) -> records.RecordPage[records.RoundNodeRecord]:
        _get_round(reads, task, number)
        return reads.list_round_nodes(TaskId(task), RoundId(number), cursor, limit)

    return await deps.page(RoundNodePage, read)


@router.get("/{task}/supernodes", responses=describe_read(404))
async def list_supernodes(
    task: TaskPath, deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> TaskNodePage:
    """List all that ever took part in a task, by address: stakes, earnings, and how their last round went."""

    def read(reads: Reads) -> records.RecordPage[records.TaskNodeRecord]:
        return reads.list_task_nodes(_get_task(reads, task).task, cursor, limit)

    return await deps.page(TaskNodePage, read)


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
