"""Relaying: what a member signed is checked, simulated, and sent at the relayer's cost."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from dao.api.auth.sessions import Session
from dao.api.dependencies import Changing, Dependencies, Given, require
from dao.api.http.json_types import (
    AddressText,
    Body,
    NumberText,
    ReadAddress,
    ReadBytes,
    ReadNumber,
    ReadSignature,
    ReadWei,
    Seconds,
    Shown,
)
from dao.api.http.problems import Problem, responses
from dao.api.relay.relay_jobs import JobState, RelayJob, Space
from dao.api.relay.relayer import Relayer
from dao.chain.contracts import Call, Registry, Token
from dao.chain.governance import Actions, Governor, Support
from dao.chain.interface import decode, load
from dao.core.errors import NotActive, Reverted
from dao.core.types import Timestamp
from dao.gov.actions import proposal_id
from dao.gov.eligibility import check_threshold, check_tokens, check_votes
from dao.gov.schedule import not_now, times_of
from dao.gov.typed_data import TypedDataBuilder, check_signature

router = APIRouter(prefix="/relay", tags=["relay"])
MAX_REASON = 4000  # characters
MAX_DESCRIPTION = 20_000
MAX_ACTIONS = 20

_PROBLEMS = responses(401, 403, 404, 409, 413, 422, 429, 503)


class DelegateBody(Body):
    """A signed Delegation of the token or the registry (ERC-5805)."""

    contract: Literal["token", "registry"]
    delegatee: ReadAddress
    nonce: ReadNumber
    expiry: Seconds
    signature: ReadSignature


class VoteBody(Body):
    """A signed Ballot, or an ExtendedBallot where there is a reason."""

    proposal: ReadNumber
    support: Annotated[int, Field(ge=0, le=2)]
    voter: ReadAddress
    nonce: ReadNumber
    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""
    signature: ReadSignature


class ProposeBody(Body):
    """A signed Propose."""

    proposer: ReadAddress
    nonce: ReadNumber
    targets: Annotated[list[ReadAddress], Field(min_length=1, max_length=MAX_ACTIONS)]
    values: Annotated[list[ReadWei], Field(min_length=1, max_length=MAX_ACTIONS)]
    calldatas: Annotated[list[ReadBytes], Field(min_length=1, max_length=MAX_ACTIONS)]
    description: Annotated[str, Field(min_length=1, max_length=MAX_DESCRIPTION)]
    deadline: Seconds
    signature: ReadSignature

    def actions(self) -> Actions:
        """What is proposed; Problem 422 where the lists differ in length."""
        if not len(self.targets) == len(self.values) == len(self.calldatas):
            raise Problem(422, "invalid", "targets, values and calldatas: expected as many of each")
        return Actions(tuple(self.targets), tuple(self.values), tuple(self.calldatas))


class ProposalBody(Body):
    """A proposal by its number."""

    proposal: ReadNumber


class Relayed(Shown):
    """What became of it. `id` names it for good; `tx_hash` is null until it is sent, `block` until it is mined."""

    id: str
    status: JobState
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
        return cls.model_validate(
            {
                "id": job.id,
                "status": job.state,
                "tx_hash": job.mined or job.told,
                "block": job.block,
                "signer": job.signer,
                "detail": job.detail,
                "error": job.error or None,
                "args": job.args,
                "proposal_id": _proposal_of(job),
            }
        )


def relayer_of(services: Dependencies) -> Relayer:
    """The relayer; Problem 503 where there is none."""
    services.link.chain()
    if services.relayer is None:
        raise Problem(503, "relay-off", "nothing is relayed here; send the transaction yourself")
    return services.relayer


@router.post("/delegate", status_code=202, responses=_PROBLEMS)
async def relay_delegate(body: DelegateBody, session: Changing, services: Given) -> Relayed:
    """Delegate votes without gas: those in the wallet at the token, staked ones at the registry."""
    relayer, chain, account = relayer_of(services), services.link.chain(), session.address
    votes = Token(chain) if body.contract == "token" else Registry(chain)
    typed = await TypedDataBuilder(chain).build_delegation(
        votes.address, body.delegatee, body.nonce, body.expiry
    )
    check_signature(typed, body.signature, account)
    on_chain = await votes.nonce_of(account, chain.head())
    call = votes.delegate_by_sig(body.delegatee, body.nonce, Timestamp(body.expiry), body.signature)
    check = partial(check_tokens, chain, body.contract, account)
    return Relayed.of(await relayer.submit(Space(body.contract), account, body.nonce, on_chain, call, check))


@router.post("/vote", status_code=202, responses=_PROBLEMS)
async def relay_vote(body: VoteBody, session: Changing, services: Given) -> Relayed:
    """Vote without gas."""
    require(session, body.voter)
    relayer, chain, support = relayer_of(services), services.link.chain(), Support(body.support)
    governor = Governor(chain)
    typed = await TypedDataBuilder(chain).build_ballot(
        body.proposal, support, body.voter, body.nonce, body.reason
    )
    check_signature(typed, body.signature, body.voter)
    on_chain = await governor.nonce_of(body.voter, chain.head())
    call = governor.vote_by_sig(body.proposal, support, body.voter, body.reason or None, body.signature)
    check = partial(check_votes, chain, body.proposal, body.voter)
    return Relayed.of(await relayer.submit(Space.GOVERNOR, body.voter, body.nonce, on_chain, call, check))


@router.post("/propose", status_code=202, responses=_PROBLEMS)
async def relay_propose(body: ProposeBody, session: Changing, services: Given) -> Relayed:
    """Propose without gas; the proposer needs the votes for it."""
    require(session, body.proposer)
    relayer, chain, actions = relayer_of(services), services.link.chain(), body.actions()
    governor = Governor(chain)
    typed = await TypedDataBuilder(chain).build_proposal(
        body.proposer, actions, body.description, body.nonce, body.deadline
    )
    check_signature(typed, body.signature, body.proposer)
    on_chain = await governor.nonce_of(body.proposer, chain.head())
    call = governor.propose_by_sig(
        body.proposer, actions, body.description, Timestamp(body.deadline), body.signature
    )
    check = partial(check_threshold, chain, body.proposer)
    return Relayed.of(await relayer.submit(Space.GOVERNOR, body.proposer, body.nonce, on_chain, call, check))


@router.post("/queue", status_code=202, responses=_PROBLEMS)
async def relay_queue(body: ProposalBody, session: Changing, services: Given) -> Relayed:
    """Put an accepted proposal into the timelock, without gas; any member may."""
    chain = services.link.chain()
    actions, description = await services.proposals.get(chain, body.proposal)
    call = Governor(chain).queue(actions, description)
    return await _for_anyone(services, Space.QUEUE, session, body.proposal, call)


@router.post("/execute", status_code=202, responses=_PROBLEMS)
async def relay_execute(body: ProposalBody, session: Changing, services: Given) -> Relayed:
    """Carry out a queued proposal, without gas; any member may."""
    chain = services.link.chain()
    actions, description = await services.proposals.get(chain, body.proposal)
    call = Governor(chain).execute(actions, description)
    return await _for_anyone(services, Space.EXECUTE, session, body.proposal, call)


async def _for_anyone(
    services: Dependencies, space: Space, session: Session, proposal: int, call: Call
) -> Relayed:
    """Relay what needs no signature; once, whoever asks. Problem 409 says from when on, where it is not the time."""
    relayer, chain = relayer_of(services), services.link.chain()
    try:
        job = await relayer.submit(space, session.address, proposal, proposal, call, _anyone)
    except Reverted:
        why = not_now(space.value, await times_of(chain, proposal))
        if why is None:
            raise
        raise NotActive(why) from None
    return Relayed.of(job)


async def _anyone() -> None:
    """Pass: the simulation says whether it is time."""


def _proposal_of(job: RelayJob) -> int | None:
    """The proposal that a job is about, from its call."""
    if job.space.is_open:
        return job.nonce  # see Space
    if job.space is not Space.GOVERNOR:
        return None
    functions = load("DaoGovernor").functions.values()
    function = next(found for found in functions if found.selector == job.call.data[:4])
    values = decode(function.inputs, job.call.data[4:], function.name)
    if function.name != "proposeBySig":
        return int(values[0])
    _, *calls, description, _, _ = values
    return proposal_id(Actions(*map(tuple, calls)), description)


@router.get("/{name}", responses=responses(404, 422, 429))
async def relayed(name: Annotated[str, Path(pattern="^0x[0-9a-f]{64}$")], services: Given) -> Relayed:
    """Tell what became of a relayed message, by its id or its transaction's hash."""
    job = services.relayer.find(name) if services.relayer is not None else None
    if job is None:
        raise Problem(404, "not-found", "nothing with this id or hash was relayed here")
    return Relayed.of(job)
