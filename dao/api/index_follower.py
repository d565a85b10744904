"""The API's index: it follows the chain while the node answers, and is read whether it does or not."""

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
from dao.index.change_notices import ChangeNotice
from dao.index.database import migrate
from dao.index.indexer import Indexer
from dao.index.reads import Reads
from dao.index.writer import Block, Writer
from dao.store.source import Source

T = TypeVar("T")
MAX_BEHIND = 8  # blocks that the index may be behind before its answers are marked as stale
_THREADS = 4


class IndexFollower:
    """A database, its reads, and the task that fills it.

    `at` is the last indexed block, None before the first; `change_count` counts changes, also those within a block.
    """

    def __init__(self, engine: Engine, deployment: Deployment) -> None:
        """Migrate the database. Blocking; ConfigError where it is another network's."""
        migrate(engine)
        Writer(engine, deployment).begin()
        self._engine = engine
        self._reads = Reads(engine)
        self._threads = ThreadPoolExecutor(_THREADS, "read")
        status = self._reads.find_status()
        self.at = Block(status.block, status.hash, status.timestamp) if status is not None else None
        self.change_count = 0
        self._moved = asyncio.Condition()

    def close(self) -> None:
        """Close the database after the reads under way. Blocking."""
        self._threads.shutdown()
        self._engine.dispose()

    @property
    def version(self) -> str:
        """The version of everything in the index: it changes when any of it may have changed."""
        return f"{self.at.hash.hex() if self.at else ''} {self.change_count}"

    def is_behind(self, final: BlockNumber | None) -> bool:
        """Whether the index is far from a block that it should have reached."""
        return self.at is None or (final is not None and final - self.at.number > MAX_BEHIND)

    async def read(self, work: Callable[[Reads], T]) -> T:
        """Read in a thread; Problem 503 before anything is indexed."""
        self._get_block()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, self._reads)

    def get_as_of(self, *, stale: bool) -> AsOf:
        """Get the block that later reads stand on, or a newer one; Problem 503 before the first."""
        at = self._get_block()
        return AsOf(block=at.number, timestamp=at.timestamp, stale=stale)

    async def run(
        self,
        chain: Chain,
        store: Source,
        on_change: Callable[[ChangeNotice], None],
        on_move: Callable[[], None],
    ) -> None:
        """Follow the chain until cancelled; call `on_move` when `at` is another block."""

        def count_change(notice: ChangeNotice) -> None:
            self.change_count += 1
            on_change(notice)

        indexer = Indexer(chain, self._engine, store, count_change)
        async with asyncio.TaskGroup() as group:
            group.create_task(indexer.run())
            at = self.at
            while True:
                at = await indexer.wait_for_move(at)
                self.at = at if at.timestamp else None  # below the network's first block nothing is known
                on_move()
                async with self._moved:
                    self._moved.notify_all()

    async def wait_for_block(self, block: BlockNumber) -> None:
        """Wait until a block is indexed."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.at is not None and self.at.number >= block)

    def _get_block(self) -> Block:
        if self.at is None:
            raise Problem(
                503, "not-indexed", "nothing was read from the chain yet; try again soon", retry_after=2
            )
        return self.at
