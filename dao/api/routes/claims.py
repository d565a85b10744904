"""Prepares claims: an owner's account in the index, checked against the roots of accounts that pay on chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from dao.api.dependencies import Dependencies, Deps
from dao.api.http.json_types import ReadAddress, RequestModel, show_address
from dao.api.http.problems import Problem, describe_problems
from dao.api.routes.prepare import Prepared, make_prepared
from dao.chain.contracts import Distributor
from dao.core.formats.accounts import AccountTree
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
    """An owner's rewards of final rounds that are not paid yet; its account's leaf, the leaf's index and siblings."""

    unpaid: Wei
    leaf: bytes
    index: int
    proof: Sequence[Digest]


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
    call = Distributor(chain).claim(TaskId(form.task), claimable.leaf, claimable.index, claimable.proof)
    return make_prepared(chain, words, call)


async def _get_claimable(deps: Dependencies, task: TaskId, owner: Address) -> Claimable:
    """Get it. Problem: 404 no such task, 409 nothing to claim, 503 while content or the index is behind."""
    chain = deps.get_chain()

    def read(reads: Reads) -> AccountTree | None:
        if reads.find_task(task) is None:
            raise Problem(404, "not-found", f"there is no task {task}")
        return reads.find_accounts(task)

    tree, _ = await deps.read(read)
    if tree is None:
        raise Problem(
            503, "content-missing", "the manifest that proves it cannot be had now; try again", retry_after=30
        )
    at, distributor = chain.final(), Distributor(chain)
    account = tree.get(owner)
    unpaid = (
        Wei(account.cumulative_wei - await distributor.claimed_of(task, owner, at)) if account else Wei(0)
    )
    if unpaid <= 0:
        raise Problem(
            409, "nothing-to-claim", "nothing of this task's final rounds is left to be paid to this owner"
        )
    if not await distributor.is_recent(task, tree.root, at):  # which pays, also where newer ones became final
        raise Problem(503, "index-behind", "many rounds became final meanwhile; try again", retry_after=2)
    return Claimable(unpaid, *tree.find(owner))
