"""Tells block time between blocks; deadlines are compared with it, never with the local clock."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime

from dao.chain.client import Chain

_IDLE = 60.0  # seconds until the head is looked at again without news
_NEVER = 2**37  # seconds


class BlockClock:
    """The timestamp of the newest block plus the seconds since it came."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._head, self._since = chain.head(), asyncio.get_running_loop().time()
        self._ticked = asyncio.Event()

    async def run(self) -> None:
        """Note each new block as it comes; runs until cancelled."""
        while True:
            await self._chain.changed(_IDLE)
            self._note_head()

    def now(self) -> float:
        """Return the timestamp that a block would have now, in Unix seconds."""
        self._note_head()
        return self._head.timestamp + asyncio.get_running_loop().time() - self._since

    def next_block(self) -> Awaitable[object]:
        """Return an awaitable that ends with the next block after this call, whenever it is awaited."""
        return self._ticked.wait()

    def _note_head(self) -> None:
        head = self._chain.head()
        if head != self._head:
            self._head, self._since = head, asyncio.get_running_loop().time()
            ticked, self._ticked = self._ticked, asyncio.Event()
            ticked.set()


def format_time(seconds: int) -> str:
    """Write a block time, in Unix seconds, for people."""
    if seconds >= _NEVER:
        return "never"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
