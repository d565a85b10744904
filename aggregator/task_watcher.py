"""Wakes the Superlink when the chain says something of its task, and tells block time between blocks."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Self

from dao.chain.client import Chain
from dao.chain.cursor import EventCursor
from dao.chain.event_types import Event, RoundEvent
from dao.chain.events import (
    Aborted,
    Challenged,
    CommitsClosed,
    Contested,
    Dismissed,
    Finalized,
    ForcedCommit,
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
    *(Joined, Left, RoundOpened, ForcedCommit, CommitsClosed, ResultPosted),
    *(Contested, Dismissed, Challenged, Resolved, Finalized, Aborted, Voided),
)


class TaskWatcher:
    """Follows one task from its network's first block; `async with` it.

    `version` grows with every event, reorg and nudge: what was read of the chain under an older one may have changed.
    """

    def __init__(self, chain: Chain, task: TaskId) -> None:
        self._chain, self._task = chain, task
        self._pulse, self._tick = asyncio.Event(), asyncio.Event()
        self._head = chain.head()
        self._seen = asyncio.get_running_loop().time()
        self._changes: list[Joined | Left] = []
        self._members: frozenset[Address] = frozenset()
        self._followers: list[asyncio.Task[None]] = []
        self.version = 0
        self.touched: set[RoundId] | None = None  # rounds with news; None: all may have

    async def __aenter__(self) -> Self:
        self._followers = [
            asyncio.create_task(self._follow_events(), name="task events"),
            asyncio.create_task(self._follow_heads(), name="block time"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower

    def now(self) -> Timestamp:
        """Block time as it is by now: that of the head, and what has passed since it came. No clock is asked."""
        return Timestamp(self._head.timestamp + int(asyncio.get_running_loop().time() - self._seen))

    def members(self) -> frozenset[Address]:
        """Supernodes that take part in the task now."""
        return self._members

    async def wait(self, until: Timestamp, *others: Awaitable[object]) -> None:
        """Wait for news of the task or one of `others`, at most until a block time."""
        pulse = self._pulse
        tasks = [asyncio.ensure_future(one) for one in (pulse.wait(), *others)]
        try:
            while (left := until - self.now()) > 0:
                tick = asyncio.ensure_future(self._tick.wait())  # of the head that `left` was told by
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
                self._members = _joined(self._changes)
                self.touched = None
            elif isinstance(event, Joined | Left):
                self._changes.append(event)
                self._members = _joined(self._changes)
            elif isinstance(event, RoundEvent) and self.touched is not None:
                self.touched.add(event.round)
            self.nudge()

    def nudge(self) -> None:
        """Have those who wait look again, and those who are about to."""
        self.version += 1
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    async def _follow_heads(self) -> None:
        while True:
            await self._chain.changed(60.0)
            if self._chain.head() is not self._head:
                self._head, self._seen = self._chain.head(), asyncio.get_running_loop().time()
                tick, self._tick = self._tick, asyncio.Event()
                tick.set()


def _joined(changes: list[Joined | Left]) -> frozenset[Address]:
    """Who is left after joining and leaving in this order."""
    last = {change.operator: isinstance(change, Joined) for change in changes}
    return frozenset(operator for operator, joined in last.items() if joined)
