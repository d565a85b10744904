"""The new model, fetched before the chain names it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dao.core.types import Address, Digest, TaskId
from dao.errors import TooLarge
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.outcomes import Outcomes

pytestmark = pytest.mark.asyncio

BASE, NEW, LARGE = os.urandom(1000), os.urandom(1000), os.urandom(1001)


class Counted(DiskStore):
    """A source that counts what is fetched from it."""

    fetched = 0

    async def get(self, *args: Any, **options: Any) -> Path:
        self.fetched += 1
        return await super().get(*args, **options)


@pytest.fixture
async def source(tmp_path: Path) -> Counted:
    disk = Counted(tmp_path / "source")
    for data in (BASE, NEW, LARGE):
        await disk.put_bytes(data)
    return disk


@pytest.fixture
async def outcomes(source: Counted, tmp_path: Path) -> AsyncIterator[Outcomes]:
    store = LayeredStore(DiskStore(tmp_path / "own"), [source], pause=0.01)
    nobody = cast("Any", None)
    made = Outcomes(TaskId(1), Address(bytes(20)), nobody, nobody, store, 1 << 20, nobody)
    await made.get_model(digest_of(BASE))
    yield made
    await made.close()


def digest_of(data: bytes) -> Digest:
    return cid_of_bytes(data).digest


async def test_look_ahead__the_right_model__is_there_when_the_chain_names_it(
    outcomes: Outcomes, source: Counted
) -> None:
    outcomes.look_ahead(digest_of(NEW))
    assert (await outcomes.get_model(digest_of(NEW))).read_bytes() == NEW
    assert source.fetched == 2


async def test_look_ahead__another_model__the_one_on_chain_is_used(outcomes: Outcomes) -> None:
    outcomes.look_ahead(digest_of(b"no such content"))
    with capture_logs() as said:
        assert (await outcomes.get_model(digest_of(NEW))).read_bytes() == NEW
    assert [event["digest"] for event in said if event["event"] == "model"] == ["0x" + digest_of(NEW).hex()]


async def test_look_ahead__larger_than_the_base__only_fetched_when_the_chain_names_it(
    outcomes: Outcomes, source: Counted, tmp_path: Path
) -> None:
    outcomes.look_ahead(digest_of(LARGE))
    (fetching,) = [task for digest, task in outcomes._models.items() if digest == digest_of(LARGE)]
    with pytest.raises(TooLarge, match="more than the 1000 allowed"):
        await fetching
    assert not DiskStore(tmp_path / "own").path_of(digest_of(LARGE)).exists()
    assert (await outcomes.get_model(digest_of(LARGE))).read_bytes() == LARGE


async def test_model__others_are_asked_for_meanwhile__is_not_given_up(tmp_path: Path) -> None:
    class Slow(DiskStore):
        go = asyncio.Event()

        async def get(self, *args: Any, **options: Any) -> Path:
            await self.go.wait()
            return await super().get(*args, **options)

    source = Slow(tmp_path / "source")
    for data in (BASE, NEW, LARGE):
        await source.put_bytes(data)
    store = LayeredStore(DiskStore(tmp_path / "own"), [source], pause=0.01)
    nobody = cast("Any", None)
    outcomes = Outcomes(TaskId(1), Address(bytes(20)), nobody, nobody, store, 1 << 20, nobody)
    waiting = asyncio.create_task(outcomes.get_model(digest_of(BASE)))
    await asyncio.sleep(0)
    outcomes.look_ahead(digest_of(NEW))
    outcomes.look_ahead(digest_of(LARGE))
    source.go.set()
    assert (await waiting).read_bytes() == BASE
    await outcomes.close()
