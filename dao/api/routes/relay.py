"""Relays what members signed: checks and simulates it, and sends it at the relayer's cost."""

from collections.abc import Awaitable, Callable
from fractions import Fraction
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from dao.api.auth.sessions import Session
from dao.api.dependencies import ChangingSession, Dependencies, Deps, check_account
from dao.api.http.json_types import (
    AddressText,
    NumberText,
    ProposalText,
    ReadAddress,
    ReadBytes,
    ReadNumber,
    ReadSignature,
    ReadWei,
    ReasonText,
    RequestModel,
    ResponseModel,
    Seconds,
)
from dao.api.http.problems import Problem, describe_problems
from dao.api.models.base import Extended
from dao.api.relay.relay_jobs import Act, JobState, NonceSpace, RelayJob
from dao.api.relay.relayed_proposals import check_slot, find_proposal
from dao.api.relay.relayer import Check, Relayer
from dao.chain.client import Chain
from dao.chain.contracts import Call, Registry, Token
from dao.chain.governance import Actions, Governor, Support
from dao.core.types import Timestamp, Wei
from dao.errors import NotActive, Reverted
from dao.gov.eligibility import check_threshold, check_tokens, check_votes, read_share
from dao.gov.schedule import explain_refusal, read_times
from dao.gov.typed_data import TypedDataBuilder, check_signature

router = APIRouter(prefix="/relay", tags=["relay"])
MAX_ACTIONS = 20

_PROBLEMS = describe_problems(401, 403, 404, 409, 413, 422, 429, 503)


class DelegateBody(RequestModel):
    """A signed Delegation of the token or the registry (ERC-5805)."""

    contract: Literal["token", "registry"]
    delegatee: ReadAddress
    nonce: ReadNumber
    expiry: Seconds
    signature: ReadSignature


class VoteBody(RequestModel):
    """A signed Ballot, or an ExtendedBallot where there is a reason."""

    proposal: ReadNumber
    support: Annotated[int, Field(ge=0, le=2)]
    voter: ReadAddress
    nonce: ReadNumber
    reason: ReasonText = ""
    signature: ReadSignature


class ProposeBody(RequestModel):
    """A signed Propose."""

    proposer: ReadAddress
    nonce: ReadNumber
    targets: Annotated[list[ReadAddress], Field(min_length=1, max_length=MAX_ACTIONS)]
    values: Annotated[list[ReadWei], Field(min_length=1, max_length=MAX_ACTIONS)]
    calldatas: Annotated[list[ReadBytes], Field(min_length=1, max_length=MAX_ACTIONS)]
    description: ProposalText
    deadline: Seconds
    signature: ReadSignature

    def get_actions(self) -> Actions:
        """Get the proposed actions; Problem 422 where the lists differ in length."""
        if not len(self.targets) == len(self.values) == len(self.calldatas):
            raise Problem(422, "invalid", "targets, values and calldatas: expected as many of each")
        return Actions(tuple(self.targets), tuple(self.values), tuple(self.calldatas))


class ProposalBody(RequestModel):
    """A proposal by its number."""

    proposal: ReadNumber


class Relayed(ResponseModel):
    """A relayed act. `id` names it for good; `tx_hash` is null until it is sent, `block` until it is mined."""

    id: str
    status: JobState = Field(validation_alias="state")
    tx_hash: str | None
    block: int | None
    signer: AddressText
    detail: str = Field(description="Why it failed, in words.")
    error: str | None = Field(description="The contract's own name of the error.")
    args: dict[str, str]
    proposal_id: NumberText | None = Field(
        description="The proposal that it makes, votes on, queues or executes; null where it delegates."
    )

    @classmethod
    def of(cls, job: RelayJob) -> "Relayed":
        """Show a job."""
        return cls.model_validate(Extended(job, error=job.error or None, proposal_id=find_proposal(job)))


def get_relayer(deps: Dependencies) -> Relayer:
    """Get the relayer; Problem 503 where there is none, or while the chain's node is away."""
    deps.get_chain()
    if deps.relayer is None:
        raise Problem(503, "relay-off", "nothing is relayed here; send the transaction yourself")
    return deps.relayer


@router.post("/delegate", status_code=202, responses=_PROBLEMS)
async def relay_delegate(body: DelegateBody, session: ChangingSession, deps: Deps) -> Relayed:
    """Delegate votes without gas: those in the wallet at the token, staked ones at the registry."""
    relayer, chain, account = get_relayer(deps), deps.get_chain(), session.address
    votes = Token(chain) if body.contract == "token" else Registry(chain)
    typed = await TypedDataBuilder(chain).build_delegation(
        votes.address, body.delegatee, body.nonce, body.expiry
    )
    check_signature(typed, body.signature, account)
    on_chain = await votes.nonce_of(account, chain.head())
    call = votes.delegate_by_sig(body.delegatee, body.nonce, Timestamp(body.expiry), body.signature)
    check = _weigh(chain, partial(check_tokens, chain, body.contract, account))
    space = NonceSpace(body.contract)
    return Relayed.of(await relayer.submit(Act.DELEGATE, space, account, body.nonce, on_chain, call, check))


@router.post("/vote", status_code=202, responses=_PROBLEMS)
async def relay_vote(body: VoteBody, session: ChangingSession, deps: Deps) -> Relayed:
    """Vote without gas."""
    check_account(session, body.voter)
    relayer, chain, support = get_relayer(deps), deps.get_chain(), Support(body.support)
    governor = Governor(chain)
    typed = await TypedDataBuilder(chain).build_ballot(
        body.proposal, support, body.voter, body.nonce, body.reason
    )
    check_signature(typed, body.signature, body.voter)
    on_chain = await governor.nonce_of(body.voter, chain.head())
    call = governor.vote_by_sig(body.proposal, support, body.voter, body.reason or None, body.signature)
    check = _weigh(chain, partial(check_votes, chain, body.proposal, body.voter))
    return Relayed.of(
        await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, body.voter, body.nonce, on_chain, call, check)
    )


@router.post("/propose", status_code=202, responses=_PROBLEMS)
async def relay_propose(body: ProposeBody, session: ChangingSession, deps: Deps) -> Relayed:
    """Propose without gas; the proposer needs the votes for it, and no other relayed proposal that is not decided."""
    check_account(session, body.proposer)
    relayer, chain, actions = get_relayer(deps), deps.get_chain(), body.get_actions()
    governor = Governor(chain)
    typed = await TypedDataBuilder(chain).build_proposal(
        body.proposer, actions, body.description, body.nonce, body.deadline
    )
    check_signature(typed, body.signature, body.proposer)
    on_chain = await governor.nonce_of(body.proposer, chain.head())
    call = governor.propose_by_sig(
        body.proposer, actions, body.description, Timestamp(body.deadline), body.signature
    )
    limit = deps.settings.relay.open_proposals

    async def check_proposer() -> Wei:
        votes = await check_threshold(chain, body.proposer)
        await check_slot(chain, relayer.list_proposals(body.proposer), limit)
        return votes

    check = _weigh(chain, check_proposer)
    return Relayed.of(
        await relayer.submit(
            Act.PROPOSE, NonceSpace.GOVERNOR, body.proposer, body.nonce, on_chain, call, check
        )
    )


@router.post("/queue", status_code=202, responses=_PROBLEMS)
async def relay_queue(body: ProposalBody, session: ChangingSession, deps: Deps) -> Relayed:
    """Put an accepted proposal into the timelock, without gas; any member may."""
    chain = deps.get_chain()
    actions, description = await deps.proposal_log.get(chain, body.proposal)
    call = Governor(chain).queue(actions, description)
    return await _relay_for_anyone(deps, Act.QUEUE, session, body.proposal, call)


@router.post("/execute", status_code=202, responses=_PROBLEMS)
async def relay_execute(body: ProposalBody, session: ChangingSession, deps: Deps) -> Relayed:
    """Carry out a queued proposal, without gas; any member may."""
    chain = deps.get_chain()
    actions, description = await deps.proposal_log.get(chain, body.proposal)
    call = Governor(chain).execute(actions, description)
    return await _relay_for_anyone(deps, Act.EXECUTE, session, body.proposal, call)


async def _relay_for_anyone(
    deps: Dependencies, act: Act, session: Session, proposal: int, call: Call
) -> Relayed:
    """Relay an act that needs no signature, once for all callers. NotActive says from when on it can be done."""
    relayer, chain = get_relayer(deps), deps.get_chain()
    try:
        job = await relayer.submit(
            act, NonceSpace(act), session.address, proposal, proposal, call, _check_nothing
        )
    except Reverted:
        reason = explain_refusal(act.value, await read_times(chain, proposal))
        if reason is None:
            raise
        raise NotActive(reason) from None
    return Relayed.of(job)


async def _check_nothing() -> Fraction:
    """Check nothing, and weigh it as all members': they have accepted it, and the simulation shows whether it is time."""
    return Fraction(1)


def _weigh(chain: Chain, check: Callable[[], Awaitable[Wei]]) -> Check:
    """Make of a check that returns an account's votes one that returns its share of all votes."""

    async def check_share() -> Fraction:
        return await read_share(chain, await check())

    return check_share


@router.get("/{name}", name="relayed", responses=describe_problems(404, 422, 429))
async def read_relayed(name: Annotated[str, Path(pattern="^0x[0-9a-f]{64}$")], deps: Deps) -> Relayed:
    """Read the state of a relayed act, by its id or its transaction's hash."""
    job = deps.relayer.find(name) if deps.relayer is not None else None
    if job is None:
        raise Problem(404, "not-found", "nothing with this id or hash was relayed here")
    return Relayed.of(job)
