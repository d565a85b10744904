"""Tasks, their rounds, and the Supernodes in them."""

from fastapi import APIRouter

from dao.api.dependencies import Given
from dao.api.http.problems import Problem, read_responses
from dao.api.models.base import USUAL, AddressPath, CursorQuery, LimitQuery, RoundPath, TaskPath, fields
from dao.api.models.members import NodeRound, NodeRoundPage, TaskNode, TaskNodePage
from dao.api.models.training import Round, RoundAnswer, RoundNodePage, RoundPage, TaskAnswer, TaskPage
from dao.core.types import RoundId, TaskId
from dao.index.reads import Reads, records

router = APIRouter(prefix="/tasks", tags=["training"])
FIRST_NODES = 100  # that come with a round


@router.get("", responses=read_responses())
async def list_tasks(services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL) -> TaskPage:
    """List the tasks, the newest first."""
    return await services.page(TaskPage, lambda reads: reads.tasks(cursor, limit))


@router.get("/{task}", responses=read_responses(404))
async def read_task(task: TaskPath, services: Given) -> TaskAnswer:
    """Read a task: its rules, its escrow, how far it is."""
    found, as_of = await services.read(lambda reads: _task(reads, task))
    return TaskAnswer.model_validate({**fields(found), "as_of": as_of})


@router.get("/{task}/rounds", responses=read_responses(404))
async def list_rounds(
    task: TaskPath, services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> RoundPage:
    """List a task's rounds, the newest first."""

    def read(reads: Reads) -> records.RecordPage[records.RoundRecord]:
        return reads.rounds(_task(reads, task).task, cursor, limit)

    return await services.page(RoundPage, read, Round.of)


@router.get("/{task}/rounds/{number}", responses=read_responses(404))
async def read_round(task: TaskPath, number: RoundPath, services: Given) -> RoundAnswer:
    """Read a round, with the first of its Supernodes."""

    def read(reads: Reads) -> tuple[records.RoundRecord, records.RecordPage[records.RoundNodeRecord]]:
        nodes = reads.nodes(TaskId(task), RoundId(number), limit=FIRST_NODES)
        return _round(reads, task, number), nodes

    (found, nodes), as_of = await services.read(read)
    more = {"nodes": list(nodes.items), "next_nodes": nodes.next, "as_of": as_of}
    return RoundAnswer.model_validate(Round.fields_of(found) | more)


@router.get("/{task}/rounds/{number}/nodes", responses=read_responses(404))
async def list_round_nodes(
    task: TaskPath,
    number: RoundPath,
    services: Given,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> RoundNodePage:
    """List a round's Supernodes, by address."""

    def read(reads: Reads) -> records.RecordPage[records.RoundNodeRecord]:
        _round(reads, task, number)
        return reads.nodes(TaskId(task), RoundId(number), cursor, limit)

    return await services.page(RoundNodePage, read)


@router.get("/{task}/supernodes", responses=read_responses(404))
async def list_supernodes(
    task: TaskPath, services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> TaskNodePage:
    """List all that ever took part in a task, by address: stakes, earnings, and how their last round went."""

    def read(reads: Reads) -> records.RecordPage[records.TaskNodeRecord]:
        return reads.supernodes(_task(reads, task).task, cursor, limit)

    return await services.page(TaskNodePage, read, TaskNode.of)


@router.get("/{task}/supernodes/{operator}/history", responses=read_responses(404))
async def list_history(
    task: TaskPath,
    operator: AddressPath,
    services: Given,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> NodeRoundPage:
    """List a Supernode's rounds in a task, the newest first, as far as their manifests are known."""

    def read(reads: Reads) -> records.RecordPage[records.NodeRoundRecord]:
        return reads.supernode_history(_task(reads, task).task, operator, cursor, limit)

    return await services.page(NodeRoundPage, read, NodeRound.of)


def _task(reads: Reads, task: int) -> records.TaskRecord:
    found = reads.task(TaskId(task))
    if found is None:
        raise Problem(404, "not-found", f"there is no task {task}")
    return found


def _round(reads: Reads, task: int, number: int) -> records.RoundRecord:
    found = reads.round(TaskId(task), RoundId(number))
    if found is None:
        raise Problem(404, "not-found", f"there is no round {number} of task {task}")
    return found
