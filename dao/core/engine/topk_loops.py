"""The codec topk: of each 4,096 values the largest 58, each with its place, for models that are large beside their line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import CHUNK, TOPK_CHUNKS, TOPK_DIGITS, TOPK_KEPT, TOPK_MAX_EXPONENT, TOTALS_STEP
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_base import CodecLoops, Doubles, Rows
from dao.core.engine.exact import Unfit, scale
from dao.core.engine.reference import Digits, Exponents, Sums
from dao.core.engine.totals import Bins, fill_bins

VALUES = TOPK_CHUNKS * CHUNK  # that a leaf has room for
STEP_ROWS = TOTALS_STEP // TOPK_CHUNKS
_DIGIT = TOPK_DIGITS + 1  # bits, with the sign

Places = NDArray[np.int64]  # (rows, TOPK_KEPT), of a value in its row


class TopKLoops(CodecLoops):
    """58 entries of 16 bits, big-endian: 12 of the place, which rise, and 4 of a signed v; then an exponent byte: q = v << e."""

    leaf = 2 * TOPK_KEPT + 1
    leaf_chunks = TOPK_CHUNKS
    limit = 60.0

    def pack(self, values: Doubles, room: Doubles, power: int, rows: Rows) -> None:
        if len(values) % TOPK_CHUNKS:
            values = np.concatenate([values, np.zeros((-len(values) % TOPK_CHUNKS, CHUNK))])
            room = np.empty_like(values)
        groups, sizes = (array.reshape(-1, VALUES) for array in (values, room))
        places = _find_largest(groups, np.abs(groups, out=sizes))
        kept = np.take_along_axis(groups, places, axis=1)
        try:
            exponents = scale(kept, TOPK_DIGITS, TOPK_MAX_EXPONENT, power)
        except Unfit as unfit:
            row, entry = divmod(unfit.index, TOPK_KEPT)
            raise Unfit(row * VALUES + int(places[row, entry]), unfit.value) from None
        mask = (1 << _DIGIT) - 1
        rows[:, :-1].view(">u2")[:] = places << _DIGIT | kept.astype(np.int64) & mask
        rows[:, -1] = exponents

    def first_bad(self, rows: Rows) -> tuple[int, str] | None:
        places, digits = self._read(rows)
        falls = np.any(places[:, 1:] <= places[:, :-1], axis=1)
        low = np.any(digits == -(1 << TOPK_DIGITS), axis=1)
        bad = falls | low | (rows[:, -1] > TOPK_MAX_EXPONENT)
        if not bad.any():
            return None
        row = int(bad.argmax())
        what = f"an exponent from 0 to {TOPK_MAX_EXPONENT}, got {rows[row, -1]}"
        if falls[row]:
            what = "places that rise, got others"
        elif low[row]:
            what = "values from -7 to 7, got -8"
        return row * VALUES, f"expected a leaf with {what}"

    def find_set(self, rows: Rows, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        asked = np.unique(places // VALUES)
        found, digits = self._read(rows[asked])
        flat = (found + VALUES * asked[:, np.newaxis])[digits != 0]
        flat = np.append(flat, -1)  # none of the places
        return np.asarray(flat[np.searchsorted(flat[:-1], places)] == places, np.bool_)

    def values(self, rows: Rows) -> Sums:
        total = np.zeros((len(rows) * TOPK_CHUNKS, CHUNK), np.int64)
        self.add(rows, 1, total, Scratch())
        return total

    def add(self, rows: Rows, weight: int, total: Sums, scratch: Scratch) -> None:  # noqa: ARG002
        places, digits = self._read(rows)
        flat = total.reshape(-1)
        where = places + VALUES * np.arange(len(rows))[:, np.newaxis]
        there = where < flat.size
        flat[where[there]] += (weight * digits << rows[:, -1:].astype(np.int64))[there]  # places differ

    def dot(self, rows: Rows, digits: Digits, exponents: Exponents, scratch: Scratch) -> Bins:  # noqa: ARG002
        places, own = self._read(rows)
        where = places + VALUES * np.arange(len(rows))[:, np.newaxis]
        own[where >= digits.size] = 0  # behind the last chunk
        where = np.minimum(where, digits.size - 1)
        products = own * digits.reshape(-1)[where].astype(np.int64)
        return fill_bins(products, rows[:, -1:] + exponents[where // CHUNK], STEP_ROWS)

    def square(self, rows: Rows, scratch: Scratch) -> Bins:  # noqa: ARG002
        _, digits = self._read(rows)
        # at most 58 * 7^2
        return fill_bins((digits * digits).sum(axis=1, keepdims=True), 2 * rows[:, -1:], STEP_ROWS)

    def _read(self, rows: Rows) -> tuple[Places, NDArray[np.int64]]:
        """Return each entry's place in its row and its digit, (rows, TOPK_KEPT)."""
        entries = rows[:, :-1].view(">u2").astype(np.int64)
        half = 1 << TOPK_DIGITS
        return entries >> _DIGIT, ((entries & (2 * half - 1)) ^ half) - half


def _find_largest(groups: Doubles, sizes: Doubles) -> Places:
    """Return the places of the largest by size of each group, (groups, TOPK_KEPT), rising; of equal ones the first."""
    if np.isnan(sizes.max()):
        bad = int(np.isnan(sizes).argmax())
        raise Unfit(bad, float(groups.flat[bad]))
    least = np.partition(sizes, VALUES - TOPK_KEPT, axis=1)[:, VALUES - TOPK_KEPT, np.newaxis]
    above, equal = sizes > least, sizes == least
    wanted = TOPK_KEPT - above.sum(axis=1, keepdims=True)
    if (equal.sum(axis=1, keepdims=True) != wanted).any():
        equal &= equal.cumsum(axis=1) <= wanted
    return (np.flatnonzero(above | equal) % VALUES).reshape(-1, TOPK_KEPT)
