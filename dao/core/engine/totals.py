"""Running totals of exact products: what a product over a whole vector has come to after each step of some chunks.

Sums are 256-bit integers in two's complement, kept as 32-bit limbs, (n, LIMBS) int64, the lowest first, until all are added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import TOTALS_STEP

LIMBS = 8
SHIFTS = 128  # powers of two that parts of a product may be multiplied by
WORD = 32  # bytes of a sum

Bins = NDArray[np.int64]  # (steps, SHIFTS), each below 2^62: a step's sum is that of bin << shift
Limbs = NDArray[np.int64]

_MASK = (1 << 32) - 1


def count_steps(chunks: int) -> int:
    """Return how many steps a vector of so many chunks has."""
    return -(-chunks // TOTALS_STEP)


def new_bins(chunks: int) -> Bins:
    """Return bins for rows of so many chunks, all 0."""
    return np.zeros((count_steps(chunks), SHIFTS), np.int64)


def fill_bins(integers: NDArray[Any], shifts: NDArray[np.integer], step: int = TOTALS_STEP) -> Bins:
    """Return the bins of `integers << shifts`, both (rows, k), `step` rows a step: int64, or float64 that hold integers."""
    whole = integers.reshape(len(integers), -1).astype(np.int64)
    steps = np.arange(len(whole)) // step
    places = (steps[:, np.newaxis] * SHIFTS + shifts.reshape(whole.shape)).reshape(-1)
    bins = np.zeros((-(-len(whole) // step), SHIFTS), np.int64)
    for part, shift in ((whole & _MASK, 0), (whole >> 32, 32)):
        # float64 sums of fewer than 2^20 halves below 2^32 are exact
        found = np.bincount(places + shift, weights=part.reshape(-1), minlength=bins.size)
        bins += found[: bins.size].astype(np.int64).reshape(bins.shape)
    return bins


def to_limbs(bins: Bins) -> Limbs:
    """Return the sum of each step."""
    limbs = np.zeros((len(bins), LIMBS), np.int64)
    for shift in np.flatnonzero(bins.any(axis=0)).tolist():
        limb, rest = divmod(shift, 32)
        low, high = (bins[:, shift] & _MASK) << rest, (bins[:, shift] >> 32) << rest
        limbs[:, limb] += low & _MASK
        limbs[:, limb + 1] += (low >> 32) + (high & _MASK)
        limbs[:, limb + 2] += high >> 32
    return limbs


@dataclass(frozen=True, eq=False)
class RunningTotals:
    """What a product has come to after each step, (steps, WORD) bytes: big-endian, two's complement."""

    words: NDArray[np.uint8]

    @classmethod
    def of(cls, limbs: Limbs) -> RunningTotals:
        """Add up the sums of the steps."""
        reached = limbs.cumsum(axis=0)
        for limb in range(LIMBS - 1):
            reached[:, limb + 1] += reached[:, limb] >> 32
        words = (reached & _MASK)[:, ::-1].astype(">u4")
        return cls(words.view(np.uint8).reshape(len(limbs), WORD))

    @property
    def total(self) -> int:
        """The product."""
        return int.from_bytes(self.words[-1].tobytes(), "big", signed=True)
