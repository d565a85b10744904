"""Takes updates as they are uploaded; one that broke off goes on where it was, with the next call of its node.

What has come of an update waits in one file for each node and commit, of at most an update's size, and is dropped when
the next round begins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from dao.core.commits import SignedCommit
from dao.core.formats.cid import Cid
from dao.core.types import Address, RoundId, TaskId
from dao.errors import ContentError, RuleError
from dao.store.disk import DiskStore
from dao.store.partial_file import PartialFile

_PREFIX = "upload"


class Uploads:
    """The uploads that are under way, at most one from each node of an update, and the parts of those that broke off."""

    def __init__(self, store: DiskStore) -> None:
        self._store = store
        self._under_way: dict[tuple[Address, Address], asyncio.Task[Cid]] = {}  # by sender and whose it is

    def drop_others(self, task: TaskId, round_id: RoundId) -> None:
        """Drop what is left of other rounds' uploads."""
        ours = f"{_PREFIX}-{task}-{round_id}-"
        for path in self._store.tmp.glob(f"{_PREFIX}-*"):
            if not path.name.startswith(ours):
                path.unlink(missing_ok=True)

    def interrupt(self, sender: Address, node: Address) -> None:
        """End what `sender` uploads of a node: it calls anew, and the connection of the one under way may never be heard of again."""
        if upload := self._under_way.get((sender, node)):
            upload.cancel()

    async def take(
        self,
        commit: SignedCommit,
        cid: Cid,
        limit: int,
        receive: Callable[[PartialFile], Awaitable[None]],
        sender: Address,
    ) -> None:
        """Store a commit's update, of at most `limit` bytes: what is not here yet comes by `receive`, from `sender`.

        RuleError when `interrupt` ended it; what `receive` raises, and the errors of DiskStore.put_from.
        """
        if await self._store.has(cid):
            with suppress(ContentError):  # its bytes have changed: receive it again
                await self._store.get(cid, limit)
                return
        part = f"{_PREFIX}-{commit.task}-{commit.round}-{sender.hex()}-{commit.commitment.hex()[:16]}"
        place = sender, commit.node
        upload = asyncio.create_task(self._store.put_from(receive, cid, limit, part))
        self._under_way[place] = upload
        try:
            await asyncio.wait([upload])
        finally:
            del self._under_way[place]
            if not upload.done():  # its call was cancelled
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
        if upload.cancelled():
            raise RuleError("reveal: ended, as its node has called anew")
        upload.result()
