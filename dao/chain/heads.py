"""Follows the heads of the chain: each once, in order, linked, and never back without a reorg."""

import asyncio
import contextlib
import logging
from typing import Any

from dao.chain.blocks import BlockRef, RecentBlocks, read_block
from dao.chain.rpc import Rpc
from dao.core.types import BlockNumber, Digest, hex_of
from dao.errors import ChainError, RpcError

_log = logging.getLogger(__name__)
_IDLE = 15.0  # seconds without a pushed head until one is requested
_PAUSE = 0.2  # seconds from a failure to the next attempt
_BEGIN = 16  # blocks below the head that are fetched at the start
_GAP = 64  # blocks that are fetched one by one to link a new head; behind by more, history starts anew


class HeadFollower:
    """The newest blocks as one node shows them; `confirmations` blocks stand on a final one."""

    def __init__(self, rpc: Rpc, confirmations: int, poll: float) -> None:
        """`poll`: seconds between requests where no head is pushed."""
        self.confirmations = confirmations
        self.reorgs = 0  # times that blocks which had been seen have vanished
        self._rpc = rpc
        self._poll = poll
        self._pushed: asyncio.Queue[Any] = asyncio.Queue()
        self._pulse = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._recent: RecentBlocks
        self._final: BlockRef

    @property
    def head(self) -> BlockRef:
        """The newest block seen."""
        return self._recent.tip

    @property
    def final(self) -> BlockRef:
        """The newest block that is `confirmations` deep."""
        return self._final

    def at(self, number: int) -> BlockRef | None:
        """Return a recent block by number, without a request."""
        return self._recent.at(number)

    async def start(self, chain_id: int | None) -> None:
        """Connect and follow; RpcError when the node does not answer or is of another chain."""
        await self._rpc.connect(chain_id, self._pushed.put_nowait)
        try:
            self._recent = await self._read_recent()
            self._final = await self._read_deep()
        except BaseException:
            await self._rpc.close()
            raise
        self._follower = asyncio.create_task(self._follow(), name="chain heads")

    async def close(self) -> None:
        """Stop following and disconnect."""
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        await self._rpc.close()

    async def changed(self, limit: float) -> bool:
        """Wait for the next change, at most `limit` seconds; return whether there was one."""
        pulse = self._pulse
        try:
            async with asyncio.timeout(limit):
                await pulse.wait()
        except TimeoutError:
            return False
        return True

    def hurry(self) -> None:
        """Ask for the head now, for it may have changed."""
        self._pushed.put_nowait(None)

    async def block(self, which: BlockNumber | Digest) -> BlockRef | None:
        """Return a block by number or hash, or None when the node has none such."""
        if isinstance(which, bytes):
            header = await self._rpc.request("eth_getBlockByHash", hex_of(which), False)
        else:
            seen = self._recent.at(which)
            if seen is not None:
                return seen
            header = await self._rpc.request("eth_getBlockByNumber", hex(which), False)
        return read_block(header) if header is not None else None

    async def is_canonical(self, block: BlockRef) -> bool:
        """Whether a block that was seen is still part of the chain."""
        if block.number >= self._recent.lowest:
            return self._recent.holds(block)
        return await self._is_there(block)

    async def _read_recent(self) -> RecentBlocks:
        """Read the head and the few blocks below it, which a reorg would replace."""
        tip = await self._read_head()
        numbers = range(tip.number - 1, max(-1, tip.number - 1 - _BEGIN), -1)
        headers = await asyncio.gather(
            *(self._rpc.request("eth_getBlockByNumber", hex(number), False) for number in numbers)
        )
        run = [tip]
        for header in headers:
            if header is None or (block := read_block(header)).hash != run[-1].parent:
                break
            run.append(block)
        recent = RecentBlocks(run.pop())
        for block in reversed(run):
            recent.extend(block)
        return recent

    async def _follow(self) -> None:
        while True:
            try:
                head = await self._next_head()
                if await self._link(head):
                    await self._move_final()
                    pulse, self._pulse = self._pulse, asyncio.Event()
                    pulse.set()
                self._rpc.note(None)
            except ChainError as error:
                self._rpc.note(error)
                await asyncio.sleep(_PAUSE)
                self._pushed.put_nowait(None)

    async def _next_head(self) -> BlockRef:
        """Wait for a head: pushed, or requested where none is pushed, or none was for long."""
        try:
            async with asyncio.timeout(_IDLE if self._rpc.pushes else self._poll):
                header = await self._pushed.get()
        except TimeoutError:
            header = None
        if header is not None:
            return read_block(header)
        if not self._rpc.pushes:
            await self._rpc.check_chain()
        return await self._read_head()

    async def _link(self, head: BlockRef) -> bool:
        """Link a head to the recent blocks; return whether it changes anything.

        A known block changes nothing, however low: only another block at a height that was seen is a reorg.
        """
        recent = self._recent
        if recent.holds(head):
            return False
        if head.number < recent.lowest:
            _log.warning("%s: at block %d, behind %d; ignored", self._rpc.url, head.number, recent.tip.number)
            return False
        if head.number - recent.tip.number > _GAP:
            self.reorgs += not await self._is_there(recent.tip)
            self._recent = RecentBlocks(head)
            return True
        branch = [head]
        while not recent.links(branch[-1]) and branch[-1].number > recent.lowest:
            parent = await self.block(branch[-1].parent)
            if parent is None:
                raise RpcError(f"{self._rpc.url}: has block {branch[-1].number} and not its parent; ignored")
            branch.append(parent)
        self.reorgs += branch[-1].number <= recent.tip.number
        if not recent.links(branch[-1]):
            self._recent = recent = RecentBlocks(branch.pop())
        for block in reversed(branch):
            recent.extend(block)
        return True

    async def _is_there(self, block: BlockRef) -> bool:
        header = await self._rpc.request("eth_getBlockByNumber", hex(block.number), False)
        return header is None or read_block(header).hash == block.hash

    async def _move_final(self) -> None:
        """Move the final block on; it goes back only where it is no longer part of the chain."""
        final = await self._read_deep()
        if final.number >= self._final.number or not await self.is_canonical(self._final):
            self._final = final

    async def _read_deep(self) -> BlockRef:
        number = BlockNumber(max(0, self.head.number - self.confirmations))
        block = await self.block(number)
        if block is None:
            raise RpcError(f"{self._rpc.url}: does not have block {number}; use a node with more history")
        return block

    async def _read_head(self) -> BlockRef:
        return read_block(await self._rpc.request("eth_getBlockByNumber", "latest", False))
