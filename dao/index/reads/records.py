"""The frozen records that reads return: amounts in wei, times in Unix seconds, None where nothing is known yet."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from dao.core.formats.card import Card
from dao.core.types import (
    Address,
    BlockNumber,
    Digest,
    MicroScore,
    Phase,
    Result,
    RoundId,
    Rules,
    TaskId,
    Timestamp,
    Wei,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordPage(Generic[T]):
    """A page of a list; `next` is the cursor of what follows, None at the end."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The last block that is indexed."""

    block: BlockNumber
    hash: Digest
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """The DAO's settings and tokens; `quorum` is that of a proposal whose votes counted as of now."""

    voting_delay: int
    voting_period: int
    threshold: Wei
    quorum_percent: int
    late_extension: int
    timelock_delay: int
    supply: Wei
    treasury: Wei
    quorum: Wei
    tasks_paused: bool
    staking_paused: bool


@dataclass(frozen=True, slots=True)
class CardRecord:
    """What is known of a card: itself, or why it is rejected."""

    cid: str
    card: Card | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task; `model` is the digest of its head's model, or its base model. `superlink`: of the next round."""

    task: TaskId
    created_at: Timestamp
    closed: bool
    superlink: Address
    rules: Rules
    funded: Wei
    rewarded: Wei
    claimed: Wei
    available: Wei
    active: int
    last_round: RoundId
    head: RoundId
    in_flight: int
    finalized: RoundId
    model: Digest
    card: CardRecord | None  # None: it has not been read


@dataclass(frozen=True, slots=True)
class DeadlinesRecord:
    """The ends of a round's periods."""

    commit: Timestamp
    reveal: Timestamp | None
    result: Timestamp | None
    challenge: Timestamp | None
    resolve: Timestamp | None


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A round's manifest as a whole; `cid` is its own. Losses and metric in millionths."""

    cid: str
    base_model: str
    model: str
    shard: int
    loss_before: int
    loss_after: int
    metric_name: str | None
    metric: int | None
    budget: Wei
    refunded: Wei

    @property
    def loss_change(self) -> int:
        """Millionths of the loss that the round added; negative where the model got better."""
        return self.loss_after - self.loss_before

    @property
    def paid(self) -> Wei:
        """Wei of the budget that went to Supernodes."""
        return Wei(self.budget - self.refunded)


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round; `refusal` is the reason why its manifest is rejected, None where it is not."""

    task: TaskId
    round: RoundId
    phase: Phase
    superlink: Address
    parent: RoundId
    eligible: int
    commits: int
    forced: int
    passes: int
    open_block: BlockNumber
    opened_at: Timestamp
    closed_at: Timestamp | None
    posted_at: Timestamp | None
    ended_at: Timestamp | None
    deadlines: DeadlinesRecord
    seed: Digest | None
    challenger: Address | None
    challenge: str | None
    result: Result | None
    manifest: ManifestRecord | None
    refusal: str | None

    @property
    def model_digest(self) -> Digest | None:
        """The digest of the posted model."""
        return self.result.model_digest if self.result else None

    @property
    def manifest_digest(self) -> Digest | None:
        """The digest of the posted manifest."""
        return self.result.manifest_digest if self.result else None


@dataclass(frozen=True, slots=True)
class RoundNodeRecord:
    """A Supernode in a round.

    `status`: as the manifest says (ok late withheld invalid clipped gated unavailable passed absent); without one `forced` for a node
    that committed on chain, else None, and so are weight, score, debt and reward. Score and debt in millionths of a loss.
    """

    operator: Address
    owner: Address
    status: str | None
    stake: Wei | None
    weight: int | None
    score: MicroScore | None
    debt: int | None
    reward: Wei | None
    reason: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A dispute of a round; `number` from 1 in its round. Kinds and verdicts are those of dao.index.case_reducer.

    What is at stake beside the result: `accuser_stake`, `accused_stake`, and `bond` in the chain's coin; `subject` is
    what it is about. While it is open and the round stands it waits for `turn`, until `turn_ends_at`. `slashed` of the accused's stake, of which the accuser got `paid`.
    """

    task: TaskId
    round: RoundId
    number: int
    kind: str
    accuser: Address
    accused: Address
    subject: str
    reason: str
    prover: Address | None
    claim: int | None
    accuser_stake: Wei | None
    accused_stake: Wei | None
    bond: Wei | None
    slashed: Wei | None
    paid: Wei | None
    turn: str | None
    turn_ends_at: Timestamp | None
    opened_at: Timestamp
    opened_tx: Digest
    verdict: str | None
    ended_at: Timestamp | None
    ended_tx: Digest | None


@dataclass(frozen=True, slots=True)
class NodeRoundRecord(RoundNodeRecord):
    """A Supernode in one of its rounds."""

    task: TaskId
    round: RoundId
    phase: Phase
    opened_at: Timestamp


@dataclass(frozen=True, slots=True)
class TaskNodeRecord:
    """A Supernode in a task. `earned`: its owner's rewards up to the task's head; `claimable` now."""

    task: TaskId
    operator: Address
    owner: Address
    joined: bool
    stake: Wei
    earned: Wei
    claimed: Wei
    claimable: Wei
    debt: int
    last: NodeRoundRecord | None


@dataclass(frozen=True, slots=True)
class SupernodeRecord:
    """An operator, its stake and its tasks; `unbonding` stake can be withdrawn from `release_time` on.

    The stake of one that is `revoked` counts for nobody; one that was replaced has a `successor`, and no stake.
    """

    operator: Address
    owner: Address
    registered_at: Timestamp
    active: Wei
    unbonding: Wei
    release_time: Timestamp | None
    slashed: Wei
    revoked: bool
    successor: Address | None
    tasks: tuple[TaskNodeRecord, ...]


@dataclass(frozen=True, slots=True)
class StakeRecord:
    """An operator, and what its owner has staked on it; `unbonding` is on its way out."""

    operator: Address
    active: Wei
    unbonding: Wei


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account: tokens in its wallet, staked (unbonding too), its votes, the delegates of its tokens and stake."""

    address: Address
    balance: Wei
    staked: Wei
    votes: Wei
    token_delegate: Address | None
    registry_delegate: Address | None
    delegators: int
    supernodes: tuple[StakeRecord, ...]


@dataclass(frozen=True, slots=True)
class DelegateRecord:
    """An account with votes, and how many accounts vote by it."""

    address: Address
    votes: Wei
    delegators: int


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """Tokens that left the treasury, but for a task's escrow."""

    receiver: Address
    amount: Wei
    block: BlockNumber
    timestamp: Timestamp
    tx_hash: Digest


@dataclass(frozen=True, slots=True)
class EscrowRecord:
    """The part of a task's escrow that no result has promised."""

    task: TaskId
    available: Wei


@dataclass(frozen=True, slots=True)
class TreasuryRecord:
    """The DAO's tokens."""

    balance: Wei
    escrow: tuple[EscrowRecord, ...]


class ProposalPhase(StrEnum):
    """Where a proposal stands, by block time."""

    PENDING = "pending"
    ACTIVE = "active"
    CANCELED = "canceled"
    DEFEATED = "defeated"
    SUCCEEDED = "succeeded"
    QUEUED = "queued"
    EXECUTED = "executed"


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """A proposal. Votes count as of `starts_at` and are cast after it, until `ends_at` inclusive.

    `quorum` is an estimate while it is pending. `ended_tx` executed or canceled it.
    """

    proposal: int
    state: ProposalPhase
    title: str
    description: str
    proposer: Address
    created_at: Timestamp
    starts_at: Timestamp
    ends_at: Timestamp
    eta: Timestamp | None
    quorum: Wei
    in_favour: Wei
    against: Wei
    abstain: Wei
    targets: tuple[Address, ...]
    values: tuple[Wei, ...]
    calldatas: tuple[bytes, ...]
    created_tx: Digest
    queued_tx: Digest | None
    ended_tx: Digest | None

    @property
    def executed_tx(self) -> Digest | None:
        """The transaction that executed it."""
        return self.ended_tx if self.state is ProposalPhase.EXECUTED else None

    @property
    def canceled_tx(self) -> Digest | None:
        """The transaction that canceled it."""
        return self.ended_tx if self.state is ProposalPhase.CANCELED else None


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """A vote: `support` 0 against, 1 for, 2 abstain."""

    proposal: int
    voter: Address
    support: int
    weight: Wei
    reason: str
    timestamp: Timestamp
    tx_hash: Digest


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event. `place` orders all events and is the cursor of those after it; `topic` as in a ChangeNotice."""

    place: int
    block: BlockNumber
    timestamp: Timestamp
    tx_hash: Digest
    kind: str
    topic: str
    task: TaskId | None
    round: RoundId | None
    proposal: int | None
    address: Address | None
