"""Keeps content in a folder, one file each, named by digest and checked whenever it is read."""

import asyncio
import contextlib
import os
import secrets
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from dao.core.errors import ContentError, Mismatch, NotFound
from dao.core.types import Digest
from dao.store.base import MAX_CONTENT
from dao.store.cid import CHUNK, Cid, ContentCodec, digest_of_content, is_named, name_of
from dao.store.hashing import check_size, cid_of_file
from dao.store.incoming import Incoming, put_in_place, sync_folder

_OPEN = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # a link is not followed, a pipe not waited for
_STALE_SECONDS = 24 * 3600  # a temporary file of that age belongs to nobody


class DiskStore:
    """Content in `root`: `objects/ab/abcd…` by digest, `pins`, `aside` (files that were corrupt), `tmp`.

    `max_bytes` caps every content. With `sync` a stored content survives a power failure; without, the loss is
    noticed when it is read. Several processes may use one folder.
    """

    name = "disk"

    def __init__(self, root: Path, max_bytes: int = MAX_CONTENT, sync: bool = True) -> None:
        self.root, self.max_bytes, self._sync = root, max_bytes, sync
        self._objects, self._pins, self._aside = root / "objects", root / "pins", root / "aside"
        self.tmp = root / "tmp"
        for folder in (self._objects, self._pins, self._aside, self.tmp):
            folder.mkdir(parents=True, exist_ok=True)

    def path_of(self, content: Cid | Digest) -> Path:
        """Return where the content's file is, or would be."""
        digest = digest_of_content(content).hex()
        return self._objects / digest[:2] / digest

    def incoming(self, what: str, max_bytes: int = MAX_CONTENT) -> Incoming:
        """Return a file to write content into, on this disk and within its cap."""
        return Incoming(self.tmp / secrets.token_hex(16), min(max_bytes, self.max_bytes), what)

    def resumable(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Incoming:
        """Return the file of a download that may go on where an earlier one broke off."""
        path = self.tmp / f"{digest_of_content(content).hex()}.part"
        return Incoming(path, min(max_bytes, self.max_bytes), f"content {name_of(content)}", resume=True)

    def keep(self, incoming: Incoming, cid: Cid) -> Path:
        """Give written and checked content its place; return it. Blocks."""
        path = self._place_of(cid)
        incoming.place(path, self._sync)
        return path

    def _place_of(self, cid: Cid) -> Path:
        path = self.path_of(cid)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            if self._sync:
                sync_folder(self._objects)
        return path

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """As Source.get. A corrupt file is set aside, so that the content can be put again."""
        return await asyncio.to_thread(self._get, content, max_bytes)

    def _get(self, content: Cid | Digest, max_bytes: int) -> Path:
        path, what = self.path_of(content), f"{name_of(content)} in {self.root}"
        try:
            descriptor = os.open(path, _OPEN)
        except FileNotFoundError:
            raise NotFound(f"{what}: it is not here; fetch it from another source") from None
        except OSError as error:
            raise ContentError(
                f"{what}: cannot be read: {error.strerror}; check the disk and its permissions"
            ) from None
        try:
            size = os.fstat(descriptor).st_size
            check_size(size or 1, min(max_bytes, self.max_bytes), what)
            found = cid_of_file(descriptor, size) if size else None
        except Mismatch:
            found = None
        finally:
            os.close(descriptor)
        if found is None or found.digest != digest_of_content(content):
            aside = self._aside / f"{path.name}.{time.time_ns()}"
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                path.replace(aside)
            raise Mismatch(f"{what}: its bytes have changed; the file is now {aside}; fetch it again")
        if not is_named(found, content):
            raise Mismatch(f"{what}: the content is {found}, another codec than asked for")
        with contextlib.suppress(OSError):
            os.utime(path)  # when it was last used, for `prune`
        return path

    async def has(self, content: Cid | Digest) -> bool:
        return self.path_of(content).exists()

    async def resolve(self, digest: Digest) -> Cid:
        try:
            size = self.path_of(digest).stat().st_size
        except FileNotFoundError:
            raise NotFound(
                f"{name_of(digest)} in {self.root}: it is not here; fetch it from another source"
            ) from None
        return Cid(ContentCodec.RAW if size <= CHUNK else ContentCodec.DAG_PB, digest)

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
            descriptor = os.open(path, _OPEN)
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
            cid = cid_of_file(descriptor, status.st_size)
            os.fchmod(descriptor, 0o444)
            if self._sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        put_in_place(path, self._place_of(cid), self._sync)
        return cid

    def _copy(self, descriptor: int, what: str) -> Cid:
        with self.incoming(what) as incoming:
            while data := os.read(descriptor, CHUNK):
                incoming.write(data)
            cid = incoming.check(None)
            self.keep(incoming, cid)
        return cid

    async def put_from(
        self,
        receive: Callable[[Incoming], Awaitable[None]],
        wanted: Cid | Digest,
        max_bytes: int = MAX_CONTENT,
    ) -> Cid:
        """Store what `receive` writes. Mismatch or TooLarge when it is not what was wanted: then nothing is kept."""
        with self.incoming(f"content {name_of(wanted)}", max_bytes) as incoming:
            await receive(incoming)
            cid = incoming.check(wanted)
            await asyncio.to_thread(self.keep, incoming, cid)
        return cid

    async def pin(self, content: Cid | Digest) -> None:
        if not await self.has(content):
            raise NotFound(
                f"{name_of(content)} in {self.root}: it is not here, so it cannot be pinned; fetch it first"
            )
        (self._pins / digest_of_content(content).hex()).touch()

    async def unpin(self, content: Cid | Digest) -> None:
        (self._pins / digest_of_content(content).hex()).unlink(missing_ok=True)

    async def drop(self, content: Cid | Digest) -> None:
        """Keep a content no longer, unless it is pinned."""
        if not (self._pins / digest_of_content(content).hex()).exists():
            await asyncio.to_thread(self.path_of(content).unlink, missing_ok=True)

    async def prune(self, keep_bytes: int) -> int:
        """Drop what is not pinned, the longest unused first, until at most `keep_bytes` are stored.

        Returns the bytes freed. Corrupt files set aside and forgotten temporary files go too.
        """
        return await asyncio.to_thread(self._prune, keep_bytes)

    def _prune(self, keep_bytes: int) -> int:
        freed = 0
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
                stored.append((status.st_mtime_ns, status.st_size, path))
        stored.sort()
        total = sum(size for _, size, _ in stored)
        for _, size, path in stored:
            if total <= keep_bytes:
                break
            if not (self._pins / path.name).exists():
                path.unlink(missing_ok=True)
                total -= size
                freed += size
        return freed
