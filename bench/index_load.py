"""Fills an index from a made-up chain and measures it: events a second, memory from batch to batch, reads afterwards.

The whole path counts from a log's JSON on: parsed, decoded, applied, written. Only the chain's node and the line to it
are left out.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psutil
from sqlalchemy import Engine

from bench.synthetic_events import (
    NETWORK,
    SyntheticHistory,
    block_hash,
    log_of,
    operator_of,
    owner_of,
    time_of,
)
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.core.types import BlockNumber, RoundId, TaskId, Wei
from dao.errors import ConfigError
from dao.index.database import migrate, open_database
from dao.index.indexer import Indexer
from dao.index.reads import Reads
from dao.index.reads.records import ProposalPhase
from dao.index.writer import Block, Writer

_ABOVE = 20  # empty blocks above the last event, so that all lie deep
_LIMIT = 3600.0  # seconds
_READS = 100  # of each kind
_BATCH = 1000


class WrittenChain:
    """A chain of which the logs lie in a file, a line each, in order; what Indexer asks of a Chain."""

    chain_id = NETWORK.chain_id
    deployment = NETWORK

    def __init__(self, path: Path, last: int) -> None:
        self._lines = path.open("rb")
        self._ahead: dict[str, Any] | None = None
        self._head = BlockNumber(last + _ABOVE)

    def head(self) -> BlockRef:
        """The last block."""
        return self._block(self._head)

    final = head

    def filter_of(self, *_: object) -> dict[str, object]:
        """Everything."""
        return {}

    async def changed(self, limit: float) -> bool:
        """Nothing changes."""
        await asyncio.sleep(min(limit, 60.0))
        return False

    async def block(self, which: BlockNumber) -> BlockRef | None:
        """Any block up to the head."""
        return self._block(which) if which <= self._head else None

    async def logs(self, _: object, at: BlockRef | tuple[BlockNumber, BlockNumber]) -> list[Any]:
        """The logs up to a block, each asked for once, in order."""
        last = at.number if isinstance(at, BlockRef) else at[1]
        found: list[Any] = []
        while True:
            log = self._ahead or self._next()
            self._ahead = None
            if log is None:
                return found
            if int(log["blockNumber"], 16) > last:
                self._ahead = log
                return found
            found.append(log)

    def _next(self) -> dict[str, Any] | None:
        line = self._lines.readline()
        return cast("dict[str, Any]", json.loads(line)) if line else None

    @staticmethod
    def _block(number: int) -> BlockRef:
        parent = block_hash(number - 1)
        return BlockRef(BlockNumber(number), block_hash(number), parent, time_of(number), Wei(0))


def measure(count: int, database: str | None) -> dict[str, Any]:
    """Fill an index with `count` events and read from it; the figures. ConfigError where the database is not empty."""
    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as folder:
        history = SyntheticHistory()
        path = Path(folder) / "logs"
        with path.open("w", encoding="utf-8") as file:
            made = sum(1 for event in history.events(count) if file.write(json.dumps(log_of(event)) + "\n"))
        engine = open_database(database or Path(folder) / "index.db")
        migrate(engine)
        if Reads(engine).find_status() is not None:
            raise ConfigError("--database: expected an empty one, this one holds an index")
        figures = asyncio.run(_fill(engine, path, made))
        figures["reads"] = reads(engine, history)
        engine.dispose()
        return {"database": engine.dialect.name, **figures}


async def _fill(engine: Engine, path: Path, made: int) -> dict[str, Any]:
    with path.open("rb") as file:
        file.seek(-2000, 2)
        last = int(json.loads(file.readlines()[-1])["blockNumber"], 16)
    chain = cast("Chain", WrittenChain(path, last))
    process = psutil.Process()
    memory: list[tuple[int, float]] = []
    indexer = Indexer(chain, engine, None, lambda change: memory.append((change.block, _megabytes(process))))
    before, cpu, start = _megabytes(process), sum(process.cpu_times()[:2]), time.perf_counter()
    async with asyncio.timeout(_LIMIT), asyncio.TaskGroup() as group:
        running = group.create_task(indexer.run())
        await indexer.wait_for_block(BlockNumber(last), _LIMIT)
        seconds = time.perf_counter() - start
        running.cancel()
    after = [size for block, size in memory if block >= last // 5]
    return {
        "events": made,
        "seconds": round(seconds, 2),
        "events_per_second": round(made / seconds),
        "cpu_seconds": round(sum(process.cpu_times()[:2]) - cpu, 2),
        "before_mb": round(before, 1),
        "peak_mb": round(max(size for _, size in memory), 1),
        "growth_mb_after_a_fifth": round(after[-1] - after[0], 1),
    }


def reads(engine: Engine, history: SyntheticHistory) -> dict[str, dict[str, float]]:
    """Milliseconds of each kind of read: median and 99th percentile, one at a time, of various things."""
    index = Reads(engine)
    task, who = TaskId(1), owner_of(7)
    proposal = index.list_proposals(limit=1).items[0].proposal
    last = index.list_tasks(limit=1).items[0].last_round
    kinds: dict[str, Callable[[int], object]] = {
        "network": lambda _: index.get_network(NETWORK),
        "tasks": lambda _: index.list_tasks(),
        "rounds": lambda _: index.list_rounds(task),
        "round": lambda n: index.find_round(task, RoundId(1 + n % last)),
        "nodes": lambda n: index.list_round_nodes(task, RoundId(1 + n % last)),
        "supernodes": lambda _: index.list_task_nodes(task),
        "supernode": lambda n: index.find_supernode(operator_of(n % history.members)),
        "account": lambda n: index.get_account(owner_of(n % history.members)),
        "delegates": lambda _: index.list_delegates(),
        "treasury": lambda _: index.get_treasury(NETWORK),
        "payments": lambda _: index.list_payments(),
        "proposals": lambda _: index.list_proposals(),
        "proposals_active": lambda _: index.list_proposals(ProposalPhase.ACTIVE),
        "proposal": lambda _: index.find_proposal(proposal),
        "votes": lambda _: index.list_votes(proposal),
        "votes_of": lambda _: index.list_votes_of(who),
        "events": index.list_events,
        "events_of_votes": lambda _: index.list_events(topics=["vote"]),
        "events_of_account": lambda _: index.list_events(address=who),
    }
    return {name: _times(read) for name, read in kinds.items()}


def _times(read: Callable[[int], object]) -> dict[str, float]:
    times = []
    for number in range(_READS):
        start = time.perf_counter()
        read(number)
        times.append(1000 * (time.perf_counter() - start))
    times.sort()
    return {"p50_ms": round(times[_READS // 2], 2), "p99_ms": round(times[_READS * 99 // 100], 2)}


def fill(engine: Engine, count: int, history: SyntheticHistory | None = None) -> Block:
    """Write about `count` made-up events into a database that is up to date and empty; the last block."""
    writer = Writer(engine, NETWORK)
    at = writer.begin()
    events: list[Any] = []
    for event in (history or SyntheticHistory()).events(count):
        if len(events) >= _BATCH and event.block != events[-1].block:
            at = _written(writer, at, events)
            events = []
        events.append(event)
    return _written(writer, at, events) if events else at


def _written(writer: Writer, at: Block, events: list[Any]) -> Block:
    last = Block(events[-1].block, events[-1].block_hash, events[-1].timestamp)
    writer.add(at, events, last)
    return last


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6
