"""The codecs, each with its exact arithmetic on the rows of an update; `dao.core.engine.topk_loops` has the sparse one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import (
    BLOCK,
    BLOCKS,
    CHUNK,
    FLOAT32_POWER,
    UPDATE_DIGITS,
    UPDATE_MAX_EXPONENT,
)
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_base import CodecLoops, Doubles, Rows
from dao.core.engine.exact import Unfit, scale
from dao.core.engine.reference import VALUE_GRID, Digits, Exponents, Sums
from dao.core.engine.topk_loops import TopKLoops
from dao.core.engine.totals import Bins, fill_bins
from dao.core.types import Codec


class DenseLoops(CodecLoops):
    """A codec that stores a number for each value, one chunk a row."""

    @abstractmethod
    def digits(self, rows: Rows) -> NDArray[Any]:
        """Return the stored numbers, (n, CHUNK), as a view."""

    def find_set(self, rows: Rows, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(self.digits(rows)[places // CHUNK, places % CHUNK] != 0, np.bool_)


class Int8Loops(DenseLoops):
    """256 int8, then an exponent byte for each block of 64: q = v << e."""

    leaf = CHUNK + BLOCKS
    limit = 63.75

    def pack(self, values: Doubles, room: Doubles, power: int, rows: Rows) -> None:
        blocks, spare = (array.reshape(-1, BLOCK) for array in (values, room))
        exponents = scale(blocks, UPDATE_DIGITS, UPDATE_MAX_EXPONENT, power, spare)
        self.digits(rows)[:] = values
        rows[:, CHUNK:] = exponents.reshape(-1, BLOCKS)

    def first_bad(self, rows: Rows) -> tuple[int, str] | None:
        digits, exponents = self.digits(rows), rows[:, CHUNK:]
        if digits.min() == -128:
            return int((digits == -128).argmax()), "expected values from -127 to 127, got -128"
        if exponents.max() > UPDATE_MAX_EXPONENT:
            block = int((exponents > UPDATE_MAX_EXPONENT).argmax())
            got = exponents[block // BLOCKS, block % BLOCKS]
            return block * BLOCK, f"expected exponents from 0 to {UPDATE_MAX_EXPONENT}, got {got}"
        return None

    def digits(self, rows: Rows) -> NDArray[np.int8]:
        return rows[:, :CHUNK].view(np.int8)

    def values(self, rows: Rows) -> Sums:
        total = np.zeros((len(rows), CHUNK), np.int64)
        self.add(rows, 1, total, Scratch())
        return total

    def add(self, rows: Rows, weight: int, total: Sums, scratch: Scratch) -> None:
        scaled = self._blocks(rows, scratch.array("scaled", len(rows), np.int64))
        scaled *= (np.int64(weight) << rows[:, CHUNK:].astype(np.int64))[:, :, np.newaxis]
        total += scaled.reshape(total.shape)

    def dot(self, rows: Rows, digits: Digits, exponents: Exponents, scratch: Scratch) -> Bins:
        # at most 64 * 127 * 32,767 < 2^28
        blocks = self._blocks(rows, scratch.array("factor", len(rows), np.float64))
        dots = np.vecdot(blocks, digits.reshape(-1, BLOCKS, BLOCK))
        return fill_bins(dots, rows[:, CHUNK:] + exponents[:, np.newaxis])

    def square(self, rows: Rows, scratch: Scratch) -> Bins:
        # at most 64 * 127^2 < 2^20, which float32 holds
        blocks = self._blocks(rows, scratch.array("factor", len(rows), np.float32))
        return fill_bins(np.vecdot(blocks, blocks), 2 * rows[:, CHUNK:])

    def _blocks(self, rows: Rows, out: NDArray[Any]) -> NDArray[Any]:
        """Write the digits into `out`, (n, CHUNK), and return it in blocks."""
        out[:] = self.digits(rows)
        return out.reshape(-1, BLOCKS, BLOCK)


class Float32Loops(DenseLoops):
    """256 big-endian float32, each an integer of the grid: for tests and small models."""

    leaf = 4 * CHUNK
    limit = 64.0
    _limit = 2.0**FLOAT32_POWER

    def pack(self, values: Doubles, room: Doubles, power: int, rows: Rows) -> None:  # noqa: ARG002
        values *= 2.0**power
        np.rint(values, out=values)
        values += 0.0  # an integer has one zero
        stored = np.multiply(values, VALUE_GRID).astype(">f4")
        unfit = ~(np.abs(stored) < self._limit * VALUE_GRID)
        if unfit.any():
            index = int(unfit.argmax())
            raise Unfit(index, float(values.flat[index]))
        self.digits(rows)[:] = stored

    def first_bad(self, rows: Rows) -> tuple[int, str] | None:
        stored = self.digits(rows).astype(np.float64)
        with np.errstate(invalid="ignore"):
            good = (np.abs(stored) < self._limit * VALUE_GRID) & (
                np.rint(stored / VALUE_GRID) == stored / VALUE_GRID
            )
        if good.all():
            return None
        index = int(good.argmin())
        return index, f"expected a multiple of 2^-32 between -64 and 64, got {stored.flat[index]}"

    def digits(self, rows: Rows) -> NDArray[np.float32]:
        return rows.view(">f4")

    def values(self, rows: Rows) -> Sums:
        return (self.digits(rows).astype(np.float64) / VALUE_GRID).astype(np.int64)

    def add(self, rows: Rows, weight: int, total: Sums, scratch: Scratch) -> None:  # noqa: ARG002
        total += weight * self.values(rows)

    def dot(self, rows: Rows, digits: Digits, exponents: Exponents, scratch: Scratch) -> Bins:  # noqa: ARG002
        # at most 256 * 2^38 * 2^15 = 2^61
        dots = np.vecdot(self.values(rows), digits.astype(np.int64))
        return fill_bins(dots[:, np.newaxis], exponents)

    def square(self, rows: Rows, scratch: Scratch) -> Bins:  # noqa: ARG002
        values = self.values(rows)
        high, low = values >> 19, values & ((1 << 19) - 1)  # both within 2^19: no sum reaches 2^63
        terms = np.stack([np.vecdot(high, high), 2 * np.vecdot(high, low), np.vecdot(low, low)], axis=1)
        return fill_bins(terms, np.broadcast_to([38, 19, 0], terms.shape))


CODEC_LOOPS: dict[Codec, CodecLoops] = {
    Codec.INT8: Int8Loops(),
    Codec.FLOAT32: Float32Loops(),
    Codec.TOPK: TopKLoops(),
}
