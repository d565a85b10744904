"""Proposals, and the votes on them."""

from typing import Annotated

from fastapi import APIRouter, Query

from dao.api.dependencies import Given
from dao.api.http.problems import Problem, read_responses
from dao.api.models.base import USUAL, AddressPath, CursorQuery, LimitQuery, ProposalPath
from dao.api.models.decisions import (
    Proposal,
    ProposalAnswer,
    ProposalPage,
    VotePage,
    VoterAnswer,
    actions_of,
)
from dao.chain.deployment import Deployment
from dao.chain.governance import Actions
from dao.core.types import Rules, TaskId, Wei
from dao.gov import drafts
from dao.index.reads import Reads, records
from dao.index.reads.records import ProposalPhase

_OVER = (ProposalPhase.EXECUTED, ProposalPhase.CANCELED, ProposalPhase.DEFEATED)
router = APIRouter(prefix="/proposals", tags=["decisions"])
StateQuery = Annotated[ProposalPhase | None, Query(description="Only those in this state.")]


@router.get("", responses=read_responses())
async def list_proposals(
    services: Given,
    state: StateQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> ProposalPage:
    """List the proposals, the newest first."""
    return await services.page(ProposalPage, lambda reads: reads.proposals(state, cursor, limit), Proposal.of)


@router.get("/{proposal}", responses=read_responses(404))
async def read_proposal(proposal: ProposalPath, services: Given) -> ProposalAnswer:
    """Read a proposal: its text, its actions in words, its tally."""
    deployment = services.link.deployment

    def read(reads: Reads) -> dict[str, object]:
        found = _proposal(reads, proposal)
        calls = Actions(found.targets, found.values, found.calldatas)
        actions = actions_of(calls, deployment, _rules(reads, found, calls, deployment))
        return {**Proposal.fields_of(found), "description": found.description, "actions": list(actions)}

    found, as_of = await services.read(read)
    return ProposalAnswer.model_validate({**found, "as_of": as_of})


@router.get("/{proposal}/votes", responses=read_responses(404))
async def list_votes(
    proposal: ProposalPath, services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> VotePage:
    """List the votes on a proposal, the newest first."""

    def read(reads: Reads) -> records.RecordPage[records.VoteRecord]:
        return reads.votes(_proposal(reads, proposal).proposal, cursor, limit)

    return await services.page(VotePage, read)


@router.get("/{proposal}/voters/{address}", responses=read_responses(404))
async def read_voter(proposal: ProposalPath, address: AddressPath, services: Given) -> VoterAnswer:
    """Read how many votes an account has on a proposal, and what it voted."""

    def read(reads: Reads) -> tuple[Wei, records.VoteRecord | None]:
        since = _proposal(reads, proposal).starts_at
        return reads.votes_at(address, since), reads.vote_of(proposal, address)

    (weight, vote), as_of = await services.read(read)
    return VoterAnswer.model_validate({"voter": address, "weight_wei": weight, "vote": vote, "as_of": as_of})


def _rules(
    reads: Reads, proposal: records.ProposalRecord, calls: Actions, deployment: Deployment
) -> tuple[tuple[TaskId, Rules], ...]:
    """What the proposal changes the rules of tasks from: as they are, or as they were once it is over."""
    tasks = drafts.tasks_of(drafts.decoded(calls, deployment))
    when = proposal.proposal if proposal.state in _OVER else None
    found = ((task, reads.rules(task, when)) for task in tasks)
    return tuple((task, rules) for task, rules in found if rules is not None)


def _proposal(reads: Reads, proposal: int) -> records.ProposalRecord:
    found = reads.proposal(proposal)
    if found is None:
        raise Problem(404, "not-found", "there is no such proposal, or not yet")
    return found
