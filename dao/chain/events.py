"""Events of tasks, rounds, stakes and escrows: a frozen record for each."""

from dataclasses import dataclass

from dao.chain.event_types import Event, RoundEvent, TaskEvent
from dao.core.commits import compute_closing_hash
from dao.core.types import (
    Address,
    BlockNumber,
    Digest,
    Result,
    RoundId,
    Rules,
    Timestamp,
    Wei,
)

# of tasks, by the TrainingCoordinator


@dataclass(frozen=True, slots=True)
class TaskCreated(TaskEvent):
    """A task exists."""

    app_hash: Digest
    rules: Rules


@dataclass(frozen=True, slots=True)
class TaskClosed(TaskEvent):
    """The DAO ended a task."""

    refunded: Wei


@dataclass(frozen=True, slots=True)
class RulesChanged(TaskEvent):
    """Rounds that open from now on have these rules; those of the task's creation are version 1."""

    version: int
    rules: Rules


@dataclass(frozen=True, slots=True)
class SuperlinkReplaced(TaskEvent):
    """Another Superlink serves the rounds that open from now on; RulesChanged follows."""

    superlink: Address


@dataclass(frozen=True, slots=True)
class Admitted(TaskEvent):
    """An owner may take part in the task, or no longer."""

    owner: Address
    admitted: bool


@dataclass(frozen=True, slots=True)
class Joined(TaskEvent):
    """A Supernode takes part in the task's next rounds."""

    operator: Address
    owner: Address


@dataclass(frozen=True, slots=True)
class Left(TaskEvent):
    """A Supernode takes part no longer."""

    operator: Address


# of rounds, by the TrainingCoordinator


@dataclass(frozen=True, slots=True)
class RoundOpened(RoundEvent):
    """Commits are taken; `parent` is the round whose model it starts from."""

    parent: RoundId
    eligible: int


@dataclass(frozen=True, slots=True)
class ForcedCommit(RoundEvent):
    """A node committed on chain."""

    node: Address
    commitment: Digest
    signature: bytes


@dataclass(frozen=True, slots=True)
class ForcedReveal(RoundEvent):
    """A node opened its commitment on chain; `cid` is the digest of the update's."""

    node: Address
    commitment: Digest
    cid: Digest
    body_root: Digest
    salt: Digest


@dataclass(frozen=True, slots=True)
class Attested(RoundEvent):
    """A member that was drawn attests that it has the update that a node opened its commitment to."""

    node: Address
    attester: Address


@dataclass(frozen=True, slots=True)
class CommitsClosed(RoundEvent):
    """Reveals are taken; `seed` draws the shard."""

    commits: int
    passes: int
    root: Digest
    seed: Digest

    @property
    def closing(self) -> Digest:
        """The closing hash, as the state of a round that this event closed has it."""
        return compute_closing_hash(self.root, self.seed)


@dataclass(frozen=True, slots=True)
class ResultPosted(RoundEvent):
    """The Superlink stated the result."""

    result: Result


@dataclass(frozen=True, slots=True)
class Challenged(RoundEvent):
    """The round is frozen until the DAO decides."""

    challenger: Address
    reason: str


@dataclass(frozen=True, slots=True)
class Resolved(RoundEvent):
    """The DAO decided a challenge."""

    valid: bool


@dataclass(frozen=True, slots=True)
class Finalized(RoundEvent):
    """The round's rewards can be claimed."""

    accounts_root: Digest
    reward_total: Wei


@dataclass(frozen=True, slots=True)
class Aborted(RoundEvent):
    """The round ended without a result."""


@dataclass(frozen=True, slots=True)
class Conceded(RoundEvent):
    """The Superlink took its result back; Voided follows."""


@dataclass(frozen=True, slots=True)
class Voided(RoundEvent):
    """The round's result does not stand."""


@dataclass(frozen=True, slots=True)
class DisputesSet(Event):
    """This contract may strike results from now on."""

    disputes: Address


# of proofs, by the Disputes


@dataclass(frozen=True, slots=True)
class Convicted(RoundEvent):
    """A result was proved wrong; Voided follows. Its Superlink lost `slashed`, of which the accuser got `paid`."""

    prover: Address
    claim: int
    accuser: Address
    slashed: Wei
    paid: Wei


@dataclass(frozen=True, slots=True)
class ProverSet(Event):
    """A prover is in the set for rounds that open from now on, or no longer."""

    prover: Address
    allowed: bool


# of stakes, by the SupernodeRegistry


@dataclass(frozen=True, slots=True)
class Registered(Event):
    """An owner staked behind a new operator."""

    operator: Address
    owner: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Rotated(Event):
    """A Supernode's stake went from its operator to another."""

    operator: Address
    successor: Address


@dataclass(frozen=True, slots=True)
class Revoked(Event):
    """A Supernode's operator signs no more."""

    operator: Address


@dataclass(frozen=True, slots=True)
class StakeAdded(Event):
    """More stake behind an operator."""

    operator: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Unbonding(Event):
    """Stake is on its way out."""

    operator: Address
    amount: Wei
    release_time: Timestamp


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    """Stake went back to its owner."""

    operator: Address
    owner: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Slashed(Event):
    """Stake was taken; `beneficiary_amount` of it went to `beneficiary`, the rest was burned."""

    operator: Address
    amount: Wei
    beneficiary: Address
    beneficiary_amount: Wei


@dataclass(frozen=True, slots=True)
class SlasherSet(Event):
    """An account may slash, or no longer."""

    slasher: Address
    allowed: bool


# of Supernodes that committed twice, by Disputes


@dataclass(frozen=True, slots=True)
class Equivocated(RoundEvent):
    """A Supernode lost stake for two commits to one opening; `paid` of it is the accuser's."""

    node: Address
    accuser: Address
    slashed: Wei
    paid: Wei


# of demands, by Disputes; a place is (tree, outer, index), as dao.proofs.leaf_places has it


@dataclass(frozen=True, slots=True)
class Demanded(RoundEvent):
    """A leaf that a result binds is demanded until a deadline."""

    demander: Address
    place: tuple[int, int, int]
    bond: Wei
    deadline: Timestamp


@dataclass(frozen=True, slots=True)
class Answered(RoundEvent):
    """A demand was answered: `content` is the leaf and its siblings."""

    answerer: Address
    place: tuple[int, int, int]
    content: bytes


@dataclass(frozen=True, slots=True)
class Expired(RoundEvent):
    """A demand ended without an answer: it convicted, or the round stood no longer."""

    demander: Address
    place: tuple[int, int, int]
    convicted: bool


# of escrows, by the RewardDistributor


@dataclass(frozen=True, slots=True)
class Funded(TaskEvent):
    """Tokens went into a task's escrow."""

    sender: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Activated(TaskEvent):
    """Another reward root is claimable; all claims under it add up to `total`."""

    total: Wei


@dataclass(frozen=True, slots=True)
class Claimed(TaskEvent):
    """An owner was paid `amount`; `cumulative` over all its claims."""

    owner: Address
    amount: Wei
    cumulative: Wei


@dataclass(frozen=True, slots=True)
class Refunded(TaskEvent):
    """What no root had promised left the escrow."""

    receiver: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Recovered(TaskEvent):
    """What nobody had claimed a year after the task closed left the escrow."""

    receiver: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Reorg:
    """All events above block `to_block` are void: those blocks are no longer part of the chain."""

    to_block: BlockNumber
