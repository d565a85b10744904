"""Supernodes, accounts, delegates and the treasury."""

from typing import Any

from pydantic import Field

from dao.api.http.json_types import AddressText, DigestText, Micro, NumberText, Shown, WeiText
from dao.api.models.base import Answer, Page, fields
from dao.api.models.training import PhaseText, RoundNode
from dao.index.reads import records


class NodeRound(RoundNode):
    """What became of a Supernode in a round."""

    task: int
    round: int
    phase: PhaseText
    opened_at: int

    @classmethod
    def of(cls, view: records.NodeRoundRecord) -> "NodeRound":
        """Show it."""
        return cls.model_validate(fields(view.node) | fields(view))


class NodeRoundPage(Page):
    """A Supernode's rounds in a task, the newest first."""

    items: list[NodeRound]


class TaskNode(Shown):
    """A Supernode in a task. Amounts are the owner's in this task: an owner of several has them at each."""

    task: int
    operator: AddressText
    owner: AddressText
    joined: bool = Field(description="Whether it takes part in rounds to come.")
    stake_wei: WeiText
    earned_wei: WeiText = Field(description="By the newest known result that stands; final or not.")
    claimed_wei: WeiText
    claimable_wei: WeiText = Field(description="Of final rounds, now.")
    debt_micro: Micro = Field(description="What later scores pay off first.")
    last: NodeRound | None

    @classmethod
    def of(cls, view: records.TaskNodeRecord) -> "TaskNode":
        """Show it."""
        return cls.model_validate(
            {
                "task": view.task,
                "operator": view.operator,
                "owner": view.owner,
                "joined": view.joined,
                "stake_wei": view.stake,
                "earned_wei": view.earned,
                "claimed_wei": view.claimed,
                "claimable_wei": view.claimable,
                "debt_micro": view.debt,
                "last": view.last and NodeRound.of(view.last),
            }
        )


class TaskNodePage(Page):
    """All that ever took part in a task, by address."""

    items: list[TaskNode]


class SupernodeAnswer(Answer):
    """An operator, its stake and its tasks."""

    operator: AddressText
    owner: AddressText
    registered_at: int
    stake_wei: WeiText
    unbonding_wei: WeiText = Field(description="On its way out; can be withdrawn from `release_at` on.")
    release_at: int | None
    slashed_wei: WeiText
    tasks: list[TaskNode]

    @classmethod
    def fields_of(cls, view: records.SupernodeRecord) -> dict[str, Any]:
        """What is shown of it."""
        return {
            "operator": view.operator,
            "owner": view.owner,
            "registered_at": view.registered_at,
            "stake_wei": view.active,
            "unbonding_wei": view.unbonding,
            "release_at": view.release_time,
            "slashed_wei": view.slashed,
            "tasks": [TaskNode.of(task) for task in view.tasks],
        }


class Stake(Shown):
    """A Supernode of an owner."""

    operator: AddressText
    stake_wei: WeiText = Field(validation_alias="active")
    unbonding_wei: WeiText = Field(validation_alias="unbonding")


class Delegation(Shown):
    """Whom an account's tokens and its stake vote by; null: nobody, so they do not vote."""

    token: AddressText | None = Field(validation_alias="token_delegate")
    registry: AddressText | None = Field(validation_alias="registry_delegate")


class AccountVote(Shown):
    """A vote of an account: `support` 0 against, 1 for, 2 abstain."""

    proposal: NumberText
    title: str
    support: int
    weight_wei: WeiText
    reason: str
    at: int
    tx: DigestText


class AccountVotePage(Page):
    """An account's votes, the newest first."""

    items: list[AccountVote]


class AccountAnswer(Answer):
    """An account; of nothing, where it never was in an event."""

    address: AddressText
    balance_wei: WeiText
    staked_wei: WeiText = Field(description="What leaves but has not left is in it.")
    votes_wei: WeiText = Field(description="That it casts: its own where it kept them, and others'.")
    delegate: Delegation
    delegators: int = Field(description="Accounts whose tokens or stake vote by this one.")
    supernodes: list[Stake]
    vote_history: list[AccountVote] = Field(description="The newest; the others are at …/votes.")


class Delegate(Shown):
    """An account with votes."""

    address: AddressText
    votes_wei: WeiText = Field(validation_alias="votes")
    delegators: int


class DelegatePage(Page):
    """Accounts with votes, the most first."""

    items: list[Delegate]


class Escrow(Shown):
    """What a task has left for rounds to come."""

    task: int
    available_wei: WeiText = Field(validation_alias="available")


class Payment(Shown):
    """Tokens that left the treasury, but for a task's escrow."""

    to: AddressText = Field(validation_alias="receiver")
    amount_wei: WeiText = Field(validation_alias="amount")
    at: int = Field(validation_alias="timestamp")
    block: int
    tx: DigestText = Field(validation_alias="tx_hash")


class PaymentPage(Page):
    """What the treasury paid out, the newest first."""

    items: list[Payment]


class TreasuryAnswer(Answer):
    """The DAO's tokens: free ones, those in tasks' escrows, and the newest that were paid out."""

    balance_wei: WeiText = Field(validation_alias="balance")
    escrow: list[Escrow]
    grants: list[Payment]
