"""Content that a replica is slow to take: the result waits a little, and not for ever."""

import asyncio
from pathlib import Path

from aggregator.publisher import Publisher
from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore


class Slow(DiskStore):
    """Answers once it is let."""

    name = "slow replica"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.go = asyncio.Event()

    async def has(self, content: Cid | Digest) -> bool:
        await self.go.wait()
        return await super().has(content)


async def test_settled__a_replica_hangs__ends_and_the_replica_has_the_content_later(tmp_path: Path) -> None:
    replica = Slow(tmp_path / "replica")
    publisher = Publisher(LayeredStore(DiskStore(tmp_path / "own"), replicas=[replica]))
    cid = await publisher.put_for_good(b"manifest")
    async with asyncio.timeout(10):
        await publisher.wait_settled(0.01)
    assert not await DiskStore(replica.root).has(cid)
    replica.go.set()
    async with asyncio.timeout(10):
        await publisher.wait_settled(10)
    assert await replica.has(cid)


async def test_sync__of_content_that_was_dropped_meanwhile__goes_on_with_the_rest(tmp_path: Path) -> None:
    disk = DiskStore(tmp_path / "own")
    publisher = Publisher(LayeredStore(disk))
    cids = [await publisher.put_for_good(b"%d" % number) for number in range(3)]
    await publisher.wait_settled(10)
    for cid in cids[:2]:
        await disk.discard(cid)
    await publisher.sync(cids[2])
    assert not publisher._unsynced
