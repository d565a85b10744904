"""Splits long arithmetic into spans of chunks that stay in cache and may run at the same time."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")

SPAN = 512  # chunks: 131,072 values, 1 MiB as float64


class Each(Protocol):
    """Applies a function to every span and gives the results in order: `map`, or the `map` of a thread pool.

    Numpy releases the interpreter lock, so a pool of as many threads as there are cores helps. Results never depend
    on it. Do not call from inside the same pool: its threads would wait for each other.
    """

    def __call__(
        self, function: Callable[[tuple[int, int]], T], spans: Iterable[tuple[int, int]], /
    ) -> Iterable[T]:
        """Yield `function(span)` for every span, in the order of the spans."""


def spans(chunks: int) -> list[tuple[int, int]]:
    """Cut `chunks` into (start, stop) pairs of at most SPAN chunks."""
    return [(start, min(start + SPAN, chunks)) for start in range(0, chunks, SPAN)]
