"""What a codec does with the rows of an update: one row, or leaf, holds a chunk, or as many as the codec says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import VALUE_POWER
from dao.core.engine.chunking import Scratch, Span
from dao.core.engine.exact import divide_all
from dao.core.engine.reference import VALUE_GRID, Digits, Exponents, Sums
from dao.core.engine.totals import Bins

Rows = NDArray[np.uint8]  # (leaves, leaf)
Floats = NDArray[np.float32]  # (n, CHUNK)
Doubles = NDArray[np.float64]  # (n, CHUNK)


class CodecLoops(ABC):
    """What a codec does with rows. Values are integers on the grid 2^-32, below 2^38.

    Rows hold n chunks, of which the last row's may be fewer than it has room for.
    """

    leaf: ClassVar[int]  # bytes
    limit: ClassVar[float]  # changes of this size do not fit
    leaf_chunks: ClassVar[int] = 1  # chunks that a row has room for, at most TOTALS_STEP

    def count_rows(self, chunks: int) -> int:
        """Return how many rows hold so many chunks."""
        return -(-chunks // self.leaf_chunks)

    def find_rows(self, span: Span) -> slice:
        """Return which rows hold a span of chunks; its first one is the first of a row."""
        return slice(span[0] // self.leaf_chunks, self.count_rows(span[1]))

    def encode(self, before: Floats, after: Floats, rows: Rows, scratch: Scratch) -> None:
        """Write `after - before` into rows. Raises Unfit, in units of the grid, for a value that does not fit."""
        self.pack(*subtract(before, after, scratch), VALUE_POWER, rows)

    def quantise(self, total: Sums, divisor: int, rows: Rows, scratch: Scratch) -> None:
        """Write `total / divisor`, rounded half to even to the grid, into rows; the divisor is 1 to 2^20.

        What fits is any total of weights, up to the divisor in all, times values that this codec has.
        """
        values, room = (scratch.array(name, len(total), np.float64) for name in ("delta", "room"))
        divide_all(total, divisor, values)
        self.pack(values, room, 0, rows)

    def move(self, rows: Rows, base: Floats, scratch: Scratch) -> NDArray[np.floating]:
        """Return `base + q`, (n, CHUNK): the sum in float64, to be rounded to float32; a zero is positive."""
        moved: Doubles = scratch.array("moved", len(base), np.float64)
        np.multiply(self.values(rows)[: len(base)], VALUE_GRID, out=moved)
        moved += base
        moved += 0.0
        return moved

    @abstractmethod
    def pack(self, values: Doubles, room: Doubles, power: int, rows: Rows) -> None:
        """Write values times 2^power, in units of the grid, into rows; `values` and `room`, of one shape, are used up."""

    @abstractmethod
    def first_bad(self, rows: Rows) -> tuple[int, str] | None:
        """Return where (index of a value) and why rows break the format, or None."""

    @abstractmethod
    def values(self, rows: Rows) -> Sums:
        """Return the values q, (rows * leaf_chunks, CHUNK)."""

    @abstractmethod
    def add(self, rows: Rows, weight: int, total: Sums, scratch: Scratch) -> None:
        """Add `weight * q` to a total, (n, CHUNK)."""

    @abstractmethod
    def dot(self, rows: Rows, digits: Digits, exponents: Exponents, scratch: Scratch) -> Bins:
        """Return the bins of `q * (digits << exponents)`, for 16-bit digits (n, CHUNK) and exponents (n,)."""

    @abstractmethod
    def square(self, rows: Rows, scratch: Scratch) -> Bins:
        """Return the bins of `q * q`."""

    @abstractmethod
    def find_set(self, rows: Rows, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of which places, which count values and rise, rows hold another value than 0."""


def subtract(before: Floats, after: Floats, scratch: Scratch) -> tuple[Doubles, Doubles]:
    """Return `after - before`, (n, CHUNK), and room of the same shape, both in scratch."""
    delta, room = (scratch.array(name, len(after), np.float64) for name in ("delta", "room"))
    np.copyto(delta, after)  # faster than having the subtraction convert
    np.copyto(room, before)
    with np.errstate(invalid="ignore"):
        delta -= room
    return delta, room
