"""Limits each caller, so that none takes the share of others: rates per connection and host, places per node."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dao.wire.call_status import Refusal, Why
from dao.wire.grpc_options import MIN_RATE

_MAX_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The limits of a Superlink. Times in seconds, sizes in bytes."""

    connection_rate: float = (
        50.0  # calls a second over one connection; more wait, and so hold up only themselves
    )
    node_rate: float = 50.0  # the same of one node, over all its connections
    host_rate: float = 2000.0  # the same from one host, which may be many nodes
    burst: float = 4.0  # seconds' worth of calls that need not wait
    max_wait: float = 5.0  # for that; then the call is refused
    connection_streams: int = 32  # calls under way over one connection
    node_calls: int = 4  # of one node in work at once
    node_queue: int = 16  # of one node waiting for that
    calls: int = 256  # of all nodes in work at once
    node_waits: int = 8  # for a commits tree or a model, of one node
    node_reveals: int = 2
    reveals: int = 64
    node_fetches: int = 4
    fetches: int = 64
    host_fetches: int = 4  # unsigned, from one host
    public_fetches: int = 16  # unsigned, of all
    call_seconds: float = 30.0
    wait_seconds: float = 60.0
    silence_seconds: float = 30.0  # between two pieces of a stream
    min_rate: float = MIN_RATE
    max_content: int = 8 << 30

    def stream_seconds(self, size: int) -> float:
        """Return the seconds that a stream of this size may take."""
        return self.silence_seconds + size / self.min_rate


class CallPace:
    """Lets calls of one key through at a rate, by making them wait: a flood holds up only itself."""

    def __init__(self, rate: float, burst: float, max_wait: float) -> None:
        self._step, self._burst, self._max_wait = 1 / rate, burst, max_wait
        self._next: OrderedDict[str, float] = (
            OrderedDict()
        )  # when the key's next call is due, the longest unused first

    async def wait(self, key: str) -> None:
        """Wait until the key's next call is due; Refusal when that is too far off."""
        now = asyncio.get_running_loop().time()
        due = max(self._next.get(key, 0.0), now)
        delay = due - now - self._burst
        if delay > self._max_wait:
            raise Refusal(Why.BUSY, "rate: more calls than this Superlink takes from one caller; slow down")
        self._next[key] = due + self._step
        self._next.move_to_end(key)
        if len(self._next) > _MAX_BUCKETS:
            self._next.popitem(last=False)
        if delay > 0:
            await asyncio.sleep(delay)


class CallPlaces:
    """Places for calls in work: so many of one key, so many waiting, so many in all."""

    def __init__(self, per_key: int, queue: int, total: int, what: str) -> None:
        self._per_key, self._queue, self._what = per_key, queue, what
        self._total = asyncio.Semaphore(total)
        self._keys: dict[Hashable, asyncio.Semaphore] = {}
        self._taken: dict[Hashable, int] = {}

    @asynccontextmanager
    async def take(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a place; Refusal when the key has too many calls in work and waiting already."""
        taken = self._taken.get(key, 0)
        if taken >= self._per_key + self._queue:
            raise Refusal(
                Why.BUSY,
                f"{self._what}: {taken} are in work or waiting, which is all that one caller may have",
            )
        self._taken[key] = taken + 1
        own = self._keys.setdefault(key, asyncio.Semaphore(self._per_key))
        try:
            async with own, self._total:
                yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key], self._keys[key]
