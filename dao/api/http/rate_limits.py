"""Limits of requests by caller: token buckets in a fixed memory."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dao.api.http.problems import Problem

MAX_BUCKETS = 20_000  # of one limiter; the one used longest ago goes first


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, `per_second` in the long run."""

    per_second: float
    burst: float


class RateLimiter:
    """Token buckets of one rate, one for each caller."""

    def __init__(
        self, rate: Rate, max_buckets: int = MAX_BUCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._max_buckets = max_buckets
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller → (tokens, when)

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, caller: str, cost: float = 1.0) -> float:
        """Take `cost` tokens and return 0, or return the seconds until there are as many."""
        now, rate = self._clock(), self._rate
        tokens, when = self._buckets.pop(caller, (rate.burst, now))
        tokens = min(rate.burst, tokens + (now - when) * rate.per_second)
        missing = cost - tokens
        self._buckets[caller] = (tokens if missing > 0 else tokens - cost, now)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return max(0.0, missing / rate.per_second)

    def take(self, caller: str, what: str) -> None:
        """Take a token; Problem 429 says when to try again."""
        wait = self.wait(caller)
        if wait > 0:
            raise Problem(
                429, "too-many", f"too many {what}; try again in {math.ceil(wait)} s", retry_after=wait
            )


def identify_caller(peer: str, forwarded: str | None, trusted: frozenset[str]) -> str:
    """Identify a caller by the peer's address or, behind a trusted proxy, by the last address that it forwards.

    One IPv6 network of 64 bits is one caller.
    """
    if peer in trusted and forwarded:
        peer = forwarded.rsplit(",", 1)[-1].strip()
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
