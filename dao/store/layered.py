"""One store out of several: the local disk, and the sources that fill it, tried in order within limits."""

import asyncio
import weakref
from collections.abc import Sequence
from pathlib import Path

import structlog

from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import ContentError, Mismatch, NotFound, TooLarge
from dao.runtime.backoff import pause_after
from dao.store.cid import digest_of_content, is_named, name_of
from dao.store.disk import DiskStore
from dao.store.source import MAX_CONTENT, Source, Store

_ANSWERS = NotFound, Mismatch, TooLarge  # of a source; other errors say that it gave none
_log = structlog.get_logger()


class LayeredStore:
    """Content on `local`, else from the first of `sources` that has it, checked in either case.

    New content goes to `local` and to each of `replicas` (an IPFS node, say); a replica that fails is logged, and
    `publish` returns those that have a content. A replica is also a source if it is named as one.
    `attempts` rounds over the sources, `pause` seconds before the second, doubled each time; `parallel` fetches at once.
    """

    name = "all sources"

    def __init__(
        self,
        local: DiskStore,
        sources: Sequence[Source] = (),
        replicas: Sequence[Store] = (),
        attempts: int = 3,
        pause: float = 0.2,
        parallel: int = 64,
    ) -> None:
        self.local, self.sources, self.replicas = local, tuple(sources), tuple(replicas)
        self._attempts, self._pause = attempts, pause
        self._fetching = asyncio.Semaphore(parallel)
        self._locks: weakref.WeakValueDictionary[Digest, asyncio.Lock] = weakref.WeakValueDictionary()

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """As Source.get; NotFound names every source tried and its reason, but for a disk that just lacks it."""
        lock = self._locks.setdefault(digest_of_content(content), asyncio.Lock())
        async with lock:  # one download of a content at a time
            try:
                return await self.local.get(content, max_bytes)
            except NotFound:
                reasons = {} if self.sources else {self.local.name: f"it is not in {self.local.root}"}
            except Mismatch as error:
                reasons = {self.local.name: _without(error, content)}
            async with self._fetching:
                return await self._fetch(content, max_bytes, reasons)

    async def _fetch(self, content: Cid | Digest, max_bytes: int, reasons: dict[str, str]) -> Path:
        too_large = silent = 0
        for attempt in range(self._attempts if self.sources else 0):
            if attempt:
                await asyncio.sleep(pause_after(attempt, self._pause))
            too_large = silent = 0
            for source in self.sources:
                try:
                    return await self._from(source, content, max_bytes)
                except ContentError as error:
                    too_large += isinstance(error, TooLarge)
                    silent += not isinstance(error, _ANSWERS)
                    words = _without(error, content)
                    reasons[source.name] = (
                        words if words.startswith(source.name) else f"{source.name}: {words}"
                    )
            if too_large and too_large == len(self.sources):
                raise TooLarge(f"{name_of(content)}: {'; '.join(reasons.values())}")
        why = "; ".join(reasons.values())
        raise NotFound(f"{name_of(content)}: cannot be had: {why}", why, is_certain=not silent)

    async def _from(self, source: Source, content: Cid | Digest, max_bytes: int) -> Path:
        path = await source.get(content, max_bytes)
        if path != self.local.path_of(content) and not is_named(await self.local.put_file(path), content):
            raise Mismatch(f"{name_of(content)} from {source.name}: the bytes are not those of the CID")
        return self.local.path_of(content)

    async def has(self, content: Cid | Digest) -> bool:
        """Tell whether the local disk holds it."""
        return await self.local.has(content)

    async def resolve(self, digest: Digest) -> Cid:
        for source in (self.local, *self.sources):
            try:
                return await source.resolve(digest)
            except ContentError:
                continue
        tried = ", ".join(source.name for source in (self.local, *self.sources))
        raise NotFound(f"{name_of(digest)}: no source has it; tried {tried}")

    async def put_bytes(self, data: bytes) -> Cid:
        cid = await self.local.put_bytes(data)
        await self.publish(cid)
        return cid

    async def put_file(self, path: Path, move: bool = False) -> Cid:
        cid = await self.local.put_file(path, move)
        await self.publish(cid)
        return cid

    async def publish(self, content: Cid | Digest) -> list[str]:
        """Give the content to every replica that lacks it; return the names of those that have it now."""
        results = await asyncio.gather(*(self._replicate(replica, content) for replica in self.replicas))
        return [replica.name for replica, has_it in zip(self.replicas, results, strict=True) if has_it]

    async def _replicate(self, replica: Store, content: Cid | Digest) -> bool:
        try:
            if not await replica.has(content):
                await replica.put_file(await self.local.get(content))
        except ContentError as error:
            _log.warning(
                "content not replicated", content=name_of(content), replica=replica.name, error=str(error)
            )
            return False
        return True

    async def pin(self, content: Cid | Digest) -> None:
        """Keep the content on the local disk, fetched first if need be, and at each replica that can."""
        await self._pin(content, for_good=False)

    async def pin_for_good(self, content: Cid | Digest) -> None:
        """As `pin`, of what is never to be unpinned."""
        await self._pin(content, for_good=True)

    async def _pin(self, content: Cid | Digest, for_good: bool) -> None:
        await self.get(content)
        await self.local.pin(content)
        await asyncio.gather(*(self._keep(replica, content, for_good) for replica in self.replicas))

    async def _keep(self, replica: Store, content: Cid | Digest, for_good: bool) -> None:
        """Pin at a replica; once more where the content was freed, for another that shares the replica, in between."""
        problem: ContentError | None = None
        for _ in range(2):
            if not await self._replicate(replica, content):
                return
            try:
                await (replica.pin_for_good if for_good else replica.pin)(content)
            except ContentError as error:
                problem = error
            else:
                return
        _log.warning("content not pinned", content=name_of(content), replica=replica.name, error=str(problem))

    async def unpin(self, content: Cid | Digest) -> bool:
        """Allow the content to be dropped, here and at each replica; False when one of them failed: try again."""
        await self.local.unpin(content)
        everywhere = True
        for replica in self.replicas:
            try:
                await replica.unpin(content)
            except ContentError as error:
                everywhere = False
                _log.warning(
                    "content not unpinned", content=name_of(content), replica=replica.name, error=str(error)
                )
        return everywhere


def _without(error: ContentError, content: Cid | Digest) -> str:
    """Return the message of an error without the name of the content that it begins with."""
    return str(error).removeprefix(f"{name_of(content)}: ")
