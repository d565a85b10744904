"""Prepares claims: an owner's rewards in the index, checked against the reward roots that pay on chain."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from dao.api.dependencies import Dependencies, Deps
from dao.api.http.json_types import ReadAddress, RequestModel, show_address
from dao.api.http.problems import Problem, describe_problems
from dao.api.routes.prepare import Prepared, make_prepared
from dao.chain.contracts import Distributor
from dao.core.formats.reward_tree import RewardTree
from dao.core.types import Address, Digest, TaskId, Wei
from dao.gov.units import format_amount
from dao.index.reads import Reads

router = APIRouter(prefix="/prepare", tags=["prepare"])


class ClaimForm(RequestModel):
    """The sending account, the task, and the owner whose rewards are paid: by default the sender."""

    account: ReadAddress
    task: Annotated[int, Field(ge=1, le=2**53 - 1)]
    owner: ReadAddress | None = None


@dataclass(frozen=True, slots=True)
class Claimable:
    """An owner's rewards of final rounds: all of them, those not paid yet, and the proof."""

    total: Wei
    unpaid: Wei
    proof: tuple[Digest, ...]


@router.post("/claim", responses=describe_problems(404, 409, 413, 422, 429, 503))
async def prepare_claim(form: ClaimForm, deps: Deps) -> Prepared:
    """Prepare to have an owner paid for all final rounds of a task. Anyone may send it; it always pays the owner."""
    owner = form.owner or form.account
    claimable = await _get_claimable(deps, TaskId(form.task), owner)
    chain = deps.get_chain()
    payee = "you" if owner == form.account else show_address(owner)
    words = [
        f"Have {format_amount(claimable.unpaid)} of rewards paid to {payee}, for all final rounds of task {form.task}."
    ]
    call = Distributor(chain).claim(TaskId(form.task), owner, claimable.total, claimable.proof)
    return make_prepared(chain, words, call)


async def _get_claimable(deps: Dependencies, task: TaskId, owner: Address) -> Claimable:
    """Get it. Problem: 404 no such task, 409 nothing to claim, 503 while content or the index is behind."""
    chain, deployment = deps.get_chain(), deps.chain_connection.deployment

    def read(reads: Reads) -> tuple[Wei, RewardTree] | None:
        if reads.find_task(task) is None:
            raise Problem(404, "not-found", f"there is no task {task}")
        rewards = reads.find_rewards(task)
        if rewards is None:
            return None
        tree = _make_tree(deployment.chain_id, deployment.distributor, task, frozenset(rewards.items()))
        return rewards.get(owner, Wei(0)), tree

    reward, _ = await deps.read(read)
    if reward is None:
        raise Problem(
            503, "content-missing", "the manifest that proves it cannot be had now; try again", retry_after=30
        )
    total, tree = reward
    at, distributor = chain.final(), Distributor(chain)
    unpaid = Wei(total - await distributor.claimed_of(task, owner, at))
    if unpaid <= 0:
        raise Problem(
            409, "nothing-to-claim", "nothing of this task's final rounds is left to be paid to this owner"
        )
    if not await distributor.is_recent(task, tree.root, at):  # which pays, also where newer ones became final
        raise Problem(503, "index-behind", "many rounds became final meanwhile; try again", retry_after=2)
    return Claimable(total, unpaid, tree.proof(owner))


@lru_cache(8)
def _make_tree(
    chain_id: int, distributor: Address, task: TaskId, amounts: frozenset[tuple[Address, Wei]]
) -> RewardTree:
    return RewardTree.of(chain_id, distributor, task, dict(amounts))
