"""Content in an IPFS network, through the operator's own Kubo: added, fetched, pinned, and always checked."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.errors import ContentError, DecodeError, Mismatch, NotFound
from dao.store.cid import cid_of_bytes, detect_codec, encode_folder, name_of
from dao.store.disk import DiskStore
from dao.store.hashing import check_size, cid_of_file
from dao.store.kubo_api import DeclinedError, KuboApi
from dao.store.source import MAX_CONTENT
from dao.store.unixfs import parse_node

_AT_ONCE = 64  # blocks that one call frees: their names stand in its URL
_THREADS = 64  # most of them wait: requests for content that no node has must not hold up the rest
_ADD = {  # IPFS profile unixfs-v1-2025, spelled out: an operator's own defaults may differ
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": f"size-{CONTENT_LEAF}",
    "max-file-links": "1024",
    "hash": "sha2-256",
    "cid-base": "base32",
    "trickle": "false",
    "inline": "false",
    "nocopy": "false",
    "pin": "false",
}

T = TypeVar("T")


class KuboStore:
    """A store over Kubo's API, say `/ip4/127.0.0.1/tcp/5001/http`. It stores fetched content in `cache`.

    `timeout` (seconds) bounds every call. `put` does not pin: without `pin`, Kubo may collect the content. What is
    pinned is pinned for `owner` (a name): unpinned, its blocks are freed unless another owner, or whoever uses this
    Kubo, has them pinned too.
    """

    def __init__(
        self, api: str, cache: DiskStore, timeout: float = 300.0, owner: str = "commonweight"
    ) -> None:
        self.name = f"IPFS node {api}"
        self._cache, self._timeout, self._owner = cache, timeout, owner
        self._api = KuboApi(api, self.name)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="kubo")

    def close(self) -> None:
        """Close the connections; calls that are under way fail."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._api.close()

    async def _run(self, work: Callable[["_Limit"], T]) -> T:
        """Run blocking work in a thread of this store, until its limit or until the caller is cancelled."""
        limit = _Limit(self._timeout, self.name)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, limit)
        finally:
            limit.cancelled.set()

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """As Source.get, from the cache where that has it."""
        if await self._cache.has(content):
            try:
                return await self._cache.get(content, max_bytes)
            except Mismatch:  # set aside: fetch it again
                pass
        return await self._run(lambda limit: self._fetch(content, max_bytes, limit))

    def _fetch(self, content: Cid | Digest, max_bytes: int, limit: "_Limit") -> Path:
        what = f"{name_of(content)} from {self.name}"
        try:
            cid = content if isinstance(content, Cid) else self._resolve(content, limit)
            with self._cache.incoming(what, max_bytes) as incoming:
                with self._api.stream("/cat", str(cid), limit.left()) as pieces:
                    for piece in pieces:
                        incoming.write(piece)
                        limit.check()
                return self._cache.keep(incoming, incoming.check(cid))
        except DeclinedError as error:
            raise NotFound(
                f"{what}: not found: {error}; connect to a node that has it, or ask another source"
            ) from None

    async def has(self, content: Cid | Digest) -> bool:
        """Tell whether Kubo holds every block of the content itself."""
        return await self._run(lambda limit: self._has(content, limit))

    def _has(self, content: Cid | Digest, limit: "_Limit") -> bool:
        try:
            cid = content if isinstance(content, Cid) else self._resolve(content, limit, offline=True)
            status = self._api.ask(
                "/files/stat", f"/ipfs/{cid}", limit.left(), {"with-local": "true", "offline": "true"}
            )
        except (DeclinedError, NotFound):
            return False
        return bool(status.get("Local"))

    async def resolve(self, digest: Digest) -> Cid:
        return await self._run(lambda limit: self._resolve(digest, limit))

    def _resolve(self, digest: Digest, limit: "_Limit", offline: bool = False) -> Cid:
        """Read the root block to see its codec: a block is found under either name."""
        try:
            block = self._read_block(str(Cid(ContentCodec.RAW, digest)), limit, offline)
        except DeclinedError as error:
            raise NotFound(
                f"{name_of(digest)} from {self.name}: not found: {error}; connect to a node that has it, or ask another source"
            ) from None
        return Cid(detect_codec(block), digest)  # the content is checked when it is read

    def _read_block(self, cid: str, limit: "_Limit", offline: bool) -> bytes:
        """Read one block, of at most two leaves; DeclinedError where Kubo does not find it."""
        block = bytearray()
        options = {"offline": "true"} if offline else {}
        with self._api.stream("/block/get", cid, limit.left(), options) as pieces:
            for piece in pieces:
                block += piece
                check_size(len(block), 2 * CONTENT_LEAF, f"block {cid} from {self.name}")
                limit.check()
        return bytes(block)

    async def put_bytes(self, data: bytes) -> Cid:
        cid = await asyncio.to_thread(cid_of_bytes, data)
        pieces = [data[start : start + CONTENT_LEAF] for start in range(0, len(data), CONTENT_LEAF)]
        return await self._run(lambda limit: self._add(cid, lambda: iter(pieces), limit))

    async def put_file(self, path: Path, move: bool = False) -> Cid:
        """As Store.put_file; with `move` the file becomes part of the cache."""
        cid = await self._run(lambda limit: self._add_file(path, limit))
        if move:
            await self._cache.put_file(path, move=True)
        return cid

    def _add_file(self, path: Path, limit: "_Limit") -> Cid:
        try:
            with path.open("rb", buffering=0) as file:
                size = path.stat().st_size
                check_size(size, self._cache.max_bytes, f"file {path}")
                cid = cid_of_file(file.fileno(), size)

                def pieces() -> Iterator[bytes]:
                    file.seek(0)
                    while piece := file.read(CONTENT_LEAF):
                        limit.check()
                        yield piece

                return self._add(cid, pieces, limit)
        except OSError as error:
            raise ContentError(
                f"file {path}: cannot be stored: {error.strerror}; expected a readable file"
            ) from None

    def _add(self, cid: Cid, pieces: Callable[[], Iterator[bytes]], limit: "_Limit") -> Cid:
        answer = self._api.add(pieces, limit.left(), _ADD)
        if answer != str(cid):
            raise Mismatch(
                f"{cid} to {self.name}: Kubo names it {answer}; expected the same CID, check Kubo's version"
            )
        return cid

    async def pin(self, content: Cid | Digest) -> None:
        await self._run(lambda limit: self._pin(content, limit))

    async def pin_for_good(self, content: Cid | Digest) -> None:
        """As Store.pin_for_good. One block is pinned directly: every block that is freed is looked for in all other pins."""
        await self._run(lambda limit: self._pin(content, limit, for_good=True))

    def _pin(self, content: Cid | Digest, limit: "_Limit", for_good: bool = False) -> None:
        """Pin; what is to be unpinned one day as a folder's only file, in the owner's name: a CID has one pin in Kubo."""
        try:
            cid = content if isinstance(content, Cid) else self._resolve(content, limit)
            is_tree, pinned = cid.codec is ContentCodec.DAG_PB or not for_good, str(cid)
            if not for_good:
                pinned = self._api.put_block(encode_folder(self._owner, cid), limit.left())
            options = {"recursive": str(is_tree).lower(), "name": f"commonweight {self._owner}"}
            self._api.ask("/pin/add", pinned, limit.left(), options)
        except DeclinedError as error:
            raise NotFound(
                f"{name_of(content)} at {self.name}: cannot be pinned: {error}; put it there first"
            ) from None

    async def unpin(self, content: Cid | Digest) -> None:
        """As Store.unpin; the blocks that nobody else has pinned are freed at once."""
        await self._run(lambda limit: self._unpin(content, limit))

    def _unpin(self, content: Cid | Digest, limit: "_Limit") -> None:
        try:
            cid = content if isinstance(content, Cid) else self._resolve(content, limit, offline=True)
        except NotFound:
            return  # not here, so not pinned
        holder = Cid(ContentCodec.DAG_PB, Digest(hashlib.sha256(encode_folder(self._owner, cid)).digest()))
        try:
            self._api.ask("/pin/rm", str(holder), limit.left(), {"recursive": "true"})
        except DeclinedError as error:
            if "not pinned" not in str(error):
                raise
        blocks = [*self._list_blocks(cid, limit), holder]
        for first in range(0, len(blocks), _AT_ONCE):
            names = [str(block) for block in blocks[first : first + _AT_ONCE]]
            for answer in self._api.ask_all("/block/rm", names, limit.left(), {"force": "true"}):
                if (problem := answer.get("Error", "")) and not problem.startswith("pinned"):
                    raise DeclinedError(f"{cid} at {self.name}: its blocks are not freed: {problem[:200]}")

    def _list_blocks(self, cid: Cid, limit: "_Limit") -> list[Cid]:
        """List the blocks of a content that is here, its root last: cut off anywhere, the next call finds the rest."""
        listed = [cid]
        for block in listed:  # which grows meanwhile
            if block.codec is ContentCodec.DAG_PB:
                with suppress(DeclinedError, NotFound, DecodeError):  # gone already, or of another shape
                    listed += [
                        link.cid for link in parse_node(self._read_block(str(block), limit, offline=True))
                    ]
        return listed[::-1]


class _Limit:
    """The time that a call has left, and whether its caller still waits."""

    def __init__(self, seconds: float, name: str) -> None:
        self.cancelled = threading.Event()
        self._end, self._name, self._seconds = time.monotonic() + seconds, name, seconds

    def left(self) -> float:
        """Return the seconds left; ContentError when there are none."""
        self.check()
        return self._end - time.monotonic()

    def check(self) -> None:
        if self.cancelled.is_set() or time.monotonic() >= self._end:
            raise ContentError(
                f"{self._name}: no answer within {self._seconds:g} s; check that it runs and has connections"
            )
