"""Proposals, and the votes on them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from dao.api.dependencies import Deps
from dao.api.http.problems import Problem, describe_read
from dao.api.models.base import USUAL, AddressPath, CursorQuery, LimitQuery, ProposalPath
from dao.api.models.decisions import (
    Action,
    ProposalAnswer,
    ProposalPage,
    VotePage,
    VoterAnswer,
    add_cards,
    list_actions,
)
from dao.chain.governance import Actions
from dao.core.types import Rules, TaskId, Wei
from dao.gov import drafts
from dao.gov.actions import Action as DecodedAction
from dao.index.reads import Reads, records
from dao.index.reads.records import ProposalPhase

_OVER = (ProposalPhase.EXECUTED, ProposalPhase.CANCELED, ProposalPhase.DEFEATED)
router = APIRouter(prefix="/proposals", tags=["decisions"])
StateQuery = Annotated[ProposalPhase | None, Query(description="Only those in this state.")]


@router.get("", responses=describe_read())
async def list_proposals(
    deps: Deps,
    state: StateQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> ProposalPage:
    """List the proposals, the newest first."""
    return await deps.page(ProposalPage, lambda reads: reads.list_proposals(state, cursor, limit))


@router.get("/{proposal}", responses=describe_read(404))
async def read_proposal(proposal: ProposalPath, deps: Deps) -> ProposalAnswer:
    """Read a proposal: its text, its actions in words, its tally, its course."""
    deployment = deps.chain_connection.deployment

    def read(reads: Reads) -> tuple[records.ProposalRecord, Sequence[Action], Sequence[records.EventRecord]]:
        record = _get_proposal(reads, proposal)
        calls = Actions(record.targets, record.values, record.calldatas)
        decoded = drafts.decode_calls(calls, deployment)
        actions = list_actions(calls, deployment, _list_rules(reads, record, decoded))
        named = [rules.card for rules in map(drafts.get_rules, decoded) if rules is not None]
        actions = add_cards(actions, decoded, reads.find_cards(named) if named else {})
        return record, actions, reads.list_events(proposal=proposal, topics=("proposal",))

    (record, actions, history), as_of = await deps.read(read)
    return ProposalAnswer.of(record, as_of, actions=actions, history=history)


@router.get("/{proposal}/votes", responses=describe_read(404))
async def list_votes(
    proposal: ProposalPath, deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> VotePage:
    """List the votes on a proposal, the newest first."""

    def read(reads: Reads) -> records.RecordPage[records.VoteRecord]:
        return reads.list_votes(_get_proposal(reads, proposal).proposal, cursor, limit)

    return await deps.page(VotePage, read)


@router.get("/{proposal}/voters/{address}", responses=describe_read(404))
async def read_voter(proposal: ProposalPath, address: AddressPath, deps: Deps) -> VoterAnswer:
    """Read an account's votes that count on a proposal, and the vote that it cast."""

    def read(reads: Reads) -> tuple[Wei, records.VoteRecord | None]:
        since = _get_proposal(reads, proposal).starts_at
        return reads.get_votes_at(address, since), reads.find_vote(proposal, address)

    (weight, vote), as_of = await deps.read(read)
    return VoterAnswer.model_validate({"voter": address, "weight_wei": weight, "vote": vote, "as_of": as_of})


def _list_rules(
    reads: Reads, proposal: records.ProposalRecord, actions: Sequence[DecodedAction]
) -> tuple[tuple[TaskId, Rules], ...]:
    """List the rules that a proposal changes: as they are, or as they were once the proposal is over."""
    tasks = drafts.list_changed_tasks(actions)
    when = proposal.proposal if proposal.state in _OVER else None
    current = ((task, reads.find_rules(task, when)) for task in tasks)
    return tuple((task, rules) for task, rules in current if rules is not None)


def _get_proposal(reads: Reads, proposal: int) -> records.ProposalRecord:
    record = reads.find_proposal(proposal)
    if record is None:
        raise Problem(404, "not-found", "there is no such proposal, or not yet")
    return record
