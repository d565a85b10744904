"""A content that is being written to a file: hashed in the same pass, and put in place only when all of it is right."""

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import ContentError, Mismatch
from dao.store.cid import Buffer, CidHasher, is_named, name_of
from dao.store.hashing import check_size

_AGE_NS = 10_000_000_000  # more than the seconds in which any file system dates a change
_INLINE = 16 << 10  # bytes: below this, handing work to a thread costs more than the work


class PartialFile:
    """One file being written; leave the `with` block before `place`, and no trace of it stays.

    With `resume` the file stays instead, and another PartialFile at the same path goes on where this one ended.
    """

    def __init__(self, path: Path, max_bytes: int, what: str, resume: bool = False) -> None:
        self.path, self.max_bytes = path, max_bytes
        self._what, self._resume = what, resume
        self._hasher = CidHasher()
        self._file = -1
        self._lock = (
            threading.Lock()
        )  # a thread may still write while its caller is cancelled and closes the file

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._hasher.size

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (0 if self._resume else os.O_EXCL)
        try:
            with _explaining(self._what, self.path):
                self._file = os.open(self.path, flags, 0o600)
                if self._resume:
                    self._lock_file()
        except ContentError:
            self._close()
            raise
        return self

    def _lock_file(self) -> None:
        """Lock a file that another download may be writing, or may just have put in its place."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_lost = os.fstat(self._file).st_nlink == 0 or not os.path.samestat(
                os.fstat(self._file), self.path.stat()
            )
        except (BlockingIOError, FileNotFoundError):
            is_lost = True
        if is_lost:
            raise ContentError(f"{self._what}: another download writes {self.path}; wait for it")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._close()
        if not self._resume:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def take_up(self) -> None:
        """Read the bytes of an earlier download, so that writing goes on behind them. Blocks."""
        with self._lock:
            while self._file >= 0 and (data := os.read(self._file, CONTENT_LEAF)):
                self._hasher.update(data)
        if self.size > self.max_bytes:
            self.restart()

    def restart(self) -> None:
        """Forget all that was written."""
        with self._lock:
            if self._file >= 0:
                os.ftruncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
            self._hasher = CidHasher()

    def write(self, data: Buffer) -> None:
        """Take the next bytes; TooLarge when they pass the cap. Blocks."""
        view = memoryview(data).cast("B")
        with self._lock:
            if self._file < 0:
                raise ContentError(f"{self._what}: the download has ended already")
            check_size(self.size + len(view) or 1, self.max_bytes, self._what)
            self._hasher.update(view)
            with _explaining(self._what, self.path):
                while len(view):
                    view = view[os.write(self._file, view) :]

    def check(self, expected: Cid | Digest | None) -> Cid:
        """Return the CID of the bytes written; Mismatch when they are not the expected content."""
        check_size(self.size, self.max_bytes, self._what)
        cid = self._hasher.finish()
        if expected is not None and not is_named(cid, expected):
            raise Mismatch(
                f"{self._what}: expected {name_of(expected)}, got {self.size} bytes that are {cid}"
            )
        return cid

    def place(self, target: Path, sync: bool, mode: int = 0o444) -> os.stat_result:
        """Move the file to its place, in one step; return its status, which a later change does not leave as it is. Blocks."""
        with self._lock:
            if self._file < 0:
                raise ContentError(f"{self._what}: the download has ended already")
            with _explaining(self._what, self.path):
                age(self._file)
                os.fchmod(self._file, mode)
                if sync:
                    os.fsync(self._file)
            put_in_place(self.path, target, sync)
            return os.fstat(self._file)

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        """Write all chunks; the next one is awaited while the last is written."""
        writing: asyncio.Task[None] | None = None
        try:
            async for chunk in chunks:
                if writing is not None:
                    await writing
                    writing = None
                if len(chunk) <= _INLINE:
                    self.write(chunk)
                else:
                    writing = asyncio.create_task(asyncio.to_thread(self.write, chunk))
        finally:
            if writing is not None:
                await writing


@contextlib.contextmanager
def _explaining(what: str, path: Path) -> Iterator[None]:
    """Raise ContentError, which is no fault of a source's, where a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise ContentError(
            f"{what}: cannot write {path}: {error.strerror}; make room on the disk, and check its permissions"
        ) from None


def age(descriptor: int) -> None:
    """Date a file's last change to before now, so that each later one shows, however soon it comes."""
    now = time.time_ns()
    os.utime(descriptor, ns=(now, now - _AGE_NS))


def put_in_place(source: Path, target: Path, sync: bool) -> None:
    """Rename a file; with `sync`, what it is called survives a power failure too. ContentError when it cannot be."""
    try:
        source.replace(target)
        if sync:
            sync_folder(target.parent)
    except OSError as error:
        raise ContentError(
            f"store: cannot write {target}: {error.strerror}; check the disk and its permissions"
        ) from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure. Blocks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
