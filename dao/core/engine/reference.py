"""The inner loops of the arithmetic on a span of chunks, in numpy: what is meant, and fast enough for small models.

`dao.core.engine.numba_backend` has the same loops for large ones, with the same results to the last bit.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dao.core.constants import GRADIENT_DIGITS, GRADIENT_MAX_EXPONENT, GRADIENT_POWER, VALUE_POWER
from dao.core.engine.chunking import Scratch
from dao.core.engine.exact import scale
from dao.core.engine.totals import Bins, fill_bins

VALUE_GRID = 2.0**-VALUE_POWER
GRADIENT_SCALE = 2.0**GRADIENT_POWER

Sums = NDArray[np.int64]  # (n, CHUNK)
Digits = NDArray[Any]  # (n, CHUNK), integers of 16 bits, of the loops' own type
Exponents = NDArray[np.uint8]  # (n,)


class Loops:
    """What is done with rows of chunks, (n, ...). What is returned may be scratch."""

    digit: ClassVar[DTypeLike] = np.float64  # the type of the digits that are multiplied

    def hash_rows(self, rows: NDArray[np.uint8]) -> bytes:
        """Return the sha256 of every row of a C-contiguous array, side by side."""
        size, view = rows.shape[1], rows.reshape(-1).data
        return b"".join([sha256(view[i : i + size]).digest() for i in range(0, len(view), size)])

    def hash_sums(self, total: Sums, scratch: Scratch) -> bytes:
        """Return the sha256 of every row as big-endian integers, side by side."""
        leaves = scratch.array("leaves", len(total), ">i8")
        leaves[:] = total
        return self.hash_rows(leaves.view(np.uint8))

    def quantise_floats(self, values: NDArray[np.float32], rows: NDArray[np.uint8], scratch: Scratch) -> None:
        """Write values, times 2^48, as rows of a gradient: 16-bit integers and an exponent; Unfit where one does not fit."""
        digits, room = (scratch.array(name, len(values), np.float32) for name in ("scaled", "room"))
        with np.errstate(over="ignore"):
            np.multiply(values, np.float32(GRADIENT_SCALE), out=digits)  # exact: a power of two
        rows[:, -1] = scale(digits, GRADIENT_DIGITS, GRADIENT_MAX_EXPONENT, room=room)
        rows[:, :-1].view(">i2")[:] = digits

    def read_digits(self, rows: NDArray[np.uint8], digits: Digits, exponents: Exponents) -> None:
        """Read rows of a gradient: big-endian integers of 16 bits, then their exponent."""
        digits[:] = rows[:, :-1].view(">i2")
        exponents[:] = rows[:, -1]

    def dot_digits(self, left: Digits, right: Digits, exponents: Exponents) -> Bins:
        """Return the bins of `left * right << exponents`, exponents up to 94."""
        return fill_bins(np.vecdot(left, right)[:, np.newaxis], exponents)  # at most 256 * 32,767^2 < 2^38


PLAIN = Loops()
