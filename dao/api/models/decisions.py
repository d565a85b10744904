"""Proposals and the votes on them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import Field

from dao.api.http.json_types import AddressText, BytesText, DigestText, NumberText, ResponseModel, WeiText
from dao.api.models.base import Answer, Extended, Page
from dao.api.models.cards import CardRefusal, ReadCard
from dao.api.models.feed import Happening
from dao.chain.deployment import Deployment
from dao.chain.governance import Actions
from dao.core.types import Digest, Rules, TaskId
from dao.gov import drafts
from dao.gov.action_json import get_kind
from dao.gov.actions import Action as DecodedAction
from dao.gov.describe import describe_action
from dao.index.reads.records import CardRecord, ProposalPhase


class Action(ResponseModel):
    """A call that a proposal makes: its kind and fields where it is known, else kind `unknown`; always in words.

    `card` is that of the rules which it would give to a task.
    """

    kind: str = Field(examples=["grant"])
    words: str
    target: AddressText
    value_wei: WeiText = Field(description="Ether.")
    calldata: BytesText
    fields: dict[str, Any]
    card: ReadCard = None
    card_refused: CardRefusal = None


class Proposal(ResponseModel):
    """A proposal. Votes count as of `starts_at` and are cast after it, until `ends_at` inclusive."""

    id: NumberText = Field(validation_alias="proposal")
    state: ProposalPhase
    title: str
    proposer: AddressText
    created_at: int
    starts_at: int
    ends_at: int
    eta: int | None = Field(description="When it can be executed, once it is queued.")
    quorum_wei: WeiText = Field(
        validation_alias="quorum",
        description="Votes for and abstentions that it needs; an estimate while pending.",
    )
    for_wei: WeiText = Field(validation_alias="in_favour")
    against_wei: WeiText = Field(validation_alias="against")
    abstain_wei: WeiText = Field(validation_alias="abstain")
    created_tx: DigestText
    queued_tx: DigestText | None
    executed_tx: DigestText | None
    canceled_tx: DigestText | None


class ProposalPage(Page):
    """Proposals, the newest first, without their texts and actions."""

    items: list[Proposal]


class ProposalAnswer(Proposal, Answer):
    """One proposal."""

    description: str
    actions: list[Action]
    history: list[Happening] = Field(description="What became of it, with transactions, the newest first.")


class Vote(ResponseModel):
    """A vote: `support` 0 against, 1 for, 2 abstain."""

    proposal: NumberText
    voter: AddressText
    support: int
    weight_wei: WeiText = Field(validation_alias="weight")
    reason: str
    at: int = Field(validation_alias="timestamp")
    tx: DigestText = Field(validation_alias="tx_hash")


class VotePage(Page):
    """Votes, the newest first."""

    items: list[Vote]


class VoterAnswer(Answer):
    """An account's say on a proposal: `weight_wei` are its votes that count there, `vote` is the vote that it cast."""

    voter: AddressText
    weight_wei: WeiText
    vote: Vote | None


def add_cards(
    actions: Sequence[Action], decoded: Sequence[DecodedAction], cards: Mapping[Digest, CardRecord]
) -> Sequence[Action]:
    """Add to each action the card that its rules name, as far as it is known."""
    rules = map(drafts.get_rules, decoded)
    return [
        action if which is None else Action.model_validate(Extended(action, card=cards.get(which.card)))
        for action, which in zip(actions, rules, strict=True)
    ]


@lru_cache(128)
def list_actions(
    calls: Actions, deployment: Deployment, current: tuple[tuple[TaskId, Rules], ...] = ()
) -> Sequence[Action]:
    """List the calls of a proposal, decoded and in words, once for the same calls; `current` has tasks' rules."""
    actions = zip(
        calls.targets, calls.values, calls.calldatas, drafts.decode_calls(calls, deployment), strict=True
    )
    return tuple(
        Action.model_validate(
            {
                "kind": get_kind(action),
                "words": describe_action(action, deployment, dict(current)),
                "target": target,
                "value_wei": value,
                "calldata": data,
                "fields": drafts.show_fields(action),
            }
        )
        for target, value, data, action in actions
    )
