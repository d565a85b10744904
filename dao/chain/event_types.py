"""What every event of the contracts has: where it stands on the chain, and of which task, round or contract it is."""

from dataclasses import dataclass

from dao.core.types import Address, BlockNumber, Digest, RoundId, TaskId, Timestamp


@dataclass(frozen=True, slots=True)
class Event:
    """Where an event stands: its block, and its place among the block's logs."""

    block: BlockNumber
    block_hash: Digest
    timestamp: Timestamp
    log_index: int
    tx_hash: Digest


@dataclass(frozen=True, slots=True)
class TaskEvent(Event):
    """An event of a task."""

    task: TaskId


@dataclass(frozen=True, slots=True)
class RoundEvent(TaskEvent):
    """An event of a round."""

    round: RoundId


@dataclass(frozen=True, slots=True)
class SharedEvent(Event):
    """An event that more than one contract has; `contract` emitted this one."""

    contract: Address
