"""However blocks come, and whichever are taken back while they are read, the index is what the last chain says."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from bench.synthetic_events import NETWORK
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.core.types import BlockNumber
from dao.errors import Reorged
from dao.index import indexer as module
from dao.index import schema, writer
from dao.index.database import WRITE, migrate, open_database
from dao.index.indexer import Indexer
from dao.index.reducer import KINDS
from dao.index.writer import Block, Writer
from tests.index.tale import Tale
from tests.index.world import LIMIT, facts_of

Move = tuple[int, int, int]  # requests before it, blocks that it takes back, blocks that it adds
MOVES = st.lists(
    st.tuples(st.integers(1, 10), st.integers(1, 9), st.integers(0, 12)), min_size=5, max_size=15
)


class ToldChain:
    """A tale as a chain's node tells it, which moves between any two requests."""

    chain_id = NETWORK.chain_id
    deployment = NETWORK

    def __init__(self, tale: Tale, moves: list[Move]) -> None:
        self._tale, self._moves = tale, list(moves)
        self._last = 1 + sum(depth for _, depth, _ in moves)  # in the end it is higher than ever
        self._asked = 0
        self.settled = asyncio.Event()

    def head(self) -> BlockRef:
        return self._tale.head

    final = head

    def filter_of(self, _: object) -> dict[str, object]:
        return {}

    async def changed(self, limit: float) -> bool:
        if self._moves:
            self._move()
            return True
        if limit > module._RETRY:  # it has all there is
            self.settled.set()
            await asyncio.Event().wait()
        return False

    async def block(self, which: BlockNumber) -> BlockRef | None:
        self._turn()
        blocks = self._tale.blocks
        return blocks[which].ref if which < len(blocks) else None

    async def logs(self, _: object, at: BlockRef | tuple[int, int]) -> list[Any]:
        self._turn()
        blocks = self._tale.blocks
        if isinstance(at, BlockRef):
            if at.number >= len(blocks) or blocks[at.number].ref != at:
                raise Reorged("gone")
            return list(blocks[at.number].logs)
        return [log for block in blocks[at[0] : at[1] + 1] for log in block.logs]

    def _turn(self) -> None:
        self._asked += 1
        if self._moves and self._asked >= self._moves[0][0]:
            self._move()

    def _move(self) -> None:
        _, depth, growth = self._moves.pop(0)
        self._asked = 0
        self._tale.fork(depth)
        self._tale.grow(growth if self._moves else growth + self._last)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "index.db"
    engine = open_database(path)
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def fresh(place: str, template: Path, tmp_path: Path) -> Iterator[Any]:
    """Gives two empty databases of a kind, again and again."""
    paths = [tmp_path / "one.db", tmp_path / "other.db"]
    if "://" in place:
        engines = [open_database(place), open_database(paths[1])]
        migrate(engines[0])

    def make() -> list[Engine]:
        if "://" in place:
            names = ", ".join(table.name for table in schema.metadata.sorted_tables)
            with engines[0].execution_options(**WRITE).begin() as connection:
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            engines[1].dispose()
            shutil.copy(template, paths[1])
            return engines
        for path in paths:
            for end in ("", "-wal", "-shm"):
                Path(f"{path}{end}").unlink(missing_ok=True)
            shutil.copy(template, path)
        return [open_database(path) for path in paths]

    yield make
    if "://" in place:
        for engine in engines:
            engine.dispose()


async def follow(tale: Tale, moves: list[Move], engine: Engine) -> None:
    """Index a moving chain until it rests."""
    chain = ToldChain(tale, moves)
    indexer = Indexer(cast("Chain", chain), engine)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        running = group.create_task(indexer.run())
        await chain.settled.wait()
        running.cancel()
    assert indexer.at is not None
    assert indexer.at.hash == tale.head.hash


def from_zero(tale: Tale, engine: Engine) -> dict[str, list[str]]:
    """What all blocks at once make."""
    new = Writer(engine, NETWORK)
    head = tale.head
    events = [event for block in tale.blocks for event in block.events]
    new.add(new.begin(), events, Block(head.number, head.hash, head.timestamp))
    return facts_of(engine)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(
    seed=st.integers(0, 2**32),
    blocks=st.integers(1, 40),
    moves=MOVES,
    batch=st.integers(1, 12),
    span=st.integers(1, 20),
    hashed=st.integers(1, 8),
)
def test_index__any_batches_and_reorgs__equals_the_last_chain_from_zero(
    fresh: Any, seed: int, blocks: int, moves: list[Move], batch: int, span: int, hashed: int
) -> None:
    tale = Tale(seed)
    tale.grow(blocks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", batch)
        patch.setattr(module, "_FIRST_SPAN", span)
        patch.setattr(module, "_NEAR", 3)
        patch.setattr(writer, "HASHED_BLOCKS", hashed)
        one, other = fresh()
        asyncio.run(follow(tale, moves, one))
    assert facts_of(one) == from_zero(tale, other)
    if one.dialect.name == "sqlite":
        one.dispose()
    other.dispose()


def test_tale__long_enough__has_every_kind_of_event() -> None:
    tale = Tale(1)
    tale.grow(1500)
    assert {type(event) for block in tale.blocks for event in block.events} == set(KINDS)
