"""What to sign or send for each action, in words and as wallets take it: the typed data, and the transaction."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from dao.api.dependencies import Dependencies, Given
from dao.api.http.json_types import (
    AddressText,
    Body,
    BytesText,
    NumberText,
    ReadAddress,
    ReadNumber,
    Shown,
    WeiText,
)
from dao.api.http.problems import responses
from dao.api.relay.relay_jobs import Space
from dao.api.routes.relay import MAX_REASON
from dao.chain.client import Chain
from dao.chain.contracts import Call, Registry, Token
from dao.chain.governance import Governor, Support
from dao.core.types import Address
from dao.gov.describe import delegation
from dao.gov.typed_data import TypedDataBuilder

router = APIRouter(prefix="/prepare", tags=["prepare"])
EXPIRY_SECONDS = 3600  # of what is signed, in block time
_PROBLEMS = responses(404, 413, 422, 429, 503)


class DelegateForm(Body):
    """Whose votes, of which tokens, to whom."""

    account: ReadAddress
    contract: Literal["token", "registry"]
    delegatee: ReadAddress


class VoteForm(Body):
    """Who votes for what: 0 against, 1 for, 2 abstain."""

    account: ReadAddress
    proposal: ReadNumber
    support: Annotated[int, Field(ge=0, le=2)]
    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""


class ProposalForm(Body):
    """Who acts on which proposal."""

    account: ReadAddress
    proposal: ReadNumber


class TransactionShown(Shown):
    """A transaction as wallets take it, but for gas and nonce."""

    to: AddressText
    data: BytesText
    value: WeiText
    chainId: int  # noqa: N815  (so do wallets spell it)


class Prepared(Shown):
    """Sign the typed data and have it relayed, or send the transaction: one of both. `words` say what it does."""

    words: list[str]
    typed_data: list[dict[str, Any]]
    nonce: NumberText | None = Field(
        description="Of the typed data, and of the request to relay it; null where there is none."
    )
    transaction: TransactionShown


@router.post("/delegate", responses=_PROBLEMS)
async def prepare_delegate(form: DelegateForm, services: Given) -> Prepared:
    """Prepare to delegate votes."""
    chain = services.link.chain()
    votes = Token(chain) if form.contract == "token" else Registry(chain)
    on_chain = await votes.nonce_of(form.account, chain.head())
    nonce = next_nonce(services, Space(form.contract), form.account, on_chain)
    expiry = chain.head().timestamp + EXPIRY_SECONDS
    typed = await TypedDataBuilder(chain).build_delegation(votes.address, form.delegatee, nonce, expiry)
    what = f"the tokens {'in your wallet' if form.contract == 'token' else 'that you have staked'}"
    said = delegation(what, form.delegatee, form.account)
    words = [f"{said} No tokens move; you can change it at any time."]
    return prepared(chain, words, votes.delegate(form.delegatee), typed)


@router.post("/vote", responses=_PROBLEMS)
async def prepare_vote(form: VoteForm, services: Given) -> Prepared:
    """Prepare to vote."""
    chain, support = services.link.chain(), Support(form.support)
    governor = Governor(chain)
    on_chain = await governor.nonce_of(form.account, chain.head())
    nonce = next_nonce(services, Space.GOVERNOR, form.account, on_chain)
    _, description = await services.proposals.get(chain, form.proposal)
    typed = await TypedDataBuilder(chain).build_ballot(
        form.proposal, support, form.account, nonce, form.reason
    )
    how = {Support.AGAINST: "against", Support.FOR: "for", Support.ABSTAIN: "to abstain on"}[support]
    words = [f"Vote {how} the proposal “{title_of(description)}”. A vote is final."]
    if form.reason:
        words.append(f"Your reason, public for good: {form.reason}")
    return prepared(chain, words, governor.vote(form.proposal, support, form.reason), typed)


@router.post("/queue", responses=_PROBLEMS)
async def prepare_queue(form: ProposalForm, services: Given) -> Prepared:
    """Prepare to put an accepted proposal into the timelock."""
    chain = services.link.chain()
    actions, description = await services.proposals.get(chain, form.proposal)
    words = [
        f"Put the accepted proposal “{title_of(description)}” into the timelock, which starts its delay."
    ]
    return prepared(chain, words, Governor(chain).queue(actions, description))


@router.post("/execute", responses=_PROBLEMS)
async def prepare_execute(form: ProposalForm, services: Given) -> Prepared:
    """Prepare to execute a queued proposal."""
    chain = services.link.chain()
    actions, description = await services.proposals.get(chain, form.proposal)
    words = [f"Carry out the proposal “{title_of(description)}”."]
    return prepared(chain, words, Governor(chain).execute(actions, description))


@router.post("/cancel", responses=_PROBLEMS)
async def prepare_cancel(form: ProposalForm, services: Given) -> Prepared:
    """Prepare to withdraw one's own proposal, before voting on it begins."""
    chain = services.link.chain()
    actions, description = await services.proposals.get(chain, form.proposal)
    words = [f"Withdraw your proposal “{title_of(description)}”."]
    return prepared(chain, words, Governor(chain).cancel(actions, description))


def title_of(description: str) -> str:
    """The first line of a description."""
    return description.strip().split("\n", 1)[0].lstrip("# ").strip()[:200] or "untitled"


def next_nonce(services: Dependencies, space: Space, account: Address, on_chain: int) -> int:
    """The nonce of what an account signs next, after what waits to be relayed."""
    relayer = services.relayer
    return on_chain if relayer is None else relayer.next_nonce(space, account, on_chain)


def prepared(chain: Chain, words: list[str], call: Call, *typed: dict[str, Any]) -> Prepared:
    """What a wallet needs for a call, and the typed data that may be signed instead."""
    transaction = {"to": call.to, "data": call.data, "value": "0", "chainId": chain.chain_id}
    nonce = typed[0]["message"]["nonce"] if typed else None
    return Prepared.model_validate(
        {"words": words, "typed_data": typed, "nonce": nonce, "transaction": transaction}
    )
