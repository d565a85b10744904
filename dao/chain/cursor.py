"""Events in order, each once, without gaps: as they come, after a break, and taken back by a reorg."""

import logging
from collections import deque
from typing import Any, Self

from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contract_table import EVENTS
from dao.chain.event_types import Event, TaskEvent
from dao.chain.events import Reorg
from dao.core.types import BlockNumber, TaskId
from dao.errors import ChainError, Reorged

_log = logging.getLogger(__name__)
_NEAR = (
    8  # blocks below the head: asked for by hash, for a node that is behind answers a range with what it has
)
_RANGE = 10_000  # blocks of one step while catching up
_REMEMBERED = 1024  # blocks
_WAIT = 60.0  # seconds without a new head until the chain is read again
_RETRY = 1.0  # seconds after a failure


class EventCursor:
    """An endless async iterator over events from a block on, as far as they are final.

    With `confirmations` 0 that is up to the head; a `Reorg(to_block)` then says that all events above that block are
    void (with more, only a deeper reorg does so). `task` leaves out events of other tasks.
    """

    def __init__(
        self,
        chain: Chain,
        from_block: BlockNumber,
        kinds: tuple[type[Event], ...] = EVENTS,
        task: TaskId | None = None,
    ) -> None:
        self._chain = chain
        self._next = from_block
        self._task = task
        by_task = task is not None and all(issubclass(kind, TaskEvent) for kind in kinds)
        self._where = chain.filter_of(kinds, task if by_task else None)
        self._seen: deque[BlockRef] = deque(maxlen=_REMEMBERED)
        self._ready: deque[Event] = deque()
        self._checked: BlockRef | None = None
        self._lost: BlockRef | None = None

    @property
    def next_block(self) -> BlockNumber:
        """The block from which a later cursor goes on: all events below it were yielded."""
        return self._ready[0].block if self._ready else self._next

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event | Reorg:
        """Return the next event, however long the node is in trouble: bound the wait where there must be a limit."""
        while True:
            try:
                reorg = await self._vanished()
                if reorg is not None:
                    return reorg
                if self._ready:
                    return self._ready.popleft()
                if self._chain.final().number >= self._next:
                    await self._scan()
                else:
                    await self._chain.changed(_WAIT)
            except Reorged:
                await self._chain.changed(_RETRY)
            except ChainError as error:
                _log.warning("events from block %d: %s", self._next, error)
                await self._chain.changed(_RETRY)

    async def _vanished(self) -> Reorg | None:
        """Go back to the last block seen that is still there."""
        head = self._chain.head()
        if self._checked is head:
            return None
        while self._seen and not await self._chain.is_canonical(self._seen[-1]):
            self._lost = self._seen.pop()
        self._checked = head
        lost, self._lost = self._lost, None
        if lost is None:
            return None
        last = self._seen[-1].number if self._seen else BlockNumber(max(0, lost.number - 1))
        self._next = BlockNumber(last + 1)
        self._ready.clear()
        return Reorg(last)

    async def _scan(self) -> None:
        """Fetch the events of the next block, or of many when far behind."""
        chain, first = self._chain, self._next
        deep = min(chain.final().number, chain.head().number - _NEAR)
        last = BlockNumber(min(deep, first + _RANGE - 1)) if deep - first >= _NEAR else first
        block = await chain.block(last)
        if block is None:
            await chain.changed(_RETRY)
            return
        logs = await chain.logs(self._where, block if last == first else (first, last))
        events = await chain.decode(logs)
        if not all(self._fits(log) for log in logs):
            raise Reorged(f"blocks {first} to {last}: changed while they were read")
        self._ready.extend(event for event in events if self._is_of_task(event))
        self._seen.append(block)
        self._next = BlockNumber(last + 1)

    def _fits(self, log: Any) -> bool:
        seen = self._chain.block_seen(int(log["blockNumber"], 16))
        return seen is None or seen.hash == bytes.fromhex(log["blockHash"][2:])

    def _is_of_task(self, event: Event) -> bool:
        return self._task is None or not isinstance(event, TaskEvent) or event.task == self._task
