"""How often someone may ask: token buckets, as many as fit into a fixed memory."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dao.api.http.problems import Problem

KEPT = 20_000  # callers remembered; whoever asked longest ago is forgotten first


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, `per_second` in the long run."""

    per_second: float
    burst: float


class Limiter:
    """Buckets of one rate, by caller."""

    def __init__(self, rate: Rate, kept: int = KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._kept = kept
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller → (tokens, when)

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, caller: str, cost: float = 1.0) -> float:
        """Take `cost` tokens and return 0, or return the seconds until there are as many."""
        now, rate = self._clock(), self._rate
        tokens, when = self._buckets.pop(caller, (rate.burst, now))
        tokens = min(rate.burst, tokens + (now - when) * rate.per_second)
        short = cost - tokens
        self._buckets[caller] = (tokens if short > 0 else tokens - cost, now)
        if len(self._buckets) > self._kept:
            self._buckets.popitem(last=False)
        return max(0.0, short / rate.per_second)

    def take(self, caller: str, what: str) -> None:
        """Take a token; Problem 429 that says when to come again."""
        wait = self.wait(caller)
        if wait > 0:
            raise Problem(
                429, "too-many", f"too many {what}; try again in {math.ceil(wait)} s", retry_after=wait
            )


def caller_of(peer: str, forwarded: str | None, trusted: frozenset[str]) -> str:
    """Who asks: the peer's address or, where a trusted proxy asks, the last one that it names.

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
