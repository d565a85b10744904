"""How long to wait between attempts at what may come right: pauses that double."""

from collections.abc import Iterator
from itertools import count
from math import inf
from random import uniform

from tenacity import RetryCallState, Retrying, wait_exponential

FIRST, LONGEST = 0.1, 5.0  # seconds
SPREAD = 0.2  # of a pause, either way: many nodes that failed at once do not come back as one


def pause_after(failures: int, first: float, longest: float = inf, spread: float = 0.0) -> float:
    """Return the pause, in seconds, after so many failures in a row: `first` after one, then doubled up to `longest`."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failures
    return wait_exponential(multiplier=first, max=longest)(state) * uniform(1 - spread, 1 + spread)  # noqa: S311  (no secret)


def pauses(first: float = FIRST, longest: float = LONGEST, spread: float = SPREAD) -> Iterator[float]:
    """Yield the pauses after one failure, two and so on, for ever."""
    return (pause_after(failures, first, longest, spread) for failures in count(1))
