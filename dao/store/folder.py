"""Reads content in the folder of another's store, which stays as it is; every read is checked."""

import asyncio
import os
from pathlib import Path

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.errors import ContentError, Mismatch, NotFound
from dao.store.cid import digest_of_content, is_named, name_of
from dao.store.hashing import check_size, cid_of_file
from dao.store.source import MAX_CONTENT

READ = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # a link is not followed, a pipe not waited for


class FolderSource:
    """Content in `root`, in files `objects/ab/abcd…` named by digest. Never writes."""

    name = "disk"

    def __init__(self, root: Path, max_bytes: int = MAX_CONTENT) -> None:
        self.root, self.max_bytes = root, max_bytes
        self._objects = root / "objects"

    def path_of(self, content: Cid | Digest) -> Path:
        """Return where the content's file is, or would be."""
        digest = digest_of_content(content).hex()
        return self._objects / digest[:2] / digest

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """As Source.get."""
        return await asyncio.to_thread(self._get, content, max_bytes)

    def _get(self, content: Cid | Digest, max_bytes: int) -> Path:
        path, what = self.path_of(content), f"{name_of(content)} in {self.root}"
        try:
            descriptor = os.open(path, READ)
        except FileNotFoundError:
            raise NotFound(f"{what}: it is not here; fetch it from another source") from None
        except OSError as error:
            raise ContentError(
                f"{what}: cannot be read: {error.strerror}; check the disk and its permissions"
            ) from None
        try:
            size = os.fstat(descriptor).st_size
            check_size(size or 1, min(max_bytes, self.max_bytes), what)
            cid = self._read_cid(descriptor, digest_of_content(content)) if size else None
        except Mismatch:
            cid = None
        except OSError as error:  # a folder in its place, a bad sector
            raise ContentError(f"{what}: cannot be read: {error.strerror}; check the disk") from None
        finally:
            os.close(descriptor)
        if cid is None or cid.digest != digest_of_content(content):
            raise Mismatch(f"{what}: its bytes have changed;{self._on_change(path)} fetch it again")
        if not is_named(cid, content):
            raise Mismatch(f"{what}: the content is {cid}, another codec than expected")
        return path

    def _read_cid(self, descriptor: int, digest: Digest) -> Cid:
        """Return the CID of an open file that should have this digest. Blocks."""
        del digest
        return cid_of_file(descriptor, os.fstat(descriptor).st_size)

    def _on_change(self, path: Path) -> str:
        """Deal with a corrupt file; return a phrase that says how, "" for not at all."""
        del path
        return ""

    async def has(self, content: Cid | Digest) -> bool:
        """As Source.has."""
        try:
            return self.path_of(content).exists()
        except OSError:  # the folder cannot be read
            return False

    async def resolve(self, digest: Digest) -> Cid:
        """As Source.resolve."""
        try:
            size = self.path_of(digest).stat().st_size
        except FileNotFoundError:
            raise NotFound(
                f"{name_of(digest)} in {self.root}: it is not here; fetch it from another source"
            ) from None
        except OSError as error:
            raise ContentError(
                f"{name_of(digest)} in {self.root}: cannot be read: {error.strerror}; check the disk and its permissions"
            ) from None
        return Cid(ContentCodec.RAW if size <= CONTENT_LEAF else ContentCodec.DAG_PB, digest)
