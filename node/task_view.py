"""What the chain says of one task, always at a final block, and how to wait until it says something else."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TypeVar

import structlog

from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.events import CommitsClosed, ResultPosted
from dao.core.errors import ChainError, Reorged, Reverted
from dao.core.settle import compute_result_hash
from dao.core.types import (
    Address,
    BlockNumber,
    Digest,
    Phase,
    Result,
    RoundId,
    RoundState,
    Rules,
    TaskId,
    Wei,
)

T = TypeVar("T")
_IDLE = 60.0  # seconds until the chain is looked at again without a new block
_RETRY = 1.0  # seconds after a failed read
_log = structlog.get_logger()


class Clock:
    """Block time: that of the newest block, and the seconds since it came. This machine's own time is never asked."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._tick()

    async def run(self) -> None:
        """Note each new block as it comes, for ever."""
        while True:
            await self._chain.changed(_IDLE)
            self._tick()

    def now(self) -> float:
        """Return the block time of a block that would come now, in Unix seconds."""
        if self._chain.head() != self._head:
            self._tick()
        return self._head.timestamp + asyncio.get_running_loop().time() - self._since

    def _tick(self) -> None:
        self._head, self._since = self._chain.head(), asyncio.get_running_loop().time()


class TaskView:
    """One task. Reads are repeated until the chain's node answers: put a limit around where there must be one."""

    def __init__(self, chain: Chain, task: TaskId) -> None:
        self._chain, self._task = chain, task
        self._coordinator, self._registry = Coordinator(chain), Registry(chain)
        self._results: dict[RoundId, Result] = {}

    async def rules(self) -> Rules:
        """Return the rules of the task's next round."""
        return await self._read(lambda at: self._coordinator.rules_of(self._task, at))

    async def rules_of(self, round_: RoundId) -> Rules:
        """Return the rules that a round opened with; Reorged where there is no such round any more."""
        try:
            return await self._read(lambda at: self._coordinator.rules_of_round(self._task, round_, at))
        except Reverted:
            raise Reorged(f"task {self._task} round {round_}: its opening is gone; wait for it") from None

    async def last_round(self) -> RoundId:
        """Return the newest round, 0 before the first."""
        return (await self._read(lambda at: self._coordinator.task_of(self._task, at))).last_round

    async def round(self, round_: RoundId) -> RoundState:
        """Return a round's state; phase NONE where there is none, or no longer."""
        return await self._read(lambda at: self._coordinator.round_of(self._task, round_, at))

    async def seat(self, node: Address, opened: RoundState) -> tuple[bool, Wei]:
        """Whether a node takes part in the task, and its stake at the end of the block before the round opened."""
        before = BlockNumber(opened.open_block - 1)
        return await asyncio.gather(
            self._read(lambda at: self._coordinator.is_joined(self._task, node, at)),
            self._read(lambda at: self._registry.stake_at(node, before, at)),
        )

    async def result(self, round_: RoundId) -> Result:
        """Return the standing result of a posted round."""
        while True:
            state = await self.round(round_)
            known = self._results.get(round_)
            if known is not None and compute_result_hash(known) == state.result_hash:
                return known
            if state.result_hash == Digest(bytes(32)):
                raise Reorged(f"task {self._task} round {round_}: its result is gone; wait for the next one")
            posted = await self._read(partial(self._posted, round_, state.open_block))
            self._results.update({event.round: event.result for event in posted})
            if not posted:
                await self._chain.changed(_RETRY)

    async def closing(self, round_: RoundId, closed: RoundState) -> CommitsClosed:
        """Return the event by which a round was closed that is in this state; Reorged when it is so no longer."""
        while True:
            for event in await self._read(partial(self._closed, round_, closed.open_block)):
                if event.closing == closed.closing:
                    return event
            if (await self.round(round_)).closing != closed.closing:
                raise Reorged(f"task {self._task} round {round_}: is not closed any more as it was")
            await self._chain.changed(_RETRY)

    async def next_round(self, after: RoundId) -> RoundId:
        """Wait until the newest round is one after this."""
        return await self._until(self.last_round, lambda last: last > after)

    async def after(self, round_: RoundId, state: RoundState) -> RoundState:
        """Wait until a round is in another phase than in `state`, or in the same one by another block."""
        return await self._until(lambda: self.round(round_), lambda found: _step_of(found) != _step_of(state))

    async def leaves(self, round_: RoundId, phases: Collection[Phase]) -> RoundState:
        """Wait until a round is in none of these phases."""
        return await self._until(lambda: self.round(round_), lambda state: state.phase not in phases)

    async def _closed(self, round_: RoundId, first: BlockNumber, at: BlockRef) -> list[CommitsClosed]:
        return await self._chain.past(
            CommitsClosed, task=self._task, round=round_, from_block=first, to_block=at.number
        )

    async def _posted(self, round_: RoundId, first: BlockNumber, at: BlockRef) -> list[ResultPosted]:
        return await self._chain.past(
            ResultPosted, task=self._task, round=round_, from_block=first, to_block=at.number
        )

    async def _until(self, read: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool]) -> T:
        while True:
            block = self._chain.final()
            found = await read()
            if is_enough(found):
                return found
            while self._chain.final() == block:
                await self._chain.changed(_IDLE)

    async def _read(self, read: Callable[[BlockRef], Awaitable[T]]) -> T:
        while True:
            try:
                return await read(self._chain.final())
            except Reverted:
                raise
            except ChainError as error:
                if not isinstance(error, Reorged):
                    _log.warning(
                        "the chain's node does not answer; asked again", task=self._task, error=str(error)
                    )
                await self._chain.changed(_RETRY)


def _step_of(state: RoundState) -> tuple[object, ...]:
    return state.phase, state.open_block, state.opened_at, state.closed_at, state.closing
