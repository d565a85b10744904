"""Fetches content from IPFS gateways that the operator chose, block by block, each block checked on arrival.

Trustless gateways (specs.ipfs.tech/http-gateways/trustless-gateway): `GET /ipfs/{cid}?format=raw`.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.errors import ConfigError, ContentError, DecodeError, Mismatch, NotFound, TooLarge
from dao.store.cid import detect_codec, name_of
from dao.store.disk import DiskStore
from dao.store.source import MAX_CONTENT
from dao.store.unixfs import Part, read_parts, read_root

_PARALLEL = 8  # blocks requested at once
_CONNECT_SECONDS, _SILENCE_SECONDS = 5.0, 30.0


class GatewaySource:
    """A source over one gateway's URL. It stores fetched content in `cache`; `timeout` (seconds) bounds a call."""

    def __init__(self, url: str, cache: DiskStore, timeout: float = 300.0) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.userinfo:
            raise ConfigError(f"gateway {url[:200]!r}: expected an address such as https://gateway.example")
        self.name = f"gateway {parsed.host}"
        self._cache, self._timeout = cache, timeout
        self._client = httpx.AsyncClient(
            base_url=parsed,
            follow_redirects=False,  # only to the host that the operator chose
            headers={"accept": "application/vnd.ipld.raw", "accept-encoding": "identity"},
            timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=_PARALLEL),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """As Source.get, from the cache where that has it."""
        if await self._cache.has(content):
            try:
                return await self._cache.get(content, max_bytes)
            except Mismatch:  # set aside: fetch it again
                pass
        async with self._limited(content):
            return await self._fetch(content, max_bytes)

    async def has(self, content: Cid | Digest) -> bool:
        """Tell whether the gateway gives the root block."""
        try:
            await self.resolve(content.digest if isinstance(content, Cid) else content)
        except ContentError:
            return False
        return True

    async def resolve(self, digest: Digest) -> Cid:
        async with self._limited(digest):
            return (await self._root(digest))[0]

    async def _fetch(self, content: Cid | Digest, max_bytes: int) -> Path:
        what = f"{name_of(content)} from {self.name}"
        cid, block = await self._root(content)
        try:
            root = read_root(cid, block)
        except DecodeError as error:
            raise Mismatch(f"{what}: not a content of this protocol: {error}") from None
        if root.size > max_bytes:
            raise TooLarge(f"{what}: {root.size} bytes are more than the {max_bytes} allowed here")
        with self._cache.incoming(what, max_bytes) as incoming:
            async with aclosing(self._leaves(root, block)) as leaves:
                await incoming.take(leaves)
            return await asyncio.to_thread(lambda: self._cache.keep(incoming, incoming.check(content)))

    async def _leaves(self, part: Part, block: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the content below a block in order, fetched a few blocks ahead of the reader."""
        if part.cid.codec is ContentCodec.RAW:
            yield block
            return
        try:
            waiting = read_parts(block, part)
        except DecodeError as error:
            raise Mismatch(f"{part.cid} from {self.name}: not a content of this protocol: {error}") from None
        waiting.reverse()
        ahead: list[tuple[Part, asyncio.Task[bytes]]] = []
        try:
            while waiting or ahead:
                while waiting and len(ahead) < _PARALLEL:
                    child = waiting.pop()
                    ahead.append((child, asyncio.create_task(self._block(child.cid, child.size))))
                child, task = ahead.pop(0)
                data = await task
                async with aclosing(self._leaves(child, data)) as leaves:
                    async for leaf in leaves:
                        yield leaf
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    async def _root(self, content: Cid | Digest) -> tuple[Cid, bytes]:
        """Fetch the root block; for a bare digest, its first byte tells the codec."""
        cid = content if isinstance(content, Cid) else Cid(ContentCodec.RAW, content)
        block = await self._block(cid, None)
        return (cid if isinstance(content, Cid) else Cid(detect_codec(block), content)), block

    async def _block(self, cid: Cid, size: int | None) -> bytes:
        what = f"block {cid} from {self.name}"
        block = bytearray()
        try:
            async with self._client.stream("GET", f"/ipfs/{cid}", params={"format": "raw"}) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise NotFound(f"{what}: HTTP status {answer.status_code}; ask another source")
                async for piece in answer.aiter_raw():
                    block += piece
                    if len(block) > CONTENT_LEAF:
                        raise Mismatch(f"{what}: more than {CONTENT_LEAF} bytes, which no block has")
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ContentError(f"{what}: {reason}; check the gateway's address and connection") from None
        if hashlib.sha256(block).digest() != cid.digest:
            raise Mismatch(f"{what}: the {len(block)} bytes are not those of the CID; use another gateway")
        if size is not None and cid.codec is ContentCodec.RAW and len(block) != size:
            raise Mismatch(f"{what}: {len(block)} bytes, but its parent says {size}")
        return bytes(block)

    @asynccontextmanager
    async def _limited(self, content: Cid | Digest) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError:
            raise ContentError(
                f"{name_of(content)} from {self.name}: not complete within {self._timeout:g} s; ask another source"
            ) from None
