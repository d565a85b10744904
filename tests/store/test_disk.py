import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.errors import ContentError, Mismatch, NotFound, TooLarge
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.folder import FolderSource
from dao.store.hashing import cid_of_file
from dao.store.layered import LayeredStore
from dao.store.partial_file import PartialFile


def pouring(pieces: AsyncIterator[bytes]) -> Callable[[PartialFile], Awaitable[None]]:
    return lambda incoming: incoming.take(pieces)


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def leftovers(disk: DiskStore) -> list[Path]:
    return list(disk.tmp.iterdir())


@pytest.mark.parametrize("size", [1, CONTENT_LEAF, CONTENT_LEAF + 1, 9 * CONTENT_LEAF + 5])
async def test_disk__put_and_get__same_bytes(disk: DiskStore, size: int) -> None:
    data = b"\0" + os.urandom(
        size - 1
    )  # as all that the protocol knows, it does not begin like a node of a tree
    cid = await disk.put_bytes(data)
    assert cid == cid_of_bytes(data) == await disk.resolve(cid.digest)
    assert (await disk.get(cid)).read_bytes() == data
    assert await disk.get(cid.digest) == await disk.get(cid)
    assert await disk.has(cid)
    assert not leftovers(disk)


async def test_disk__is_full__one_line_that_names_it_and_nothing_is_left(
    disk: DiskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, data = DiskStore(tmp_path / "other"), os.urandom(2 * CONTENT_LEAF)
    cid = await other.put_bytes(data)
    store = LayeredStore(disk, [FolderSource(tmp_path / "other")], (), 1)

    def write(_file: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        for put in (disk.put_bytes(data), disk.put_file(other.path_of(cid)), store.get(cid)):
            with pytest.raises(
                ContentError,
                match=rf"cannot write {disk.tmp}/.*: No space left on device; make room on the disk",
            ):
                await put
        with (
            pytest.raises(ContentError, match="No space left on device"),
            disk.resumable(cid.digest, CONTENT_LEAF * 2) as incoming,
        ):
            await incoming.take(stream(data))
    with disk.resumable(cid.digest, CONTENT_LEAF * 2) as incoming:
        await incoming.take(stream(data))
        disk.keep(incoming, incoming.check(cid))
    assert await store.get(cid) == disk.path_of(cid)
    assert not leftovers(disk)


async def test_disk__synced__same_bytes(tmp_path: Path) -> None:
    disk = DiskStore(tmp_path, sync=True)
    cid = await disk.put_bytes(b"kept through a power failure")
    assert (await DiskStore(tmp_path).get(cid)).read_bytes() == b"kept through a power failure"


async def test_disk_put_file__move__is_a_rename(disk: DiskStore, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(os.urandom(3 * CONTENT_LEAF))
    inode = path.stat().st_ino
    cid = await disk.put_file(path, move=True)
    assert not path.exists()
    assert (await disk.get(cid)).stat().st_ino == inode


async def test_disk_put_file__copy__leaves_the_file(disk: DiskStore, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"weights")
    cid = await disk.put_file(path)
    path.write_bytes(b"changed afterwards")
    assert (await disk.get(cid)).read_bytes() == b"weights"


async def test_disk_put_file__again_from_its_own_place__stays(disk: DiskStore) -> None:
    cid = await disk.put_bytes(b"weights")
    assert await disk.put_file(await disk.get(cid), move=True) == cid
    assert (await disk.get(cid)).read_bytes() == b"weights"


async def test_disk_put_file__not_a_file__refused(disk: DiskStore, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for name in ("absent", "link", "empty", "disk", "pipe"):
        with pytest.raises(ContentError, match=str(tmp_path / name)):
            await disk.put_file(tmp_path / name, move=True)
    assert (tmp_path / "link").is_symlink()


async def test_disk__empty__refused(disk: DiskStore) -> None:
    with pytest.raises(ContentError, match="empty"):
        await disk.put_bytes(b"")
    with pytest.raises(ContentError, match="empty"):
        await disk.put_from(pouring(stream()), cid_of_bytes(b"x"))


async def test_disk_get__absent__not_found(disk: DiskStore) -> None:
    cid = cid_of_bytes(b"never stored")
    for call in (disk.get(cid), disk.get(cid.digest), disk.resolve(cid.digest), disk.pin(cid)):
        with pytest.raises(NotFound, match="it is not here"):
            await call
    assert not await disk.has(cid)


@pytest.mark.parametrize("size", [10, 6 * CONTENT_LEAF])
async def test_disk_get__corrupt_file__set_aside_and_can_be_put_again(
    disk: DiskStore, size: int, corrupt: Callable[[Path], None]
) -> None:
    data = os.urandom(size)
    cid = await disk.put_bytes(data)
    corrupt(disk.path_of(cid))
    with pytest.raises(Mismatch, match="fetch it again"):
        await disk.get(cid)
    with pytest.raises(NotFound):
        await disk.get(cid)
    assert len(list((disk.root / "aside").iterdir())) == 1
    await disk.put_bytes(data)
    assert (await disk.get(cid)).read_bytes() == data


async def test_folder_get__corrupt_file_or_folder_in_its_place__named_and_left_as_it_is(
    disk: DiskStore, corrupt: Callable[[Path], None]
) -> None:
    source = FolderSource(disk.root)
    changed, replaced = await disk.put_bytes(os.urandom(10)), await disk.put_bytes(os.urandom(10))
    corrupt(disk.path_of(changed))
    disk.path_of(replaced).unlink()
    disk.path_of(replaced).mkdir()
    before = {path: path.lstat().st_mtime_ns for path in disk.root.rglob("*")}
    for _ in range(2):
        with pytest.raises(Mismatch, match="its bytes have changed; fetch it again"):
            await source.get(changed)
        with pytest.raises(ContentError, match="cannot be read: Is a directory"):
            await source.get(replaced)
    assert {path: path.lstat().st_mtime_ns for path in disk.root.rglob("*")} == before


async def test_folder__not_there__not_found_and_not_made(tmp_path: Path) -> None:
    source, cid = FolderSource(tmp_path / "none"), cid_of_bytes(b"x")
    for call in (source.get(cid), source.resolve(cid.digest)):
        with pytest.raises(NotFound, match="it is not here"):
            await call
    assert not await source.has(cid)
    assert not (tmp_path / "none").exists()


async def test_disk_get__corrupt_file_cannot_be_set_aside__still_a_mismatch(
    disk: DiskStore, corrupt: Callable[[Path], None]
) -> None:
    cid = await disk.put_bytes(os.urandom(10))
    corrupt(disk.path_of(cid))
    (disk.root / "aside").rmdir()
    (disk.root / "aside").write_text("in its place")
    with pytest.raises(Mismatch, match=r"cannot be set aside \(Not a directory\); fetch it again"):
        await disk.get(cid)


async def test_disk_get__cut_short_or_emptied__mismatch(disk: DiskStore) -> None:
    for length in (0, CONTENT_LEAF):
        cid = await disk.put_bytes(os.urandom(2 * CONTENT_LEAF))
        disk.path_of(cid).chmod(0o600)
        os.truncate(disk.path_of(cid), length)
        with pytest.raises(Mismatch):
            await disk.get(cid)


async def test_disk_get__other_codec__mismatch_and_the_file_stays(disk: DiskStore) -> None:
    cid = await disk.put_bytes(b"raw")
    with pytest.raises(Mismatch, match="another codec"):
        await disk.get(Cid(ContentCodec.DAG_PB, cid.digest))
    assert (await disk.get(cid)).exists()


async def test_disk_find_unchanged__read_changed_gone_and_unread__those_that_were_read_and_are_as_they_were(
    disk: DiskStore,
) -> None:
    cids = [await disk.put_bytes(bytes([index]) * 100) for index in range(4)]
    kept, changed, gone, unread = cids
    for cid in cids:
        os.utime(disk.path_of(cid), (0, 0))  # of an earlier moment, so that a change since is seen
    for cid in (kept, changed, gone):
        await disk.get(cid)
    disk.path_of(changed).chmod(0o600)
    disk.path_of(changed).write_bytes(bytes(100))
    disk.path_of(gone).unlink()
    os.utime(disk.path_of(kept), (0, 0))
    other = Cid(ContentCodec.DAG_PB, kept.digest)
    assert disk.find_unchanged([kept, changed, gone, unread, other]) == {kept: 100}
    assert disk.path_of(kept).stat().st_atime > time.time() - 60  # it was used


async def test_disk__above_the_cap__too_large(tmp_path: Path) -> None:
    disk = DiskStore(tmp_path / "small", max_bytes=100, sync=False)
    (tmp_path / "file").write_bytes(bytes(101))
    with pytest.raises(TooLarge, match="101 bytes"):
        await disk.put_bytes(bytes(101))
    with pytest.raises(TooLarge, match="101 bytes"):
        await disk.put_file(tmp_path / "file", move=True)
    cid = await disk.put_bytes(bytes(100))
    with pytest.raises(TooLarge, match="99 allowed"):
        await disk.get(cid, max_bytes=99)
    assert (await disk.get(cid, max_bytes=100)).exists()


async def test_disk_put_from__right_content__stored(disk: DiskStore) -> None:
    data = os.urandom(3 * CONTENT_LEAF)
    pieces = data[:10], data[10 : CONTENT_LEAF + 5], data[CONTENT_LEAF + 5 :]
    assert await disk.put_from(pouring(stream(*pieces)), cid_of_bytes(data)) == cid_of_bytes(data)
    assert (await disk.get(cid_of_bytes(data))).read_bytes() == data


async def test_disk_put_from__wrong_or_endless__nothing_kept(disk: DiskStore) -> None:
    wanted = cid_of_bytes(b"promised")
    with pytest.raises(Mismatch, match=str(wanted)):
        await disk.put_from(pouring(stream(b"sent instead")), wanted)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(CONTENT_LEAF)

    with pytest.raises(TooLarge, match="allowed"):
        await disk.put_from(pouring(endless()), wanted, max_bytes=5 * CONTENT_LEAF)
    assert not await disk.has(wanted)
    assert not leftovers(disk)


async def test_disk_put_from__cancelled__nothing_kept(disk: DiskStore) -> None:
    started = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield bytes(CONTENT_LEAF)
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(disk.put_from(pouring(stalling()), cid_of_bytes(b"x")))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not leftovers(disk)


async def test_disk__same_content_at_once__one_file(disk: DiskStore) -> None:
    data = os.urandom(2 * CONTENT_LEAF)
    cids = await asyncio.gather(*(disk.put_bytes(data) for _ in range(8)))
    assert set(cids) == {cid_of_bytes(data)}
    assert len(list((disk.root / "objects").glob("*/*"))) == 1
    assert not leftovers(disk)


async def test_disk_prune__over_the_limit__oldest_unpinned_goes(disk: DiskStore) -> None:
    cids = [await disk.put_bytes(bytes([index]) * 100) for index in range(4)]
    for index, cid in enumerate(cids):
        os.utime(disk.path_of(cid), (1000 + index, 1000 + index))
    await disk.pin(cids[0])
    await disk.get(cids[1])  # used just now
    assert await disk.prune(300) == 100
    assert [await disk.has(cid) for cid in cids] == [True, True, False, True]
    assert await disk.prune(0) == 200
    assert [await disk.has(cid) for cid in cids] == [True, False, False, False]
    await disk.unpin(cids[0])
    await disk.unpin(cids[0])
    assert await disk.prune(0) == 100


async def test_disk_drop__pinned_or_not__only_what_is_not_goes(disk: DiskStore) -> None:
    kept, dropped = await disk.put_bytes(b"kept"), await disk.put_bytes(b"dropped")
    await disk.pin(kept)
    for content in (kept, dropped, dropped.digest):
        await disk.drop(content)
    assert [await disk.has(cid) for cid in (kept, dropped)] == [True, False]


async def test_disk_prune__forgotten_files__removed(disk: DiskStore, corrupt: Callable[[Path], None]) -> None:
    cid = await disk.put_bytes(b"content")
    corrupt(disk.path_of(cid))
    with pytest.raises(Mismatch):
        await disk.get(cid)
    (disk.tmp / "in use").write_bytes(b"12")
    (disk.tmp / "forgotten").write_bytes(b"123")
    os.utime(disk.tmp / "forgotten", (1, 1))
    assert await disk.prune(1000) == len(b"content") + 3
    assert [path.name for path in disk.tmp.iterdir()] == ["in use"]


async def test_disk_get__unchanged_since_it_was_read__not_read_again(
    disk: DiskStore, monkeypatch: pytest.MonkeyPatch, corrupt: Callable[[Path], None]
) -> None:
    cid, read = await disk.put_bytes(os.urandom(10)), list[int]()
    path = disk.path_of(cid)
    os.utime(path, (1000, 1000))  # long ago, and not in this moment

    def read_through(descriptor: int, size: int) -> Cid:
        read.append(size)
        return cid_of_file(descriptor, size)

    monkeypatch.setattr("dao.store.disk.cid_of_file", read_through)
    for _ in range(3):
        await disk.get(cid)
    assert read == [10]
    assert path.stat().st_mtime == 1000
    assert path.stat().st_atime > 1000  # so that `prune` keeps it
    corrupt(path)
    with pytest.raises(Mismatch):
        await disk.get(cid)


@pytest.mark.parametrize("way", ["bytes", "copied", "moved", "poured"])
async def test_disk_get__just_put__not_read_again_before_it_changes(
    disk: DiskStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corrupt: Callable[[Path], None],
    way: str,
) -> None:
    data, read = os.urandom(10), list[int]()
    if way == "bytes":
        cid = await disk.put_bytes(data)
    elif way == "poured":
        cid = await disk.put_from(pouring(stream(data)), cid_of_bytes(data))
    else:
        file = (disk.tmp if way == "moved" else tmp_path) / "file"
        file.write_bytes(data)
        cid = await disk.put_file(file, move=way == "moved")
    with monkeypatch.context() as counted:
        counted.setattr("dao.store.disk.cid_of_file", lambda _descriptor, size: read.append(size))
        assert (await disk.get(cid)).read_bytes() == data
    assert not read
    corrupt(disk.path_of(cid))  # in the same moment
    with pytest.raises(Mismatch):
        await disk.get(cid)


async def test_disk_get__read_in_the_moment_of_its_last_change__read_again(disk: DiskStore) -> None:
    """A kernel dates what happens within one of its ticks the same."""
    data = os.urandom(10)
    cid = await disk.put_bytes(data)
    path, now = disk.path_of(cid), time.time_ns() + 3600 * 10**9
    os.utime(path, ns=(now, now))
    await disk.get(cid)
    path.chmod(0o600)
    path.write_bytes(data[::-1])
    os.utime(path, ns=(now, now))
    with pytest.raises(Mismatch):
        await disk.get(cid)


async def test_disk_get__changed_while_it_is_read__read_again(
    disk: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(10)
    cid = await disk.put_bytes(data)
    path = disk.path_of(cid)
    os.utime(path, (1000, 1000))

    def change_behind(descriptor: int, size: int) -> Cid:
        found = cid_of_file(descriptor, size)
        path.chmod(0o600)
        path.write_bytes(data[::-1])
        return found

    monkeypatch.setattr("dao.store.disk.cid_of_file", change_behind)
    await disk.get(cid)  # as it was
    monkeypatch.undo()
    os.utime(path, (2000, 2000))
    with pytest.raises(Mismatch):
        await disk.get(cid)
