"""What to send to be paid what was earned."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from dao.api import claims
from dao.api.dependencies import Given
from dao.api.http.json_types import Body, ReadAddress, shown_address
from dao.api.http.problems import responses
from dao.api.routes.prepare import Prepared, prepared
from dao.chain.contracts import Distributor
from dao.core.types import TaskId
from dao.gov.units import format_amount

router = APIRouter(prefix="/prepare", tags=["prepare"])


class ClaimForm(Body):
    """Who sends it, for the rewards of which owner (its own unless named) in which task."""

    account: ReadAddress
    task: Annotated[int, Field(ge=1, le=2**53 - 1)]
    owner: ReadAddress | None = None


@router.post("/claim", responses=responses(404, 409, 413, 422, 429, 503))
async def prepare_claim(form: ClaimForm, services: Given) -> Prepared:
    """Prepare to have an owner paid for all final rounds of a task. Anyone may send it; it always pays the owner."""
    owner = form.owner or form.account
    held = await claims.claimable(services, TaskId(form.task), owner)
    chain = services.link.chain()
    whom = "you" if owner == form.account else shown_address(owner)
    words = [
        f"Have {format_amount(held.unpaid)} of rewards paid to {whom}, for all final rounds of task {form.task}."
    ]
    call = Distributor(chain).claim(TaskId(form.task), owner, held.total, held.proof)
    return prepared(chain, words, call)
