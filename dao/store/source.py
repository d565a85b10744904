"""The interfaces of content: sources give verified files, stores also take content and pin it."""

from pathlib import Path
from typing import Protocol

from dao.core.formats.cid import Cid
from dao.core.types import Digest

MAX_CONTENT = 8 << 30  # bytes of one content, unless a caller knows better


class Source(Protocol):
    """A place to get content from. Every call is bounded in time and bytes."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        """Return a local file whose bytes are those of the content, checked now.

        Raises NotFound, Mismatch (the bytes are others), TooLarge (more than `max_bytes`) or another ContentError.
        """
        ...

    async def has(self, content: Cid | Digest) -> bool:
        """Tell whether it has the content itself, without a check of the bytes."""
        ...

    async def resolve(self, digest: Digest) -> Cid:
        """Return the CID of the content that a digest on chain names; NotFound when it cannot be had."""
        ...


class Store(Source, Protocol):
    """A source that also takes content. Empty content is refused with a ContentError."""

    async def put_bytes(self, data: bytes) -> Cid:
        """Store these bytes."""
        ...

    async def put_file(self, path: Path, move: bool = False) -> Cid:
        """Store a file's bytes. With `move` the file itself may become the stored copy: it is gone afterwards."""
        ...

    async def pin(self, content: Cid | Digest) -> None:
        """Keep the content until `unpin`, however often it is pinned; NotFound when it cannot be had."""
        ...

    async def pin_for_good(self, content: Cid | Digest) -> None:
        """Keep the content, which is never to be unpinned; NotFound when it cannot be had."""
        ...

    async def unpin(self, content: Cid | Digest) -> None:
        """Allow the content to be dropped; nothing happens when it was not pinned."""
        ...
