"""Splits long arithmetic into spans of chunks that stay in cache, reuse memory and may run at the same time."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dao.core.constants import CHUNK

T = TypeVar("T")

SPAN = 512  # chunks: 131,072 values, 1 MiB as float64
LARGE = (
    8192  # chunks of a vector from which spans are twice as long: there are enough of them for every thread
)

Span = tuple[int, int]  # chunks start to stop


class Each(Protocol):
    """Applies a function to every span and gives the results in order: `map`, or the `map` of a thread pool.

    Numpy releases the interpreter lock, so a pool of as many threads as there are cores helps. Results never depend
    on it. Do not call from inside the same pool: its threads would wait for each other.
    """

    def __call__(self, function: Callable[[Span], T], spans: Iterable[Span], /) -> Iterable[T]:
        """Yield `function(span)` for every span, in the order of the spans."""


class Sink(Protocol):
    """Takes the rows of an array, some at a time: an array itself, or a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The whole array's."""

    def __setitem__(self, rows: slice, values: NDArray[Any], /) -> None:
        """Set rows, which another thread may do to others meanwhile."""


class Scratch:
    """Memory that spans use one after the other: the system's fresh pages cost more than the arithmetic in them."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, chunks: int, dtype: DTypeLike, width: int = CHUNK) -> NDArray[Any]:
        """Return an array, (chunks, width), of whatever values; the next one of this name takes its place."""
        size = chunks * width * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < size:
            memory = self._memory[name] = np.empty(size, np.uint8)
        return memory[:size].view(dtype).reshape(chunks, width)


def cut_spans(chunks: int) -> list[Span]:
    """Cut `chunks` into spans of at most SPAN, twice that of large vectors."""
    size = SPAN if chunks < LARGE else 2 * SPAN
    return [(start, min(start + size, chunks)) for start in range(0, chunks, size)]


def sweep(function: Callable[[Span, Scratch], T], chunks: int, each: Each) -> Iterable[T]:
    """Yield `function(span, scratch)` for all spans of `chunks`, in order; as many scratches as run at a time."""
    free: list[Scratch] = []

    def run(span: Span) -> T:
        try:
            scratch = free.pop()
        except IndexError:
            scratch = Scratch()
        result = function(span, scratch)
        free.append(scratch)
        return result

    return each(run, cut_spans(chunks))
