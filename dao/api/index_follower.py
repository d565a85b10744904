"""The index in the API's hands: it follows the chain while there is one, and is read whether there is or not."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine

from dao.api.http.problems import Problem
from dao.api.models.base import AsOf
from dao.chain.client import Chain
from dao.chain.deployment import Deployment
from dao.core.types import BlockNumber
from dao.index.database import migrate
from dao.index.indexer import Indexer
from dao.index.reads import Reads
from dao.index.reducer import Change
from dao.index.writer import Block, Writer
from dao.store.source import Source

T = TypeVar("T")
BEHIND = 8  # blocks that the index may be behind without what it says being called stale
_THREADS = 4


class Index:
    """One database, its reads, and the task that fills it.

    `at` is the last block that can be read, None before the first; `changes` counts what changed, at a block or since.
    """

    def __init__(self, engine: Engine, deployment: Deployment) -> None:
        """Blocks. The database is brought up to date; ConfigError where it is another network's."""
        migrate(engine)
        Writer(engine, deployment).begin()
        self._engine = engine
        self._reads = Reads(engine)
        self._threads = ThreadPoolExecutor(_THREADS, "read")
        found = self._reads.status()
        self.at = Block(found.block, found.hash, found.timestamp) if found is not None else None
        self.changes = 0
        self._moved = asyncio.Condition()

    def close(self) -> None:
        """Blocks until no read is under way."""
        self._threads.shutdown()
        self._engine.dispose()

    @property
    def version(self) -> str:
        """Another one, when anything that is read may be other than before."""
        return f"{self.at.hash.hex() if self.at else ''} {self.changes}"

    def is_behind(self, final: BlockNumber | None) -> bool:
        """Whether the index is far from a block that it should have."""
        return self.at is None or (final is not None and final - self.at.number > BEHIND)

    async def read(self, work: Callable[[Reads], T]) -> T:
        """Read in a thread; Problem 503 before anything is indexed."""
        self._at()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, self._reads)

    def as_of(self, *, stale: bool) -> AsOf:
        """The block that what is read from now on stands on, or on a newer one; Problem 503 before the first."""
        at = self._at()
        return AsOf(block=at.number, timestamp=at.timestamp, stale=stale)

    async def run(
        self,
        chain: Chain,
        store: Source,
        on_change: Callable[[Change], None],
        on_move: Callable[[], None],
    ) -> None:
        """Follow the chain until cancelled; `on_move` is called when `at` is another block."""

        def changed(change: Change) -> None:
            self.changes += 1
            on_change(change)

        indexer = Indexer(chain, self._engine, store, changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(indexer.run())
            at = self.at
            while True:
                at = await indexer.moved(at)
                self.at = at if at.timestamp else None  # below the network's first block nothing is known
                on_move()
                async with self._moved:
                    self._moved.notify_all()

    async def reached(self, block: BlockNumber) -> None:
        """Wait until a block can be read."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.at is not None and self.at.number >= block)

    def _at(self) -> Block:
        if self.at is None:
            raise Problem(
                503, "not-indexed", "nothing was read from the chain yet; try again soon", retry_after=2
            )
        return self.at
