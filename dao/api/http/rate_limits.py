"""Limits of requests by caller: token buckets in a fixed memory."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dao.api.http.problems import Problem

_NETWORK_BITS = 48  # of IPv6
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


def identify_caller(peer: str, forwarded: str, trusted: frozenset[str]) -> str:
    """Identify a caller by the peer's address or, behind trusted proxies, by the last address that is not one of theirs.

    `forwarded`: all lines of X-Forwarded-For in one; only what trusted proxies added at its end is believed.
    """
    hops = [hop for hop in map(_strip_port, forwarded.split(",")) if hop]
    while peer in trusted and hops:
        peer = hops.pop()
    return group_address(peer)


def group_address(text: str) -> str:
    """Return whom an address counts for: an IPv6 network of 48 bits, which one customer gets, is one caller."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _NETWORK_BITS), strict=False))


def _strip_port(hop: str) -> str:
    """Strip the port of "1.2.3.4:5" or "[2001:db8::1]:5"."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
