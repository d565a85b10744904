"""Follows the events of one task: wakes all who wait for news of it, and keeps who has joined it."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Self

from dao.chain.block_clock import BlockClock
from dao.chain.client import Chain
from dao.chain.cursor import EventCursor
from dao.chain.event_types import Event, RoundEvent
from dao.chain.events import (
    Aborted,
    Attested,
    Challenged,
    CommitsClosed,
    Finalized,
    ForcedCommit,
    ForcedReveal,
    Joined,
    Left,
    Reorg,
    Resolved,
    ResultPosted,
    RoundOpened,
    Voided,
)
from dao.core.types import Address, RoundId, TaskId, Timestamp

KINDS: tuple[type[Event], ...] = (
    *(Joined, Left, RoundOpened, ForcedCommit, CommitsClosed, ForcedReveal, Attested, ResultPosted),
    *(Challenged, Resolved, Finalized, Aborted, Voided),
)


class TaskFollower:
    """Follows one task from its network's first block; `async with` it.

    `version` grows with every event, reorg and nudge: a read under an older version may be out of date.
    """

    def __init__(self, chain: Chain, task: TaskId) -> None:
        self._chain, self._task, self._clock = chain, task, BlockClock(chain)
        self._woken = asyncio.Event()
        self._changes: list[Joined | Left] = []
        self._members: frozenset[Address] = frozenset()
        self._running: list[asyncio.Task[None]] = []
        self.version = 0
        self.touched: set[RoundId] | None = None  # rounds with news; None: any round may have news

    async def __aenter__(self) -> Self:
        self._running = [
            asyncio.create_task(self._follow_events(), name="task events"),
            asyncio.create_task(self._clock.run(), name="block time"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def now(self) -> Timestamp:
        """Return the block time of this moment, in whole seconds."""
        return Timestamp(int(self._clock.now()))

    def members(self) -> frozenset[Address]:
        """Return the Supernodes that take part in the task now."""
        return self._members

    def nudge(self) -> None:
        """Wake all waiters; a read that is under way counts as out of date."""
        self.version += 1
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()

    async def wait(self, until: Timestamp, *others: Awaitable[object]) -> None:
        """Wait for news of the task or for one of `others`, at most until a block time."""
        woken = self._woken
        tasks = [asyncio.ensure_future(one) for one in (woken.wait(), *others)]
        try:
            while (left := until - self.now()) > 0:
                tick = asyncio.ensure_future(self._clock.next_block())  # `left` may shrink with a block
                tasks.append(tick)
                done, _ = await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                tasks.remove(tick)
                tick.cancel()
                if done - {tick}:
                    break
        finally:
            for task in tasks:
                task.cancel()

    async def _follow_events(self) -> None:
        cursor = EventCursor(self._chain, self._chain.deployment.block, KINDS, self._task)
        async for event in cursor:
            if isinstance(event, Reorg):
                self._changes = [change for change in self._changes if change.block <= event.to_block]
                self._members = _members_after(self._changes)
                self.touched = None
            elif isinstance(event, Joined | Left):
                self._changes.append(event)
                self._members = _members_after(self._changes)
            elif isinstance(event, RoundEvent) and self.touched is not None:
                self.touched.add(event.round)
            self.nudge()


def _members_after(changes: list[Joined | Left]) -> frozenset[Address]:
    """Return who is a member after joining and leaving in this order."""
    last = {change.operator: isinstance(change, Joined) for change in changes}
    return frozenset(operator for operator, joined in last.items() if joined)
