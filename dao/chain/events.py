"""What the contracts say, as frozen records: one class per event, and how a log becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dao.chain import interface
from dao.chain.event_types import Event, RoundEvent, SharedEvent, TaskEvent
from dao.chain.governance_events import (
    Approval,
    CallScheduled,
    DelegateChanged,
    DelegateVotesChanged,
    LateQuorumVoteExtensionSet,
    MinDelayChange,
    Paused,
    ProposalCanceled,
    ProposalCreated,
    ProposalExecuted,
    ProposalExtended,
    ProposalQueued,
    ProposalThresholdSet,
    QuorumNumeratorUpdated,
    RoleGranted,
    RoleRevoked,
    TimelockChange,
    Transfer,
    Unpaused,
    VoteCast,
    VoteCastWithParams,
    VotingDelaySet,
    VotingPeriodSet,
)
from dao.core.commits import compute_closing_hash
from dao.core.errors import RpcError
from dao.core.types import (
    Address,
    BlockNumber,
    Codec,
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
    """The DAO created a task."""

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
class CommitsClosed(RoundEvent):
    """Reveals are taken; `seed` draws the shard."""

    commits: int
    root: Digest
    seed: Digest

    @property
    def closing(self) -> Digest:
        """What the state of a round says that was closed by this event."""
        return compute_closing_hash(self.root, self.seed)


@dataclass(frozen=True, slots=True)
class ResultPosted(RoundEvent):
    """The Superlink stated the result."""

    result: Result


@dataclass(frozen=True, slots=True)
class Contested(RoundEvent):
    """A forced commit after the result contests it."""

    node: Address


@dataclass(frozen=True, slots=True)
class Dismissed(RoundEvent):
    """A contest was answered."""

    node: Address


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

    reward_root: Digest
    reward_total: Wei


@dataclass(frozen=True, slots=True)
class Aborted(RoundEvent):
    """The round ended without a result."""


@dataclass(frozen=True, slots=True)
class Voided(RoundEvent):
    """The round's result does not stand."""


# of stakes, by the SupernodeRegistry


@dataclass(frozen=True, slots=True)
class Registered(Event):
    """An owner staked behind a new operator."""

    operator: Address
    owner: Address
    amount: Wei


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


# of escrows, by the RewardDistributor


@dataclass(frozen=True, slots=True)
class Funded(TaskEvent):
    """Tokens went into a task's escrow."""

    sender: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Activated(TaskEvent):
    """A reward root is claimable; all claims under it add up to `total`."""

    root: Digest
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
class Reorg:
    """All events above block `to_block` are void: those blocks are no longer part of the chain."""

    to_block: BlockNumber


EVENTS: Mapping[str, tuple[type[Event], ...]] = {
    "TrainingCoordinator": (
        *(TaskCreated, TaskClosed, RulesChanged, SuperlinkReplaced, Admitted, Joined, Left),
        *(RoundOpened, ForcedCommit, CommitsClosed, ResultPosted, Contested, Dismissed, Challenged, Resolved),
        *(Finalized, Aborted, Voided, Paused, Unpaused),
    ),
    "SupernodeRegistry": (
        *(Registered, StakeAdded, Unbonding, Withdrawn, Slashed, SlasherSet),
        *(DelegateChanged, DelegateVotesChanged, Paused, Unpaused),
    ),
    "RewardDistributor": (Funded, Activated, Claimed, Refunded),
    "DaoToken": (Transfer, Approval, DelegateChanged, DelegateVotesChanged),
    "DaoGovernor": (
        *(ProposalCreated, VoteCast, VoteCastWithParams, ProposalQueued, ProposalExecuted, ProposalCanceled),
        *(ProposalExtended, VotingDelaySet, VotingPeriodSet, ProposalThresholdSet, QuorumNumeratorUpdated),
        *(LateQuorumVoteExtensionSet, TimelockChange),
    ),
    "TimelockController": (MinDelayChange, RoleGranted, RoleRevoked, CallScheduled),
}


def topic_of(kind: type[Event]) -> Digest:
    """The first topic of an event's logs."""
    return next(topic for topic, (found, _) in _by_topic().items() if found is kind)


def contracts_of(kind: type[Event]) -> tuple[str, ...]:
    """The names of the contracts that emit an event: several only for a SharedEvent."""
    return tuple(name for name, kinds in EVENTS.items() if kind in kinds)


def decode_log(log: Any, timestamp: Timestamp) -> Event | None:
    """Read a log as JSON-RPC gives it; None for an event without a class here, RpcError for a malformed log."""
    try:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        found = _by_topic().get(Digest(topics[0])) if topics else None
        if found is None:
            return None
        kind, codec = found
        values = codec.decode(topics, bytes.fromhex(log["data"][2:]))
        place: tuple[Any, ...] = (
            BlockNumber(int(log["blockNumber"], 16)),
            Digest(bytes.fromhex(log["blockHash"][2:])),
            timestamp,
            int(log["logIndex"], 16),
            Digest(bytes.fromhex(log["transactionHash"][2:])),
        )
        if issubclass(kind, SharedEvent):
            place += (Address(bytes.fromhex(log["address"][2:])),)
    except (KeyError, TypeError, ValueError) as error:
        raise RpcError(f"log: not as JSON-RPC gives one: {error!r}") from error
    return kind(
        *place, *(_read(kind, name, value) for (name, _, _), value in zip(codec.fields, values, strict=True))
    )


def rules_of(fields: tuple[Any, ...]) -> Rules:
    """Read TaskRules as the ABI has them."""
    values = [*fields[:10], Codec.numbered(fields[10]), *fields[11:]]
    return Rules(*values)


def _read(kind: type[Event], name: str, value: Any) -> Any:
    if kind in (TaskCreated, RulesChanged) and name == "rules":
        return rules_of(value)
    return Result(*value) if kind is ResultPosted and name == "result" else value


@cache
def _by_topic() -> dict[Digest, tuple[type[Event], interface.EventAbi]]:
    found = {}
    for contract, kinds in EVENTS.items():
        events = interface.load(contract).events
        for kind in kinds:
            event = events[kind.__name__]
            found[Digest(event.topic)] = kind, event
    return found
