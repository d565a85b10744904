"""Supernodes, accounts, delegates and the treasury."""

from pydantic import Field

from dao.api.http.json_types import AddressText, DigestText, Micro, NumberText, ResponseModel, WeiText
from dao.api.models.base import Answer, Page
from dao.api.models.training import PhaseText, RoundNode


class NodeRound(RoundNode):
    """A Supernode in one of its rounds."""

    task: int
    round: int
    phase: PhaseText
    opened_at: int


class NodeRoundPage(Page):
    """A Supernode's rounds in a task, the newest first."""

    items: list[NodeRound]


class TaskNode(ResponseModel):
    """A Supernode in a task. Amounts are the owner's in this task: an owner of several has them at each."""

    task: int
    operator: AddressText
    owner: AddressText
    joined: bool = Field(description="Whether it takes part in rounds to come.")
    stake_wei: WeiText = Field(validation_alias="stake")
    earned_wei: WeiText = Field(
        validation_alias="earned", description="By the newest known result that stands; final or not."
    )
    claimed_wei: WeiText = Field(validation_alias="claimed")
    claimable_wei: WeiText = Field(validation_alias="claimable", description="Of final rounds, now.")
    debt_micro: Micro = Field(validation_alias="debt", description="What later scores pay off first.")
    last: NodeRound | None


class TaskNodePage(Page):
    """All Supernodes that ever took part in a task, by address."""

    items: list[TaskNode]


class SupernodeAnswer(Answer):
    """An operator, its stake and its tasks."""

    operator: AddressText
    owner: AddressText
    registered_at: int
    stake_wei: WeiText = Field(validation_alias="active")
    unbonding_wei: WeiText = Field(
        validation_alias="unbonding", description="On its way out; can be withdrawn from `release_at` on."
    )
    release_at: int | None = Field(validation_alias="release_time")
    slashed_wei: WeiText = Field(validation_alias="slashed")
    revoked: bool = Field(description="Whether it signs no more: its owner revoked or replaced it.")
    successor: AddressText | None = Field(description="The operator that replaced it, and has its stake now.")
    tasks: list[TaskNode]


class Stake(ResponseModel):
    """A Supernode of an owner."""

    operator: AddressText
    stake_wei: WeiText = Field(validation_alias="active")
    unbonding_wei: WeiText = Field(validation_alias="unbonding")


class Delegation(ResponseModel):
    """The delegates of an account's tokens and stake; null: there is none, so they do not vote."""

    token: AddressText | None = Field(validation_alias="token_delegate")
    registry: AddressText | None = Field(validation_alias="registry_delegate")


class AccountVote(ResponseModel):
    """A vote of an account: `support` 0 against, 1 for, 2 abstain."""

    proposal: NumberText
    title: str
    support: int
    weight_wei: WeiText = Field(validation_alias="weight")
    reason: str
    at: int = Field(validation_alias="timestamp")
    tx: DigestText = Field(validation_alias="tx_hash")


class AccountVotePage(Page):
    """An account's votes, the newest first."""

    items: list[AccountVote]


class AccountAnswer(Answer):
    """An account; one that was in no event has nothing."""

    address: AddressText
    balance_wei: WeiText = Field(validation_alias="balance")
    staked_wei: WeiText = Field(validation_alias="staked", description="Stake on its way out is in it.")
    votes_wei: WeiText = Field(
        validation_alias="votes", description="That it casts: its own unless it delegated them, and others'."
    )
    delegate: Delegation
    delegators: int = Field(description="Accounts whose tokens or stake vote by this one.")
    supernodes: list[Stake]
    vote_history: list[AccountVote] = Field(description="The newest; the others are at …/votes.")


class Delegate(ResponseModel):
    """An account with votes."""

    address: AddressText
    votes_wei: WeiText = Field(validation_alias="votes")
    delegators: int


class DelegatePage(Page):
    """Accounts with votes, the most first."""

    items: list[Delegate]


class Escrow(ResponseModel):
    """The tokens that a task has left for rounds to come."""

    task: int
    available_wei: WeiText = Field(validation_alias="available")


class Payment(ResponseModel):
    """Tokens that left the treasury, but for a task's escrow."""

    to: AddressText = Field(validation_alias="receiver")
    amount_wei: WeiText = Field(validation_alias="amount")
    at: int = Field(validation_alias="timestamp")
    block: int
    tx: DigestText = Field(validation_alias="tx_hash")


class PaymentPage(Page):
    """Payments of the treasury, the newest first."""

    items: list[Payment]


class TreasuryAnswer(Answer):
    """The DAO's tokens: free ones, those in tasks' escrows, and the newest that were paid out."""

    balance_wei: WeiText = Field(validation_alias="balance")
    escrow: list[Escrow]
    grants: list[Payment]
