"""A Superlink as a source of content, beside IPFS nodes and gateways."""

import asyncio
from pathlib import Path

from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import ContentError, DecodeError, Mismatch, Unreachable, WireError
from dao.store.cid import name_of
from dao.store.disk import DiskStore
from dao.store.source import MAX_CONTENT
from dao.wire.superlink_client import SuperlinkClient


class SuperlinkSource:
    """The content of one Superlink, with downloads stored in `cache`.

    With `once`, a Superlink that cannot be reached is not asked again: a person waits for a command to end.
    """

    def __init__(self, client: SuperlinkClient, cache: DiskStore, once: bool = False) -> None:
        self.name = f"Superlink {client.address}"
        self._client, self._cache = client, cache
        self._once, self._is_checked, self._away = once, not once, ""
        self._checking = asyncio.Lock()

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """As Source.get. What is in the cache is not asked of the Superlink; a broken download is resumed."""
        if await self._cache.has(content):
            try:
                return await self._cache.get(content, max_bytes)
            except Mismatch:  # set aside: fetch it again
                pass
        try:
            await self._check()
            with self._cache.resumable(content, max_bytes) as incoming:
                cid = await self._client.download(content, incoming)
                return await asyncio.to_thread(self._cache.keep, incoming, cid)
        except (WireError, DecodeError) as error:  # no answer, or nonsense: another source may have it
            if self._once and isinstance(error, Unreachable):
                self._away = str(error)
            raise ContentError(f"{name_of(content)}: {error}") from None

    async def _check(self) -> None:
        """Unreachable, at once from the second time on, where the Superlink did not answer the first time."""
        async with self._checking:
            if not self._is_checked:
                try:
                    await self._client.health()
                except Unreachable as error:
                    self._away = str(error)
                self._is_checked = True
        if self._away:
            raise Unreachable(self._away)

    async def has(self, content: Cid | Digest) -> bool:
        """Return whether the Superlink has it, by fetching it."""
        try:
            await self.get(content)
        except ContentError:
            return False
        return True

    async def resolve(self, digest: Digest) -> Cid:
        await self.get(digest)
        return await self._cache.resolve(digest)
