"""Exact integer arithmetic: quotients rounded half to even, weighted medians, power-of-two scales of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dao.errors import RuleError


def divide(dividend: int, divisor: int) -> int:
    """Return `dividend / divisor`, rounded half to even, for a positive divisor."""
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole & 1))


def halve(number: int) -> int:
    """Return half of it, rounded towards zero."""
    return number // 2 if number > 0 else -(-number // 2)


def compute_weighted_median(pairs: Iterable[tuple[int, int]]) -> int:
    """Return the lower weighted median of (value, weight): the least value at which the weights up to it reach half."""
    ordered = sorted(pairs)
    half = sum(weight for _, weight in ordered)
    reached = 0
    for value, weight in ordered:
        reached += 2 * weight
        if reached >= half:
            return value
    raise RuleError("median: expected at least one value")


def compute_weighted_medians(values: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the lower weighted median of each column of (n, k) values, int64 (k,), as `compute_weighted_median` does.

    Weights, (n,), are positive and add up to less than 2^62.
    """
    order = np.argsort(values, axis=0, kind="stable")
    reached = 2 * weights[order].cumsum(axis=0)
    first = (reached >= weights.sum()).argmax(axis=0)
    ordered: NDArray[np.int64] = np.take_along_axis(values, order, axis=0)
    return np.asarray(np.take_along_axis(ordered, first[np.newaxis], axis=0)[0], np.int64)


def divide_all(dividends: NDArray[np.int64], divisor: int, out: NDArray[np.float64]) -> None:
    """Write each `dividend / divisor`, rounded half to even, into `out`: exact for quotients below 2^53.

    The divisor is positive and at most 2^20.
    """
    if max(int(dividends.max()), -int(dividends.min())) < divisor << 31:
        # The dividend is exact in float64, and a float64 below 2^31 lies within 2^-23 of its real quotient, while a
        # quotient that is no half lies 2^-21 or more from every half: rounding twice rounds as once.
        np.copyto(out, dividends)  # faster than having the division convert
        out /= divisor
        np.rint(out, out=out)
    else:
        whole, rest = np.divmod(dividends, divisor)
        whole += (2 * rest > divisor) | ((2 * rest == divisor) & (whole & 1 == 1))
        out[:] = whole


def scale(
    groups: NDArray[Any], digits: int, most: int, power: int = 0, room: NDArray[Any] | None = None
) -> NDArray[np.uint8]:
    """Scale float groups (n, k), times 2^power, in place to integers that fit `digits` bits and a sign.

    Returns the exponents (n,): each is the least of 0 to `most` for which all of `rint(value / 2^e)`, half to even, lie
    strictly between -2^digits and 2^digits. Raises Unfit where there is none, or a value is not finite. `room` is
    scratch like the groups.
    """
    largest = np.ldexp(np.abs(groups, out=room).max(axis=1), power)
    # largest = fraction * 2^magnitude, fraction in [1/2, 1): it rounds to 2^digits from 2^digits - 1/2 on
    fraction, magnitude = np.frexp(largest)
    exponents = np.maximum(magnitude - digits + (fraction >= 1 - 2.0 ** -(digits + 1)), 0)
    unfit = ~(np.isfinite(largest) & (exponents <= most))
    if unfit.any():
        group = int(unfit.argmax())
        index = int(np.abs(groups[group]).argmax())
        raise Unfit(group * groups.shape[1] + index, float(groups[group, index]) * 2.0**power)
    groups *= np.ldexp(np.ones_like(largest), power - exponents)[:, np.newaxis]
    np.rint(groups, out=groups)
    return np.asarray(exponents, np.uint8)


class Unfit(RuleError):  # noqa: N818  (a leaf of the tree)
    """A value does not fit, whatever the exponent."""

    def __init__(self, index: int, value: float) -> None:
        super().__init__(f"value {index}: expected it finite and to fit the largest exponent, got {value}")
        self.index = index
        self.value = value
