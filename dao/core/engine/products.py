"""Exact inner products, norms and weighted sums over rows of updates and gradients, span by span.

A vector has `chunks` rows of CHUNK values. An update's values are integers on the grid 2^-32, a gradient's on 2^-48.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Each, Scratch, Span, sweep
from dao.core.engine.codec_loops import CodecLoops, Rows
from dao.core.engine.reference import Digits, Exponents, Sums
from dao.errors import RuleError


class GradientRows(Protocol):
    """A quantised gradient."""

    @property
    def body(self) -> Rows:
        """Its rows, (chunks, GRADIENT_LEAF)."""


class UpdateRows(Protocol):
    """An encoded update."""

    @property
    def body(self) -> Rows:
        """Its rows, (chunks, leaf of its codec)."""

    @property
    def loops(self) -> CodecLoops:
        """The arithmetic on rows of its codec."""


def read_factors(
    gradient: GradientRows, span: Span, scratch: Scratch, name: str = "factors"
) -> tuple[Digits, Exponents]:
    """Return a span's integers (n, CHUNK), as the loops multiply them, and exponents (n,), both in scratch."""
    loops = get_loops(len(gradient.body))
    digits = scratch.array(name, span[1] - span[0], loops.digit)
    exponents = scratch.array(f"{name} exponents", len(digits), np.uint8, 1).reshape(-1)
    loops.read_digits(gradient.body[slice(*span)], digits, exponents)
    return digits, exponents


def compute_dots(gradient: GradientRows, updates: Sequence[UpdateRows], each: Each = map) -> list[int]:
    """Return <gradient, update> for each update, exact, in units of 2^-80."""
    return compute_all_dots([gradient], updates, each)[0]


def compute_all_dots(
    gradients: Sequence[GradientRows], updates: Sequence[UpdateRows], each: Each = map
) -> list[list[int]]:
    """Return for each gradient its <gradient, update> for each update, exact, in 2^-80, in one pass over all."""
    chunks = len(gradients[0].body)
    for other in (*gradients, *updates):
        _check_size(chunks, len(other.body))

    def part(span: Span, scratch: Scratch) -> list[int]:
        factors = (
            read_factors(gradient, span, scratch, f"factors {i}") for i, gradient in enumerate(gradients)
        )
        return [
            update.loops.dot(update.body[slice(*span)], digits, exponents, scratch)
            for digits, exponents in factors
            for update in updates
        ]

    count = len(updates)
    dots = _add_up(sweep(part, chunks, each), len(gradients) * count)
    return [dots[i * count : (i + 1) * count] for i in range(len(gradients))]


def compute_weighted_sum(
    updates: Sequence[UpdateRows], weights: Sequence[int], span: Span, scratch: Scratch
) -> Sums:
    """Return the sum of `weight * q` over a span, (n, CHUNK), in scratch; weights of 0 or more, in all up to 2^20."""
    total: NDArray[np.int64] = scratch.array("total", span[1] - span[0], np.int64)
    total.view(np.uint8).fill(0)
    for update, weight in zip(updates, weights, strict=True):
        if weight:
            update.loops.add(update.body[slice(*span)], weight, total, scratch)
    return total


def compute_update_square(update: UpdateRows, each: Each = map) -> int:
    """Return the exact sum of squares, in units of 2^-64."""

    def part(span: Span, scratch: Scratch) -> int:
        return update.loops.square(update.body[slice(*span)], scratch)

    return sum(sweep(part, len(update.body), each))


def compute_gradient_square(gradient: GradientRows, each: Each = map) -> int:
    """Return the exact sum of squares, in units of 2^-96."""
    return compute_gram([gradient], each)[0]


def compute_distance(computed: GradientRows, reference: GradientRows, each: Each = map) -> float:
    """Return |computed - reference| / |reference|; infinite when only the reference is zero."""
    square, product, reference_square = compute_gram([computed, reference], each)
    distance = square - 2 * product + reference_square
    if reference_square == 0:
        return math.inf if distance else 0.0
    return math.sqrt(distance / reference_square)


def compute_gram(gradients: Sequence[GradientRows], each: Each) -> list[int]:
    """Return the products of all pairs of gradients, each with itself first and then with those after it, in 2^-96."""
    chunks = len(gradients[0].body)
    for gradient in gradients:
        _check_size(len(gradient.body), chunks)
    pairs = list(combinations_with_replacement(range(len(gradients)), 2))
    loops = get_loops(chunks)

    def part(span: Span, scratch: Scratch) -> list[int]:
        factors = [
            read_factors(gradient, span, scratch, f"factors {i}") for i, gradient in enumerate(gradients)
        ]
        return [
            loops.dot_digits(left, right, exponents + others)
            for (left, exponents), (right, others) in ((factors[i], factors[j]) for i, j in pairs)
        ]

    return _add_up(sweep(part, chunks, each), len(pairs))


def _add_up(parts: Iterable[list[int]], count: int) -> list[int]:
    """Add up lists of `count` integers."""
    totals = [0] * count
    for part in parts:
        totals = [total + one for total, one in zip(totals, part, strict=True)]
    return totals


def _check_size(chunks: int, other: int) -> None:
    if chunks != other:
        raise RuleError(f"gradient: expected {other} chunks like the other vector, got {chunks}")
