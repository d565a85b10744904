import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import ContentError, Mismatch, NotFound, TooLarge
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT


class Scripted:
    """A source that goes through a list of answers: a file, or an error."""

    def __init__(self, name: str, *answers: Path | ContentError) -> None:
        self.name, self.answers, self.asked = name, list(answers), 0

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        await asyncio.sleep(0)
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ContentError):
            raise answer
        return answer

    async def has(self, content: Cid | Digest) -> bool:
        return True

    async def resolve(self, digest: Digest) -> Cid:
        raise NotFound(f"{self.name}: no")


class Full(DiskStore):
    """A store that takes nothing."""

    name = "full disk"

    async def put_file(self, path: Path, move: bool = False) -> Cid:
        raise ContentError("full disk: no space left; free some")


@pytest.fixture
def other(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "other", sync=False)


async def test_layered_get__second_source_has_it__kept_locally(disk: DiskStore, other: DiskStore) -> None:
    cid = await other.put_bytes(b"content")
    first = Scripted("first", NotFound("first: no"))
    store = LayeredStore(disk, [first, other])
    assert (await store.get(cid)).read_bytes() == b"content"
    assert await store.get(cid) == disk.path_of(cid)
    assert await store.has(cid)
    assert first.asked == 1


async def test_layered_get__source_comes_back__found_on_a_later_attempt(
    disk: DiskStore, other: DiskStore
) -> None:
    cid = await other.put_bytes(b"content")
    source = Scripted(
        "unsteady", ContentError("unsteady: reset"), NotFound("unsteady: no"), await other.get(cid)
    )
    assert (await LayeredStore(disk, [source], pause=0.001).get(cid)).exists()
    assert source.asked == 3


async def test_layered_get__source_lies__mismatch_then_the_honest_one(
    disk: DiskStore, other: DiskStore, tmp_path: Path
) -> None:
    cid = await other.put_bytes(b"content")
    (tmp_path / "lie").write_bytes(b"another")
    store = LayeredStore(disk, [Scripted("liar", tmp_path / "lie"), other])
    assert (await store.get(cid)).read_bytes() == b"content"
    with pytest.raises(NotFound, match=r"liar: .*not those of the CID"):
        await LayeredStore(disk, [Scripted("liar", tmp_path / "lie")], attempts=1).get(cid_of_bytes(b"x"))


async def test_layered_get__corrupt_on_disk__fetched_again(
    disk: DiskStore, other: DiskStore, corrupt: Callable[[Path], None]
) -> None:
    cid = await other.put_bytes(b"content")
    store = LayeredStore(disk, [other])
    corrupt(await store.get(cid))
    assert (await store.get(cid)).read_bytes() == b"content"


async def test_layered_get__nobody_has_it__every_source_named(disk: DiskStore) -> None:
    cid = cid_of_bytes(b"content")
    sources = Scripted("first", NotFound("gone")), Scripted("second", Mismatch("wrong bytes"))
    with pytest.raises(NotFound, match=f"^{cid}: cannot be had: first: gone; second: wrong bytes$"):
        await LayeredStore(disk, sources, attempts=2, pause=0.001).get(cid)
    assert [source.asked for source in sources] == [2, 2]
    with pytest.raises(NotFound, match="tried disk, first, second"):
        await LayeredStore(disk, sources).resolve(cid.digest)
    with pytest.raises(NotFound, match=f"^{cid}: cannot be had: it is not in .*"):
        await LayeredStore(disk).get(cid)


@pytest.mark.parametrize(
    ("error", "is_certain"),
    [(NotFound("gone"), True), (Mismatch("wrong bytes"), True), (ContentError("no answer"), False)],
)
async def test_layered_get__nobody_has_it__says_whether_all_have_answered(
    disk: DiskStore, error: ContentError, is_certain: bool
) -> None:
    sources = Scripted("first", ContentError("reset"), NotFound("gone")), Scripted("second", error)
    with pytest.raises(NotFound) as raised:
        await LayeredStore(disk, sources, attempts=2, pause=0.001).get(cid_of_bytes(b"content"))
    assert raised.value.is_certain == is_certain


async def test_layered_get__too_large_everywhere__said_at_once(disk: DiskStore) -> None:
    source = Scripted("only", TooLarge("only: 9 bytes are more than the 5 allowed here"))
    with pytest.raises(TooLarge, match="9 bytes"):
        await LayeredStore(disk, [source]).get(cid_of_bytes(b"content"), max_bytes=5)
    assert source.asked == 1


async def test_layered_get__asked_by_many__fetched_once(disk: DiskStore, other: DiskStore) -> None:
    cid = await other.put_bytes(os.urandom(100_000))
    source = Scripted("slow", await other.get(cid))
    store = LayeredStore(disk, [source])
    assert set(await asyncio.gather(*(store.get(cid) for _ in range(20)))) == {disk.path_of(cid)}
    assert source.asked == 1


async def test_layered_put__replicas__told_which_hold_it(
    disk: DiskStore, other: DiskStore, tmp_path: Path
) -> None:
    full = Full(tmp_path / "full", sync=False)
    store = LayeredStore(disk, replicas=[other, full])
    cid = await store.put_bytes(b"content")
    assert await other.has(cid)
    assert await store.publish(cid) == ["disk"]
    (tmp_path / "file").write_bytes(b"second")
    cid = await store.put_file(tmp_path / "file", move=True)
    assert await other.has(cid)
    assert await disk.has(cid)


async def test_layered_pin__everywhere__kept_when_pruned(
    disk: DiskStore, other: DiskStore, tmp_path: Path
) -> None:
    third = DiskStore(tmp_path / "third", sync=False)
    cid = await third.put_bytes(b"content")
    store = LayeredStore(disk, [third], [other, Full(tmp_path / "full", sync=False)])
    await store.pin(cid)
    await disk.prune(0)
    await other.prune(0)
    assert await disk.has(cid)
    assert await other.has(cid)
    assert await store.unpin(cid)
    await disk.prune(0)
    await other.prune(0)
    assert not await disk.has(cid)
    assert not await other.has(cid)
    assert await store.resolve(cid.digest) == cid


async def test_layered_unpin__a_replica_is_away__is_told_and_the_others_let_go(
    disk: DiskStore, other: DiskStore, tmp_path: Path
) -> None:
    class Away(DiskStore):
        async def unpin(self, _: object) -> None:
            raise ContentError("no answer")

    store = LayeredStore(disk, replicas=[Away(tmp_path / "away", sync=False), other])
    cid = await store.put_bytes(b"content")
    await store.pin(cid)
    assert not await store.unpin(cid)
    await disk.prune(0)
    await other.prune(0)
    assert not await disk.has(cid)
    assert not await other.has(cid)
