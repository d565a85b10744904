"""Stores content in a folder of its own, one file each, named by digest and checked at every read."""

import asyncio
import contextlib
import math
import os
import secrets
import stat
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import ContentError, NotFound
from dao.store.cid import digest_of_content, name_of
from dao.store.folder import READ, FolderSource
from dao.store.hashing import check_size, cid_of_file
from dao.store.partial_file import PartialFile, age, put_in_place, sync_folder
from dao.store.source import MAX_CONTENT

_STALE_SECONDS = 24 * 3600  # a temporary file of that age is abandoned
# kernels date a change to their tick, of 10 ms at most: another one in the same tick cannot be told from it
_TICK_NS = 20_000_000
_MOST_KNOWN = 4096  # contents
_COUNTED_SECONDS = 60.0  # for which a count of what is stored holds: other processes may add to it


@dataclass(frozen=True, slots=True)
class Mark:
    """How a file is known to be the one that was read."""

    inode: int
    bytes: int
    changed_ns: int


def read_mark(status: os.stat_result) -> Mark:
    """Return how a file is known again, as long as nobody but its owner can write it."""
    return Mark(status.st_ino, status.st_size, status.st_mtime_ns)


def note_use(path: Path) -> None:
    """Have `DiskStore.prune` keep a file, which drops the longest unused; when it changed stays as it is. Blocks."""
    with contextlib.suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


class DiskStore(FolderSource):
    """Content in `root`: `objects/ab/abcd…` by digest, `pins`, `aside` (files that were corrupt), `tmp`.

    `max_bytes` caps every content. With `sync` a stored content survives a power failure; without, the loss is
    noticed when it is read. Several processes may use one folder. A file that has not changed since this process wrote it or read it
    through, by inode, size and time of change, is not read through again.
    """

    def __init__(self, root: Path, max_bytes: int = MAX_CONTENT, sync: bool = True) -> None:
        super().__init__(root, max_bytes)
        self._sync = sync
        self._pins, self._aside = root / "pins", root / "aside"
        self.tmp = root / "tmp"
        self._known: dict[Digest, tuple[Mark, Cid]] = {}
        self._stored, self._counted = 0, -math.inf  # bytes, and when they were counted
        for folder in (self._objects, self._pins, self._aside, self.tmp):
            folder.mkdir(parents=True, exist_ok=True)

    def incoming(self, what: str, max_bytes: int = MAX_CONTENT) -> PartialFile:
        """Return a file to write content to, on this disk and within its cap."""
        return PartialFile(self.tmp / secrets.token_hex(16), min(max_bytes, self.max_bytes), what)

    def resumable(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> PartialFile:
        """Return the file of a download that may go on where an earlier one broke off."""
        path = self.tmp / f"{digest_of_content(content).hex()}.part"
        return PartialFile(path, min(max_bytes, self.max_bytes), f"content {name_of(content)}", resume=True)

    def keep(self, incoming: PartialFile, cid: Cid) -> Path:
        """Move written and checked content to its place; return that. Blocks."""
        path = self._place_of(cid)
        self._stored += incoming.size
        self._remember(cid, read_mark(incoming.place(path, self._sync)))
        return path

    def _place_of(self, cid: Cid) -> Path:
        path = self.path_of(cid)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            if self._sync:
                sync_folder(self._objects)
        return path

    def _get(self, content: Cid | Digest, max_bytes: int) -> Path:
        path = super()._get(content, max_bytes)
        note_use(path)
        return path

    def find_unchanged(self, contents: Iterable[Cid]) -> dict[Cid, int]:
        """Return the bytes of those that this process read through and that have not changed since; they count as used. Blocks.

        One look at all of them: a `get` of each, in a thread of its own, takes longer than many a round.
        """
        found = {}
        for content in contents:
            path, known = self.path_of(content), self._known.get(content.digest)
            with contextlib.suppress(OSError):
                if known is not None and known == (mark := read_mark(path.stat()), content):
                    note_use(path)
                    found[content] = mark.bytes
        return found

    def _read_cid(self, descriptor: int, digest: Digest) -> Cid:
        mark, cid = self._known.get(digest, (None, None))
        if cid is None or mark != read_mark(os.fstat(descriptor)):
            cid = self._read_through(descriptor)
        return cid

    def _read_through(self, descriptor: int) -> Cid:
        """Compute the CID of an open file, and remember it unless a change meanwhile, or a moment ago, may go unseen. Blocks."""
        mark, begun = read_mark(os.fstat(descriptor)), time.time_ns()
        cid = cid_of_file(descriptor, mark.bytes)
        if mark.changed_ns < begun - _TICK_NS and mark == read_mark(os.fstat(descriptor)):
            self._remember(cid, mark)
        else:
            self._known.pop(cid.digest, None)
        return cid

    def _remember(self, cid: Cid, mark: Mark) -> None:
        self._known.pop(cid.digest, None)
        for oldest in list(self._known)[: len(self._known) + 1 - _MOST_KNOWN]:
            self._known.pop(oldest, None)
        self._known[cid.digest] = mark, cid

    def _on_change(self, path: Path) -> str:
        """Set a corrupt file aside, so that the content can be put again."""
        aside = self._aside / f"{path.name}.{time.time_ns()}"
        try:
            path.replace(aside)
        except FileNotFoundError:  # another process was faster
            return ""
        except OSError as error:
            return f" the file cannot be set aside ({error.strerror});"
        return f" the file is now {aside};"

    async def put_bytes(self, data: bytes) -> Cid:
        return await asyncio.to_thread(self._put_bytes, data)

    def _put_bytes(self, data: bytes) -> Cid:
        with self.incoming("content to store") as incoming:
            incoming.write(data)
            cid = incoming.check(None)
            self.keep(incoming, cid)
        return cid

    async def put_file(self, path: Path, move: bool = False) -> Cid:
        return await asyncio.to_thread(self._put_file, path, move)

    def _put_file(self, path: Path, move: bool) -> Cid:
        what = f"file {path}"
        try:
            descriptor = os.open(path, READ)
        except OSError as error:
            raise ContentError(
                f"{what}: cannot be stored: {error.strerror}; expected a readable file"
            ) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ContentError(f"{what}: cannot be stored; expected a regular file")
            check_size(status.st_size, self.max_bytes, what)
            if not move or status.st_dev != self.tmp.stat().st_dev:
                cid = self._copy(descriptor, what)
                if move:
                    path.unlink()
                return cid
            age(descriptor)
            cid = self._read_through(descriptor)
            os.fchmod(descriptor, 0o444)
            if self._sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._stored += status.st_size
        put_in_place(path, self._place_of(cid), self._sync)
        return cid

    def _copy(self, descriptor: int, what: str) -> Cid:
        with self.incoming(what) as incoming:
            while data := os.read(descriptor, CONTENT_LEAF):
                incoming.write(data)
            cid = incoming.check(None)
            self.keep(incoming, cid)
        return cid

    async def put_from(
        self,
        receive: Callable[[PartialFile], Awaitable[None]],
        expected: Cid | Digest,
        max_bytes: int = MAX_CONTENT,
        part: str | None = None,
    ) -> Cid:
        """Store the bytes that `receive` writes; Mismatch or TooLarge, and nothing is stored, when they are others.

        With `part`, a name, what has come stays when `receive` fails, and a later call of that name goes on there.
        """
        what = f"content {name_of(expected)}"
        with (
            self.incoming(what, max_bytes)
            if part is None
            else PartialFile(self.tmp / part, min(max_bytes, self.max_bytes), what, resume=True)
        ) as incoming:
            if part is not None:
                await asyncio.to_thread(incoming.take_up)
            await receive(incoming)
            try:
                cid = incoming.check(expected)
            except ContentError:
                incoming.restart()
                raise
            await asyncio.to_thread(self.keep, incoming, cid)
        return cid

    async def pin(self, content: Cid | Digest) -> None:
        if not await self.has(content):
            raise NotFound(
                f"{name_of(content)} in {self.root}: it is not here, so it cannot be pinned; fetch it first"
            )
        (self._pins / digest_of_content(content).hex()).touch()

    async def pin_for_good(self, content: Cid | Digest) -> None:
        await self.pin(content)

    async def unpin(self, content: Cid | Digest) -> None:
        (self._pins / digest_of_content(content).hex()).unlink(missing_ok=True)

    async def drop(self, content: Cid | Digest) -> None:
        """Delete a content unless it is pinned: it is gone at the first step, which nothing else can come between."""
        if (self._pins / digest_of_content(content).hex()).exists():
            return
        gone = self.tmp / secrets.token_hex(16)
        with contextlib.suppress(FileNotFoundError):
            self.path_of(content).replace(gone)
            await asyncio.to_thread(gone.unlink)

    async def discard(self, content: Cid | Digest) -> None:
        """Delete a content even where it is pinned, as `drop` does."""
        (self._pins / digest_of_content(content).hex()).unlink(missing_ok=True)
        await self.drop(content)

    async def prune(self, keep_bytes: int) -> int:
        """Delete unpinned content, the longest unused first, until at most `keep_bytes` are stored.

        Returns the bytes freed. Corrupt files set aside and abandoned temporary files go too. Nothing is looked at while so much
        cannot have been stored since the last look: reading the folders takes longer than many a round.
        """
        if self._stored <= keep_bytes and time.monotonic() < self._counted + _COUNTED_SECONDS:
            return 0
        return await asyncio.to_thread(self._prune, keep_bytes)

    def _prune(self, keep_bytes: int) -> int:
        freed, begun, before = 0, time.monotonic(), self._stored
        for path in [*self._aside.iterdir(), *self.tmp.iterdir()]:
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if path.parent == self._aside or status.st_mtime < time.time() - _STALE_SECONDS:
                    path.unlink()
                    freed += status.st_size
        stored = []
        for path in self._objects.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                stored.append((status.st_atime_ns, status.st_size, path))
        stored.sort()
        total = sum(size for _, size, _ in stored)
        for _, size, path in stored:
            if total <= keep_bytes:
                break
            if not (self._pins / path.name).exists():
                path.unlink(missing_ok=True)
                total -= size
                freed += size
        self._stored, self._counted = total + self._stored - before, begun
        return freed
