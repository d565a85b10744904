"""Answers with all that the page's first view shows, so that it asks once."""

from fastapi import APIRouter
from pydantic import Field

from dao.api.dependencies import Deps
from dao.api.http.problems import describe_read
from dao.api.models.base import Answer
from dao.api.models.decisions import ProposalPage
from dao.api.models.members import TreasuryAnswer
from dao.api.models.training import RoundAnswer, TaskPage
from dao.api.routes import decisions, members, service, tasks
from dao.api.routes.service import NetworkShown
from dao.core.types import RoundId
from dao.index.reads.records import ProposalPhase

router = APIRouter(tags=["network"])
_TASKS = 20
_ROUNDS = 3
_PROPOSALS = 5


class OverviewAnswer(Answer):
    """The network, its newest tasks and proposals, and the treasury."""

    network: NetworkShown
    tasks: TaskPage
    rounds: list[RoundAnswer] = Field(description="The last rounds of the newest open tasks.")
    treasury: TreasuryAnswer
    proposals: ProposalPage
    open_proposals: int = Field(description="How many proposals are open for votes.")
    open_cases: int = Field(description="How many disputes of rounds are not over.")


@router.get("/overview", responses=describe_read())
async def read_overview(deps: Deps) -> OverviewAnswer:
    """Read what is trained, paid and decided now, in one answer."""
    network = await service.read_network(deps)  # the oldest: what follows stands on this block or a later one
    newest = await tasks.list_tasks(deps, None, _TASKS)
    running = [task for task in newest.items if not task.closed and task.last_round][:_ROUNDS]
    (open_proposals, open_cases), _ = await deps.read(
        lambda reads: (reads.count_proposals(ProposalPhase.ACTIVE), reads.count_open_cases())
    )
    return OverviewAnswer(
        as_of=network.as_of,
        network=network,
        tasks=newest,
        rounds=[await tasks.read_round(task.task, RoundId(task.last_round), deps) for task in running],
        treasury=await members.read_treasury(deps),
        proposals=await decisions.list_proposals(deps, None, None, _PROPOSALS),
        open_proposals=open_proposals,
        open_cases=open_cases,
    )
