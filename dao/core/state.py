"""What a round's transition takes, the state before it and its inputs, and what its arithmetic gives to be settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dao.core.aggregate import AggregateRoots
from dao.core.commits import CommitRecord, NodeCommitment, PassRecord
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Account, Manifest, MeasuredMetric, Shard
from dao.core.round_machine import retire_shards
from dao.core.score import Scoring
from dao.core.types import NO_ROUND, Address, Digest, Domain, MicroScore, Result, RoundId, Rules, TaskId
from dao.core.weigh import Weighing


@dataclass(frozen=True, slots=True)
class PreState:
    """What a round inherits from its parent, round 0 of no task where it is a task's first."""

    task: TaskId | None = None
    round: RoundId = NO_ROUND
    accounts: Mapping[Address, Account] = field(default_factory=dict)  # by owner, in the manifest's order
    used_shards: tuple[int, ...] = ()  # all that were ever drawn

    @property
    def debts(self) -> dict[Address, MicroScore]:
        """What each owner owes, in millionths."""
        return {owner: MicroScore(account.debt) for owner, account in self.accounts.items()}

    def get_memory(self, owner: Address) -> int:
        """Return an owner's memory, in millionths; 0 of an owner that never committed."""
        account = self.accounts.get(owner)
        return account.memory if account else 0


def get_post_state(manifest: Manifest | None) -> PreState:
    """Return the state that a settled round leaves to its children; None: there is no such round."""
    if manifest is None:
        return PreState()
    accounts = {account.owner: account for account in manifest.accounts}
    return PreState(manifest.task, manifest.round, accounts, manifest.used_shards)


@dataclass(frozen=True, slots=True)
class LostRound:
    """A round that drew a shard and came to nothing, aborted or void, as the chain has it."""

    shards: int  # of the task, by the round's rules
    commits_root: Digest  # with the seed, what it was closed with
    seed: Digest
    result: Result | None  # of a round that is void


def retire_drawn(state: PreState, lost: Iterable[LostRound]) -> PreState:
    """Add what rounds since the parent drew, in order: those that were aborted or are void."""
    draws = ((one.seed, one.shards) for one in lost)
    return replace(state, used_shards=retire_shards(state.used_shards, draws))


@dataclass(frozen=True, slots=True)
class RoundInputs:
    """What chain, nodes and shards say of a round before its arithmetic begins.

    `values` is the padded number of the base model's; `absent` is node to owner; `forced` are the forced commits, in the
    order of their events.
    """

    domain: Domain
    task: TaskId
    round: RoundId
    opening: Digest
    rules: Rules
    state: PreState
    base_model: Cid
    values: int
    seed: Digest
    shard: Shard
    commits: Sequence[CommitRecord]
    passes: Sequence[PassRecord]
    absent: Mapping[Address, Address]
    forced: Sequence[NodeCommitment]


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What a round's arithmetic gives; the CIDs of gradients are None when no update counts, losses are millionths."""

    weighing: Weighing
    scoring: Scoring
    aggregate: AggregateRoots
    gate_root: Digest
    gradient_root: Digest
    step_root: Digest  # of the last step, quantised like a gradient; 0 without one
    model: Cid
    step: Cid
    gate_gradient: Cid | None
    gradient: Cid | None
    loss_before: int
    loss_after: int
    metric: MeasuredMetric | None
