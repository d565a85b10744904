"""Token buckets: exact, by caller, in bounded memory."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.api.http.problems import Problem
from dao.api.http.rate_limits import Rate, RateLimiter, identify_caller


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_take__beyond_the_burst__says_when_to_come_again() -> None:
    clock = Clock()
    limiter = RateLimiter(Rate(per_second=0.5, burst=2), clock=clock)
    limiter.take("a", "requests")
    limiter.take("a", "requests")
    with pytest.raises(Problem) as problem:
        limiter.take("a", "requests")
    assert (problem.value.status, problem.value.retry_after) == (429, 2.0)
    limiter.take("b", "requests")
    clock.now += 2
    limiter.take("a", "requests")


@given(st.lists(st.floats(0, 3), max_size=60))
def test_wait__any_times__never_more_than_rate_and_burst(pauses: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(Rate(2, 5), clock=clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += limiter.wait("a") == 0
    assert passed <= 5 + 2 * clock.now + 1e-6


def test_limiter__more_callers_than_fit__the_oldest_forgotten() -> None:
    limiter = RateLimiter(Rate(1, 1), max_buckets=100, clock=Clock())
    for number in range(1000):
        limiter.wait(str(number))
    assert len(limiter) == 100


TRUSTED = frozenset({"10.0.0.1", "10.0.0.2"})


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),  # anyone can write that
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the last is the proxy's own word
        ("10.0.0.1", "6.6.6.6,1.2.3.4, 10.0.0.2", "1.2.3.4"),  # one proxy behind the other
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::/48"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::/48"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2001:db8:0:1:aaaa::1", "", "2001:db8::/48"),
        ("2001:db8:0:ffff::1", "", "2001:db8::/48"),  # a customer has all of it
        ("fe80::1%eth0", "", "fe80::/48"),
        ("::ffff:1.2.3.4", "", "1.2.3.4"),
        ("unknown", "", "unknown"),
    ],
)
def test_caller_of__peers_and_proxies__who_asks(peer: str, forwarded: str, caller: str) -> None:
    assert identify_caller(peer, forwarded, TRUSTED) == caller
