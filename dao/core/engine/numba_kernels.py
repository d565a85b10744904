"""Compiled inner loops over rows of chunks, which let other threads run meanwhile; `dao.core.engine.numba_backend` calls them.

Each computes what `dao.core.engine.reference` says in numpy, to the last bit: no option is used that lets a compiler change the
order or the rounding of anything.
"""

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from dao.core.constants import TOTALS_STEP

F = TypeVar("F", bound=Callable[..., object])
Bytes = NDArray[np.uint8]
Digits = NDArray[np.int16]
Sums = NDArray[np.int64]
Floats = NDArray[np.float32]

STEP = TOTALS_STEP
_INFINITE = 0x7FF << 52  # float64 bits from here on, without their sign, are no number
_MANTISSA = (1 << 52) - 1
# An integer below 2^51, added to the bits of this float, makes the float that is larger by it: processors turn no vectors
# of 64-bit integers into floats.
_MAGIC = 1.5 * 2.0**52
_MAGIC_BITS = int(np.float64(_MAGIC).view(np.int64))


def read_only(kind: types.Type, dimensions: int = 2) -> types.Type:
    """The type of an argument: an array that a kernel reads."""
    return types.Array(kind, dimensions, "C", readonly=True)


def writable(kind: types.Type, dimensions: int = 2) -> types.Type:
    """The type of an argument: an array that a kernel writes."""
    return types.Array(kind, dimensions, "C")


def kernel(*arguments: types.Type, result: types.Type = types.void) -> Callable[[F], F]:
    """Compile for these arguments, once for all processes where there is a folder to keep the outcome in."""

    def compiled(function: F) -> F:
        try:
            return cast("F", njit(result(*arguments), nogil=True, cache=True)(function))
        except RuntimeError:  # no folder
            return cast("F", njit(result(*arguments), nogil=True)(function))

    return compiled


@kernel(read_only(types.float32), read_only(types.float32), writable(types.uint8), result=types.boolean)
def encode(before: Floats, after: Floats, rows: Bytes) -> bool:
    """Write `after - before` into int8 rows; False, with some rows written, where a difference does not fit."""
    delta = np.empty(64, np.float64)
    bits = delta.view(np.int64)
    for i in range(rows.shape[0]):
        for block in range(4):
            first = 64 * block
            for j in range(64):
                delta[j] = np.float64(after[i, first + j]) - np.float64(before[i, first + j])
            largest = np.int64(0)
            for j in range(64):
                largest = max(largest, bits[j] & 0x7FFFFFFFFFFFFFFF)
            # the largest is fraction * 2^magnitude, the fraction at least 1/2; 32 more, in units of the grid
            magnitude = (largest >> 52) - 1022 + 32
            rounds_up = np.int64((largest & _MANTISSA) >= (1 << 52) - (1 << 45))
            exponent = max(magnitude - 7 + rounds_up, np.int64(0))
            if largest >= _INFINITE or exponent > 31:
                return False
            factor = math.ldexp(1.0, int(32 - exponent))
            for j in range(64):
                rows[i, first + j] = np.uint8(np.int8(np.int32(np.rint(delta[j] * factor))))
            rows[i, 256 + block] = np.uint8(exponent)
    return True


@kernel(read_only(types.uint8), result=types.boolean)
def check(rows: Bytes) -> bool:
    """Whether int8 rows have neither a -128 nor an exponent above 31."""
    bad = np.uint8(0)
    for i in range(rows.shape[0]):
        for j in range(256):
            bad |= np.uint8(rows[i, j] == 128)
        for j in range(256, 260):
            bad |= np.uint8(rows[i, j] > 31)
    return bool(bad == 0)


@kernel(read_only(types.uint8), types.int64, writable(types.int64))
def add(rows: Bytes, weight: int, total: Sums) -> None:
    """Add `weight * q` of int8 rows to a total; the weight is at most 2^20, so that 32 bits hold its product."""
    factor = np.int32(weight)
    for i in range(rows.shape[0]):
        for block in range(4):
            exponent = np.int64(rows[i, 256 + block])
            for j in range(64 * block, 64 * block + 64):
                total[i, j] += np.int64(np.int32(np.int8(rows[i, j])) * factor) << exponent


@kernel(read_only(types.uint8), read_only(types.int16), read_only(types.uint8, 1), writable(types.int64))
def dot(rows: Bytes, digits: Digits, exponents: Bytes, bins: Sums) -> None:
    """Add the products of int8 rows with digits, block by block, to the bins of their steps and exponents."""
    for i in range(rows.shape[0]):
        for block in range(4):
            found = np.int32(0)  # at most 64 * 128 * 32,768 = 2^28
            for j in range(64 * block, 64 * block + 64):
                found += np.int32(np.int8(rows[i, j])) * np.int32(digits[i, j])
            bins[i // STEP, np.int64(rows[i, 256 + block]) + np.int64(exponents[i])] += np.int64(found)


@kernel(read_only(types.uint8), writable(types.int64))
def square(rows: Bytes, bins: Sums) -> None:
    """Add the squares of int8 rows, block by block, to the bins of their steps and twice their exponents."""
    for i in range(rows.shape[0]):
        for block in range(4):
            found = np.int32(0)
            for j in range(64 * block, 64 * block + 64):
                value = np.int32(np.int8(rows[i, j]))
                found += value * value
            bins[i // STEP, 2 * np.int64(rows[i, 256 + block])] += np.int64(found)


@kernel(read_only(types.uint8), writable(types.int16), writable(types.uint8, 1))
def read_digits(rows: Bytes, digits: Digits, exponents: Bytes) -> None:
    """Read rows of a gradient: big-endian integers of 16 bits, then their exponent."""
    for i in range(rows.shape[0]):
        for j in range(digits.shape[1]):
            digits[i, j] = np.int16((np.uint16(rows[i, 2 * j]) << 8) | np.uint16(rows[i, 2 * j + 1]))
        exponents[i] = rows[i, 2 * digits.shape[1]]


@kernel(read_only(types.int16), read_only(types.int16), read_only(types.uint8, 1), writable(types.int64))
def dot_digits(left: Digits, right: Digits, exponents: Bytes, bins: Sums) -> None:
    """Add the products of rows of digits to the bins of their steps and exponents."""
    for i in range(left.shape[0]):
        found = np.int64(0)
        for j in range(left.shape[1]):
            found += np.int64(np.int32(left[i, j]) * np.int32(right[i, j]))  # below 2^31
        bins[i // STEP, exponents[i]] += found


@kernel(read_only(types.float32), writable(types.uint8), result=types.boolean)
def quantise_floats(values: Floats, rows: Bytes) -> bool:
    """Write each row, times 2^48, as a gradient's row; False where a value does not fit."""
    width = values.shape[1]
    for i in range(values.shape[0]):
        bits = values[i].view(np.int32)
        largest = np.int32(0)
        for j in range(width):
            largest = max(largest, bits[j] & np.int32(0x7FFFFFFF))
        magnitude = np.int64(largest >> 23) - 126 + 48
        rounds_up = np.int64((largest & 0x7FFFFF) >= (1 << 23) - (1 << 8))
        exponent = max(magnitude - 15 + rounds_up, np.int64(0))
        if exponent > 47:
            return False
        factor = math.ldexp(1.0, int(48 - exponent))
        for j in range(width):
            digit = np.int32(np.rint(np.float64(values[i, j]) * factor))
            rows[i, 2 * j] = np.uint8(digit >> 8)
            rows[i, 2 * j + 1] = np.uint8(digit)
        rows[i, 2 * width] = np.uint8(exponent)
    return True


@kernel(read_only(types.int64), types.int64, writable(types.uint8), result=types.boolean)
def quantise(total: Sums, divisor: int, rows: Bytes) -> bool:
    """Write `rint(total / divisor)` into int8 rows; False where a dividend is too large for floats to be exact."""
    limit = divisor << 31  # at most 2^51
    values = np.empty(64, np.float64)
    bits = values.view(np.int64)
    for i in range(total.shape[0]):
        for block in range(4):
            first = 64 * block
            largest = np.int64(0)
            for j in range(64):
                largest = max(largest, abs(total[i, first + j]))
            if largest >= limit:
                return False
            for j in range(64):
                bits[j] = total[i, first + j] + _MAGIC_BITS
            for j in range(64):
                values[j] = np.rint((values[j] - _MAGIC) / np.float64(divisor))
            largest = np.int64(0)
            for j in range(64):
                largest = max(largest, bits[j] & 0x7FFFFFFFFFFFFFFF)
            magnitude = (largest >> 52) - 1022
            rounds_up = np.int64((largest & _MANTISSA) >= (1 << 52) - (1 << 45))
            exponent = max(magnitude - 7 + rounds_up, np.int64(0))  # below 2^31: it fits
            factor = math.ldexp(1.0, int(-exponent))
            for j in range(64):
                rows[i, first + j] = np.uint8(np.int8(np.int32(np.rint(values[j] * factor))))
            rows[i, 256 + block] = np.uint8(exponent)
    return True


@kernel(read_only(types.uint8), read_only(types.float32), writable(types.float32))
def move(rows: Bytes, base: Floats, out: Floats) -> None:
    """Write `base` plus the values of int8 rows."""
    for i in range(rows.shape[0]):
        for block in range(4):
            factor = math.ldexp(1.0, int(rows[i, 256 + block]) - 32)
            for j in range(64 * block, 64 * block + 64):
                step = np.float64(np.int32(np.int8(rows[i, j]))) * factor
                out[i, j] = np.float32(step + np.float64(base[i, j]) + 0.0)
