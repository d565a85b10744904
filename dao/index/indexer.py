"""Follows the chain into the database: catches up in batches, then block by block, and takes back what a reorg voids."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from dao.chain.client import Chain
from dao.chain.event_codec import decode_log
from dao.chain.event_types import Event
from dao.core.types import BlockNumber, Timestamp
from dao.errors import ChainError, Reorged
from dao.index.card_reader import CardReader
from dao.index.change_notices import ChangeNotice, list_notices
from dao.index.database import one_line
from dao.index.manifests import ManifestReader
from dao.index.reducer import KINDS
from dao.index.writer import Block, MovedError, Writer
from dao.store.source import Source

BATCH = 1000  # events of one transaction, about
MAX_NOTICES = 64  # notices that are published one by one; more are published as one
_NEAR = 8  # blocks below the head that are read one by one, by hash
_SPAN = 10_000  # blocks of one step at most
_FIRST_SPAN = 500
_WAIT = 60.0  # seconds until the next look at the chain without a new head
_RETRY = 1.0  # seconds after a failure

_log = logging.getLogger(__name__)


class Indexer:
    """The index of one network. It calls `on_change` on the event loop once readers can read what changed."""

    def __init__(
        self,
        chain: Chain,
        engine: Engine,
        store: Source | None = None,
        on_change: Callable[[ChangeNotice], None] = lambda _: None,
    ) -> None:
        """`store` is where manifests and cards are read from; None: they are not read."""
        self._chain = chain
        self._writer = Writer(engine, chain.deployment)
        self._readers = (
            (
                ManifestReader(chain.deployment, chain.chain_id, engine, store, on_change),
                CardReader(engine, store, on_change),
            )
            if store
            else ()
        )
        self._publish = on_change
        self._filter = chain.filter_of(KINDS)
        self._span = _FIRST_SPAN
        self._at: Block | None = None
        self._moved = asyncio.Condition()

    @property
    def at(self) -> Block | None:
        """The last indexed block; None until the index's position is read."""
        return self._at

    async def run(self) -> None:
        """Follow until cancelled, and retry where the chain's node or the database fails.

        ConfigError where the database is another network's.
        """
        async with asyncio.TaskGroup() as group:
            for reader in self._readers:
                group.create_task(reader.run())
            group.create_task(self._follow())

    async def wait_for_block(self, block: BlockNumber, limit: float) -> None:
        """Wait until a block is indexed; TimeoutError after `limit` seconds."""
        async with asyncio.timeout(limit), self._moved:
            await self._moved.wait_for(lambda: self._at is not None and self._at.number >= block)

    async def wait_for_move(self, since: Block | None) -> Block:
        """Wait until the last indexed block is another than `since`, higher or lower; return it."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._at not in (None, since))
        assert self._at is not None  # noqa: S101  (for the type checker)
        return self._at

    async def _follow(self) -> None:
        while True:
            try:
                await self._step()
            except MovedError:  # by another process: go on from where it is
                self._at = None
            except Reorged:
                await self._chain.changed(_RETRY)
            except ChainError as error:
                _log.warning("index from block %d: %s", self._at.number + 1 if self._at else 0, error)
                await self._chain.changed(_RETRY)
            except SQLAlchemyError as error:
                _log.warning("index: database: %s", one_line(error))
                self._at = None
                await asyncio.sleep(_RETRY)

    async def _step(self) -> None:
        """Index the next block or a range of them, or wait for one."""
        if self._at is None:
            begin = await asyncio.to_thread(self._writer.begin)
            await self._move(begin)
            self._publish(ChangeNotice("status", begin.number))  # another process wrote without notices here
        at = self._at
        assert at is not None  # noqa: S101  (for the type checker)
        if await self._is_void(at):
            await self._take_back(at)
            return
        final, first = self._chain.final(), BlockNumber(at.number + 1)
        if final.number < first:
            await self._chain.changed(_WAIT)
            return
        deep = min(final.number, self._chain.head().number - _NEAR)
        if deep - first >= _NEAR:
            await self._index_range(at, first, BlockNumber(min(deep, first + self._span - 1)))
        else:
            await self._index_block(at, first)

    async def _index_block(self, at: Block, number: BlockNumber) -> None:
        block = await self._chain.block(number)
        if block is None or (at.timestamp and block.parent != at.hash):
            raise Reorged(f"block {number}: not the one after {at.number}; look again")
        logs = await self._chain.logs(self._filter, block)
        events = await self._decode(logs)
        await self._add(at, events, Block(number, block.hash, block.timestamp))

    async def _index_range(self, at: Block, first: BlockNumber, last: BlockNumber) -> None:
        """Index a range that lies too deep for a reorg; Reorged where there was one all the same."""
        before = await self._chain.block(last)
        logs = await self._chain.logs(self._filter, (first, last))
        after = await self._chain.block(last)
        if before is None or before != after or await self._is_void(at):
            raise Reorged(f"blocks {first} to {last}: changed while they were read")
        if len(logs) > 2 * BATCH:
            self._span = max(1, self._span // 2)
        elif len(logs) < BATCH // 2:
            self._span = min(2 * self._span, _SPAN)
        logs.sort(key=_get_place)
        while len(logs) > BATCH:
            logs, rest = _split_batch(logs)
            if not rest:
                break
            events = await self._decode(logs)
            end = Block(events[-1].block, events[-1].block_hash, events[-1].timestamp)
            await self._add(at, events, end)
            at, logs = end, rest
        await self._add(at, await self._decode(logs), Block(last, before.hash, before.timestamp))

    async def _decode(self, logs: Sequence[Any]) -> list[Event]:
        if any(log.get("blockTimestamp") is None for log in logs):
            return await self._chain.decode(list(logs))
        return await asyncio.to_thread(_decode_logs, logs)

    async def _add(self, at: Block, events: Sequence[Event], last: Block) -> None:
        await asyncio.shield(asyncio.create_task(asyncio.to_thread(self._writer.add, at, events, last)))
        await self._move(last)
        notices = list(dict.fromkeys(notice for event in events for notice in list_notices(event)))
        if len(notices) > MAX_NOTICES:
            notices = [ChangeNotice("status", last.number)]
        for notice in notices:
            self._publish(notice)
        for reader in self._readers:
            reader.wake()

    async def _is_void(self, block: Block) -> bool:
        """Whether a block is no longer part of the chain; Reorged where the node is behind it."""
        if not block.timestamp:
            return False  # below the network's first
        current = await self._chain.block(block.number)
        if current is None:
            if self._chain.head().number < block.number:
                raise Reorged(f"block {block.number}: not there yet; the node is behind")
            return True
        return current.hash != block.hash

    async def _take_back(self, at: Block) -> None:
        hashed = await asyncio.to_thread(self._writer.list_hashed_below, at.number)
        to = self._writer.get_genesis()
        for block in hashed:
            if not await self._is_void(block):
                to = block
                break
        await asyncio.to_thread(self._writer.take_back, at, to)
        _log.info("index: blocks above %d are void", to.number)
        await self._move(to)
        self._publish(ChangeNotice("reorg", to.number))

    async def _move(self, to: Block) -> None:
        async with self._moved:
            self._at = to
            self._moved.notify_all()


def _get_place(log: Any) -> tuple[int, int]:
    return int(log["blockNumber"], 16), int(log["logIndex"], 16)


def _split_batch(logs: list[Any]) -> tuple[list[Any], list[Any]]:
    """Split off the first BATCH logs and those of the same block."""
    end = BATCH
    while end < len(logs) and logs[end]["blockNumber"] == logs[end - 1]["blockNumber"]:
        end += 1
    return logs[:end], logs[end:]


def _decode_logs(logs: Sequence[Any]) -> list[Event]:
    events = (decode_log(log, Timestamp(int(log["blockTimestamp"], 16))) for log in logs)
    return [event for event in events if event is not None]
