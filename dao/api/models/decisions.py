"""Proposals and the votes on them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import Field

from dao.api.http.json_types import AddressText, BytesText, DigestText, NumberText, Shown, WeiText
from dao.api.models.base import Answer, Page
from dao.chain.deployment import Deployment
from dao.chain.governance import Actions
from dao.core.types import Rules, TaskId
from dao.gov import drafts
from dao.gov.action_json import get_kind
from dao.gov.describe import describe_action
from dao.index.reads import records
from dao.index.reads.records import ProposalPhase


class Action(Shown):
    """A call that a proposal makes: its kind and fields where it is known, else kind `unknown`; always in words."""

    kind: str = Field(examples=["grant"])
    words: str
    target: AddressText
    value_wei: WeiText = Field(description="Ether.")
    calldata: BytesText
    fields: dict[str, Any]


class Proposal(Shown):
    """A proposal. Votes count as of `starts_at` and are cast after it, until `ends_at` inclusive."""

    id: NumberText
    state: ProposalPhase
    title: str
    proposer: AddressText
    created_at: int
    starts_at: int
    ends_at: int
    eta: int | None = Field(description="When it can be executed, once it is queued.")
    quorum_wei: WeiText = Field(
        description="Votes for and abstentions that it needs; an estimate while pending."
    )
    for_wei: WeiText
    against_wei: WeiText
    abstain_wei: WeiText
    created_tx: DigestText
    queued_tx: DigestText | None
    executed_tx: DigestText | None
    canceled_tx: DigestText | None

    @classmethod
    def fields_of(cls, view: records.ProposalRecord) -> dict[str, Any]:
        """What is shown of a proposal."""
        return {
            "id": view.proposal,
            "state": view.state,
            "title": view.title,
            "proposer": view.proposer,
            "created_at": view.created_at,
            "starts_at": view.starts_at,
            "ends_at": view.ends_at,
            "eta": view.eta,
            "quorum_wei": view.quorum,
            "for_wei": view.in_favour,
            "against_wei": view.against,
            "abstain_wei": view.abstain,
            "created_tx": view.created_tx,
            "queued_tx": view.queued_tx,
            "executed_tx": view.ended_tx if view.state is ProposalPhase.EXECUTED else None,
            "canceled_tx": view.ended_tx if view.state is ProposalPhase.CANCELED else None,
        }

    @classmethod
    def of(cls, view: records.ProposalRecord) -> "Proposal":
        """Show a proposal as lists do."""
        return cls.model_validate(cls.fields_of(view))


class ProposalPage(Page):
    """Proposals, the newest first, without their texts and actions."""

    items: list[Proposal]


class ProposalAnswer(Proposal, Answer):
    """One proposal."""

    description: str
    actions: list[Action]


class Vote(Shown):
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
    """What an account has to say on a proposal: `weight_wei` are its votes that count there, `vote` what it said."""

    voter: AddressText
    weight_wei: WeiText
    vote: Vote | None


@lru_cache(128)
def actions_of(
    calls: Actions, deployment: Deployment, current: tuple[tuple[TaskId, Rules], ...] = ()
) -> Sequence[Action]:
    """The calls of a proposal, decoded and in words; the same ones are read once. `current`: rules that tasks have."""
    found = zip(calls.targets, calls.values, calls.calldatas, drafts.decoded(calls, deployment), strict=True)
    return tuple(
        Action.model_validate(
            {
                "kind": get_kind(action),
                "words": describe_action(action, deployment, dict(current)),
                "target": target,
                "value_wei": value,
                "calldata": data,
                "fields": drafts.shown(action),
            }
        )
        for target, value, data, action in found
    )
