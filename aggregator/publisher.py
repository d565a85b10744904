"""Publishes what a round's auditors need: stored, pinned, replicated, most often before the result is posted."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from aggregator.retention import Retention
from dao.app.frozen_base import fetch_frozen_base
from dao.content.cards import fetch_card
from dao.core.constants import MAX_MANIFEST
from dao.core.formats.card import Card
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.types import NO_ROUND, Digest, RoundId
from dao.errors import ContentError
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT


class Publisher:
    """Puts content into the store; replicas get it in the background, and `wait_settled` waits for them."""

    def __init__(self, store: LayeredStore, retention: Retention | None = None) -> None:
        """`retention` hears which content is a round's; without, nobody is going to drop any."""
        self._store, self._retention = store, retention
        self._pinning: list[asyncio.Task[None]] = []  # on the local disk
        self._replicating: set[asyncio.Task[None]] = set()
        self._unsynced: set[Path] = set()

    def begin(self, round_id: RoundId, *inherited: Cid, parent: RoundId = NO_ROUND) -> None:
        """Take what is stored from now on for a round's, which needs what it inherited from its parent too."""
        if self._retention:
            self._retention.begin(round_id, *inherited, parent=parent)

    def path_of(self, cid: Cid) -> Path:
        """Return the file of a stored content."""
        return self._store.local.path_of(cid)

    async def fetch(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """Return a content's file, checked, from here or from any source that has it."""
        return await self._store.get(content, max_bytes)

    async def fetch_manifest(self, digest: Digest) -> Manifest:
        """Return the manifest of a digest."""
        path = await self.fetch(digest, MAX_MANIFEST)
        return parse_manifest(await asyncio.to_thread(path.read_bytes))

    async def fetch_card(self, digest: Digest) -> Card:
        """Return a task's card, which stays here for good: members ask this Superlink for it."""
        card = await fetch_card(self._store, digest)
        if self._retention:
            self._retention.note_for_good(digest)
        return card

    async def fetch_frozen_base(self, card: Card) -> Path | None:
        """Return the file of a card's frozen base, which stays here for good, too; None for a card without."""
        base = await fetch_frozen_base(self._store, card)
        if card.base and self._retention:
            self._retention.note_for_good(card.base.cid)
        return base

    async def is_whole(self, cid: Cid) -> bool:
        """Return whether a content is here with the right bytes."""
        try:
            await self._store.local.get(cid)
        except ContentError:
            return False
        return True

    async def resolve(self, digest: Digest) -> Cid:
        """Return the CID of a content that is here."""
        return await self._store.resolve(digest)

    async def put_file(self, path: Path) -> Cid:
        """Store a file, which moves there, and publish it."""
        return self._publish_new(await self._store.local.put_file(path, move=True))

    async def put_copy(self, path: Path) -> Cid:
        """Store a copy of a file and publish it."""
        return self._publish_new(await self._store.local.put_file(path))

    async def put_shard(self, path: Path) -> Cid:
        """Store a copy of the shard that the round shows, and publish it: members train on it in the rounds after."""
        cid = await self._store.local.put_file(path)
        if self._retention:
            self._retention.note_shard(cid)
        self.publish(cid)
        return cid

    async def put_for_good(self, data: bytes) -> Cid:
        """Store bytes, which are never to be dropped, and publish them."""
        cid = await self._store.local.put_bytes(data)
        if self._retention:
            self._retention.note_for_good(cid)
        self.publish(cid, for_good=True)
        return cid

    def _publish_new(self, cid: Cid) -> Cid:
        if self._retention:
            self._retention.note(cid)
        self.publish(cid)
        return cid

    def publish(self, cid: Cid, for_good: bool = False) -> None:
        """Pin a stored content, here and at every replica, in the background."""
        self._unsynced.add(self.path_of(cid))
        pinned = asyncio.create_task(self._store.local.pin(cid))
        self._pinning.append(pinned)
        if self._store.replicas:
            replicating = asyncio.create_task(self._replicate(cid, pinned, for_good))
            self._replicating.add(replicating)
            replicating.add_done_callback(self._replicating.discard)

    async def wait_settled(self, patience: float) -> None:
        """Wait until all is pinned here, which raises what went wrong, and up to `patience` s until replicas have it.

        A replica that takes longer gets it later: auditors can fetch it from here meanwhile.
        """
        pinning, self._pinning = self._pinning, []
        await asyncio.gather(*pinning)
        if self._replicating:
            await asyncio.wait(self._replicating, timeout=max(0.0, patience))

    async def sync(self, model: Cid) -> None:
        """Sync what was published to the disk, against a power failure. A result need not wait for it.

        All but the model then leaves the page cache: its memory is free for the next round, and fresh memory costs a
        virtual machine ten times what it costs to write there.
        """
        paths, self._unsynced = self._unsynced, set()
        for path in paths:
            with suppress(FileNotFoundError):  # dropped meanwhile
                await asyncio.to_thread(_sync, path, stays_cached=path == self.path_of(model))

    async def _replicate(self, cid: Cid, pinned: "asyncio.Task[None]", for_good: bool) -> None:
        await asyncio.wait([pinned])
        if not self.path_of(cid).exists():  # dropped already, or a failure that `wait_settled` raises
            return
        with suppress(ContentError):  # of the local disk: `wait_settled` raises it
            await (self._store.pin_for_good if for_good else self._store.pin)(cid)


def _sync(path: Path, stays_cached: bool) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            if place == path and not stays_cached and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
