"""Reads one task at final blocks only, and waits until what was read there changes."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TypeVar

import structlog

from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.events import CommitsClosed
from dao.chain.rounds import RoundReader
from dao.core.types import (
    ZERO_DIGEST,
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
from dao.errors import ChainError, Reorged, Reverted

T = TypeVar("T")
_IDLE = 60.0  # seconds until the chain is looked at again without a new block
_RETRY = 1.0  # seconds after a failed read
_log = structlog.get_logger()


class FinalReader:
    """One task. A read is repeated until the chain's node answers: the caller bounds it where it must end."""

    def __init__(self, chain: Chain, task: TaskId) -> None:
        self._chain, self._task = chain, task
        self._coordinator, self._registry = Coordinator(chain), Registry(chain)
        self._rounds = RoundReader(chain, task)

    async def ask_ahead(self, round_id: RoundId, node: Address) -> None:
        """Ask at once for what a node reads one after the other as a round opens: the chain's answers are shared."""
        at, place = self._chain.final(), (self._task, round_id)
        await asyncio.gather(
            self._coordinator.round_of(*place, at),
            self._coordinator.rules_of_round(*place, at),
            self._coordinator.is_joined(self._task, node, at),
            return_exceptions=True,
        )

    async def read_rules(self) -> Rules:
        """Return the rules of the task's next round."""
        return await self._read(lambda at: self._coordinator.rules_of(self._task, at))

    async def read_rules_of(self, round_id: RoundId) -> Rules:
        """Return the rules that a round opened with; Reorged where there is no such round any more."""
        try:
            return await self._read(lambda at: self._coordinator.rules_of_round(self._task, round_id, at))
        except Reverted:
            raise Reorged(f"task {self._task} round {round_id}: its opening is gone; wait for it") from None

    async def read_last_round(self) -> RoundId:
        """Return the newest round, 0 before the first."""
        return (await self._read(lambda at: self._coordinator.task_of(self._task, at))).last_round

    async def read_state(self, round_id: RoundId) -> RoundState:
        """Return a round's state; its phase is NONE before it opens."""
        return await self._read(lambda at: self._coordinator.round_of(self._task, round_id, at))

    async def is_joined(self, node: Address) -> bool:
        """Return whether a node is a member of the task."""
        return await self._read(lambda at: self._coordinator.is_joined(self._task, node, at))

    async def read_stake(self, node: Address, opened: RoundState) -> Wei:
        """Return a node's stake at the end of the block before the round opened."""
        before = BlockNumber(opened.open_block - 1)
        return await self._read(lambda at: self._registry.stake_at(node, before, at))

    async def read_result(self, round_id: RoundId) -> Result:
        """Return the standing result of a posted round; Reorged where it has none any more."""
        while True:
            state = await self.read_state(round_id)
            if state.result_hash == ZERO_DIGEST:
                raise Reorged(
                    f"task {self._task} round {round_id}: its result is gone; wait for the next one"
                )
            result = await self._read(partial(self._rounds.find_result, round_id, state))
            if result is not None:
                return result
            await self._chain.changed(_RETRY)

    async def read_base(self, state: RoundState, rules: Rules) -> Digest:
        """Return the digest of the model that a round starts from; Reorged where its parent has no result any more."""
        return (await self.read_result(state.parent)).model_digest if state.parent else rules.base_model

    async def read_closed_event(self, round_id: RoundId, closed: RoundState) -> CommitsClosed:
        """Return the event that closed a round into this state; Reorged when the round left the state."""
        while True:
            event = await self._read(partial(self._rounds.find_closed, round_id, closed))
            if event is not None:
                return event
            if (await self.read_state(round_id)).closing != closed.closing:
                raise Reorged(f"task {self._task} round {round_id}: is not closed any more as it was")
            await self._chain.changed(_RETRY)

    @property
    def reorgs(self) -> int:
        """How many times blocks that had been seen were gone."""
        return self._chain.reorgs

    async def wait_reorg(self, since: int) -> None:
        """Wait until blocks that had been seen are gone, since `reorgs` was this."""
        await self._chain.wait_reorg(since)

    async def wait_next_round(self, after: RoundId, since: int | None = None) -> RoundId:
        """Wait until there is a round after this one, or until blocks are gone since `reorgs` was `since`; return the newest."""
        return await self._wait_until(
            self.read_last_round, lambda last: last > after or since not in (None, self.reorgs)
        )

    async def wait_change(self, round_id: RoundId, state: RoundState) -> RoundState:
        """Wait until a round is in another phase than in `state`, or in the same one by another block."""
        return await self._wait_until(
            lambda: self.read_state(round_id), lambda now: _phase_entry(now) != _phase_entry(state)
        )

    async def wait_leaving(
        self, round_id: RoundId, phases: Collection[Phase], since: int | None = None
    ) -> RoundState:
        """Wait until a round is in none of these phases, or until blocks are gone since `reorgs` was `since`."""
        return await self._wait_until(
            lambda: self.read_state(round_id),
            lambda state: state.phase not in phases or since not in (None, self.reorgs),
        )

    async def _wait_until(self, read: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool]) -> T:
        while True:
            block = self._chain.final()
            value = await read()
            if is_enough(value):
                return value
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


def _phase_entry(state: RoundState) -> tuple[object, ...]:
    """Return a round's phase and the blocks by which it came there."""
    return state.phase, state.opening, state.opened_at, state.closed_at, state.closing
