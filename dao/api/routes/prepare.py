"""Prepares each act for a wallet: its words, the typed data to sign, and the transaction to send instead."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from dao.api.dependencies import Dependencies, Deps
from dao.api.http.json_types import (
    AddressText,
    BytesText,
    NumberText,
    ReadAddress,
    ReadNumber,
    ReasonText,
    RequestModel,
    ResponseModel,
    WeiText,
)
from dao.api.http.problems import describe_problems
from dao.api.relay.relay_jobs import NonceSpace
from dao.chain.client import Chain
from dao.chain.contracts import Call, Registry, Token
from dao.chain.governance import Governor, Support
from dao.core.types import Address
from dao.gov.describe import describe_delegation
from dao.gov.typed_data import TypedDataBuilder

router = APIRouter(prefix="/prepare", tags=["prepare"])
EXPIRY_SECONDS = 3600  # of what is signed, in block time
_PROBLEMS = describe_problems(404, 413, 422, 429, 503)


class DelegateForm(RequestModel):
    """The account, the contract of its tokens, and its delegatee."""

    account: ReadAddress
    contract: Literal["token", "registry"]
    delegatee: ReadAddress


class VoteForm(RequestModel):
    """The voter and its vote: 0 against, 1 for, 2 abstain."""

    account: ReadAddress
    proposal: ReadNumber
    support: Annotated[int, Field(ge=0, le=2)]
    reason: ReasonText = ""


class ProposalForm(RequestModel):
    """The account that acts, and the proposal."""

    account: ReadAddress
    proposal: ReadNumber


class TransactionShown(ResponseModel):
    """A transaction as wallets take it, but for gas and nonce."""

    to: AddressText
    data: BytesText
    value: WeiText
    chainId: int  # noqa: N815  (so do wallets spell it)


class Prepared(ResponseModel):
    """Sign the typed data and have it relayed, or send the transaction: one of the two. `words` say what it does."""

    words: list[str]
    typed_data: list[dict[str, Any]]
    nonce: NumberText | None = Field(
        description="Of the typed data, and of the request to relay it; null where there is none."
    )
    transaction: TransactionShown


@router.post("/delegate", responses=_PROBLEMS)
async def prepare_delegate(form: DelegateForm, deps: Deps) -> Prepared:
    """Prepare to delegate votes."""
    chain = deps.get_chain()
    votes = Token(chain) if form.contract == "token" else Registry(chain)
    on_chain = await votes.nonce_of(form.account, chain.head())
    nonce = get_next_nonce(deps, NonceSpace(form.contract), form.account, on_chain)
    expiry = chain.head().timestamp + EXPIRY_SECONDS
    typed = await TypedDataBuilder(chain).build_delegation(votes.address, form.delegatee, nonce, expiry)
    tokens = f"the tokens {'in your wallet' if form.contract == 'token' else 'that you have staked'}"
    sentence = describe_delegation(tokens, form.delegatee, form.account)
    words = [f"{sentence} No tokens move; you can change it at any time."]
    return make_prepared(chain, words, votes.delegate(form.delegatee), typed)


@router.post("/vote", responses=_PROBLEMS)
async def prepare_vote(form: VoteForm, deps: Deps) -> Prepared:
    """Prepare to vote."""
    chain, support = deps.get_chain(), Support(form.support)
    governor = Governor(chain)
    on_chain = await governor.nonce_of(form.account, chain.head())
    nonce = get_next_nonce(deps, NonceSpace.GOVERNOR, form.account, on_chain)
    _, description = await deps.proposal_log.get(chain, form.proposal)
    typed = await TypedDataBuilder(chain).build_ballot(
        form.proposal, support, form.account, nonce, form.reason
    )
    how = {Support.AGAINST: "against", Support.FOR: "for", Support.ABSTAIN: "to abstain on"}[support]
    words = [f"Vote {how} the proposal “{get_title(description)}”. A vote is final."]
    if form.reason:
        words.append(f"Your reason, public for good: {form.reason}")
    return make_prepared(chain, words, governor.vote(form.proposal, support, form.reason), typed)


@router.post("/queue", responses=_PROBLEMS)
async def prepare_queue(form: ProposalForm, deps: Deps) -> Prepared:
    """Prepare to put an accepted proposal into the timelock."""
    chain = deps.get_chain()
    actions, description = await deps.proposal_log.get(chain, form.proposal)
    words = [
        f"Put the accepted proposal “{get_title(description)}” into the timelock, which starts its delay."
    ]
    return make_prepared(chain, words, Governor(chain).queue(actions, description))


@router.post("/execute", responses=_PROBLEMS)
async def prepare_execute(form: ProposalForm, deps: Deps) -> Prepared:
    """Prepare to execute a queued proposal."""
    chain = deps.get_chain()
    actions, description = await deps.proposal_log.get(chain, form.proposal)
    words = [f"Carry out the proposal “{get_title(description)}”."]
    return make_prepared(chain, words, Governor(chain).execute(actions, description))


@router.post("/cancel", responses=_PROBLEMS)
async def prepare_cancel(form: ProposalForm, deps: Deps) -> Prepared:
    """Prepare to withdraw one's own proposal, before voting on it begins."""
    chain = deps.get_chain()
    actions, description = await deps.proposal_log.get(chain, form.proposal)
    words = [f"Withdraw your proposal “{get_title(description)}”."]
    return make_prepared(chain, words, Governor(chain).cancel(actions, description))


def get_title(description: str) -> str:
    """Get the first line of a description."""
    return description.strip().split("\n", 1)[0].lstrip("# ").strip()[:200] or "untitled"


def get_next_nonce(deps: Dependencies, space: NonceSpace, account: Address, on_chain: int) -> int:
    """Get the nonce of an account's next message, after those that wait to be relayed."""
    relayer = deps.relayer
    return on_chain if relayer is None else relayer.get_next_nonce(space, account, on_chain)


def make_prepared(chain: Chain, words: list[str], call: Call, *typed: dict[str, Any]) -> Prepared:
    """Make what a wallet needs for a call, and the typed data that may be signed instead."""
    transaction = {"to": call.to, "data": call.data, "value": "0", "chainId": chain.chain_id}
    nonce = typed[0]["message"]["nonce"] if typed else None
    return Prepared.model_validate(
        {"words": words, "typed_data": typed, "nonce": nonce, "transaction": transaction}
    )
