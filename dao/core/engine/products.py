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

from dao.core.constants import TOTALS_STEP
from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Each, Scratch, Span, cut_spans, sweep
from dao.core.engine.codec_base import CodecLoops, Rows
from dao.core.engine.exact import compute_weighted_medians
from dao.core.engine.reference import Digits, Exponents, Sums
from dao.core.engine.totals import LIMBS, WORD, Limbs, RunningTotals, count_steps, to_limbs
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
        """Its rows, (leaves, leaf of its codec)."""

    @property
    def loops(self) -> CodecLoops:
        """The arithmetic on rows of its codec."""


class UpdateParts(UpdateRows, Protocol):
    """An encoded update of which the first rows are scored, and the others carried."""

    @property
    def scored_chunks(self) -> int:
        """How many of its rows are scored."""


def read_factors(
    gradient: GradientRows, span: Span, scratch: Scratch, name: str = "factors"
) -> tuple[Digits, Exponents]:
    """Return a span's integers (n, CHUNK), as the loops multiply them, and exponents (n,), both in scratch."""
    loops = get_loops(len(gradient.body))
    digits = scratch.array(name, span[1] - span[0], loops.digit)
    exponents = scratch.array(f"{name} exponents", len(digits), np.uint8, 1).reshape(-1)
    loops.read_digits(gradient.body[slice(*span)], digits, exponents)
    return digits, exponents


def compute_dots(
    gradient: GradientRows, updates: Sequence[UpdateRows], each: Each = map
) -> list[RunningTotals]:
    """Return <gradient, update> for each update, exact, in units of 2^-80."""
    return compute_all_dots([gradient], updates, each)[0]


def compute_all_dots(
    gradients: Sequence[GradientRows], updates: Sequence[UpdateRows], each: Each = map
) -> list[list[RunningTotals]]:
    """Return for each gradient its <gradient, update> for each update, exact, in 2^-80, in one pass over all."""
    chunks = len(gradients[0].body)
    for gradient in gradients:
        _check_size(chunks, len(gradient.body))
    for update in updates:
        _check_size(update.loops.count_rows(chunks), len(update.body))

    def part(span: Span, scratch: Scratch) -> list[Limbs]:
        factors = (
            read_factors(gradient, span, scratch, f"factors {i}") for i, gradient in enumerate(gradients)
        )
        return [
            to_limbs(update.loops.dot(_cut(update, span), digits, exponents, scratch))
            for digits, exponents in factors
            for update in updates
        ]

    count = len(updates)
    dots = _add_up(sweep(part, chunks, each), chunks, len(gradients) * count)
    return [dots[i * count : (i + 1) * count] for i in range(len(gradients))]


def compute_both_dots(
    gradient: GradientRows, other: GradientRows | None, updates: Sequence[UpdateRows], each: Each = map
) -> list[list[RunningTotals]]:
    """Return <gradient, update> and <other, update> for each update, in 2^-80; the latter are 0 without another gradient."""
    if other is not None:
        return compute_all_dots([gradient, other], updates, each)
    zero = RunningTotals(np.zeros((count_steps(len(gradient.body)), WORD), np.uint8))
    return [*compute_all_dots([gradient], updates, each), [zero] * len(updates)]


def compute_weighted_sum(
    updates: Sequence[UpdateRows], weights: Sequence[int], span: Span, scratch: Scratch
) -> Sums:
    """Return the sum of `weight * q` over a span, (n, CHUNK), in scratch; weights of 0 or more, in all up to 2^20.

    The span begins with an update's leaf.
    """
    total: NDArray[np.int64] = scratch.array("total", span[1] - span[0], np.int64)
    total.view(np.uint8).fill(0)
    for update, weight in zip(updates, weights, strict=True):
        if weight:
            update.loops.add(_cut(update, span), weight, total, scratch)
    return total


def compute_sums(
    updates: Sequence[UpdateParts], weights: Sequence[int], weight_sum: int, span: Span, scratch: Scratch
) -> Sums:
    """Return the aggregate over a span, (n, CHUNK), in scratch; 0 without a weight.

    Of scored rows it is the sum of `weight * q`, of carried ones `weight_sum` times the weighted median of q. The span begins with
    an update's leaf.
    """
    total = compute_weighted_sum(updates, weights, span, scratch)
    counted = [(update, weight) for update, weight in zip(updates, weights, strict=True) if weight]
    if not counted:
        return total
    for chunk in range(max(span[0], updates[0].scored_chunks), span[1]):
        values = [get_chunk(update, chunk) for update, _ in counted]
        medians = compute_weighted_medians(np.stack(values), np.array([weight for _, weight in counted]))
        total[chunk - span[0]] = medians * weight_sum
    return total


def get_chunk(update: UpdateRows, chunk: int) -> NDArray[np.int64]:
    """Return the values q of a chunk, (CHUNK,)."""
    row, place = divmod(chunk, update.loops.leaf_chunks)
    values: NDArray[np.int64] = update.loops.values(update.body[row : row + 1])[place]
    return values


def compute_update_square(update: UpdateRows, each: Each = map) -> RunningTotals:
    """Return the exact sum of squares, in units of 2^-64."""

    def part(span: Span, scratch: Scratch) -> list[Limbs]:
        return [to_limbs(update.loops.square(_cut(update, span), scratch))]

    chunks = len(update.body) * update.loops.leaf_chunks
    return _add_up(sweep(part, chunks, each), chunks, 1)[0]


def compute_gradient_square(gradient: GradientRows, each: Each = map) -> RunningTotals:
    """Return the exact sum of squares, in units of 2^-96."""
    return compute_gram([gradient], each)[0]


def compute_distance(computed: GradientRows, reference: GradientRows, each: Each = map) -> float:
    """Return |computed - reference| / |reference|; infinite when only the reference is zero."""
    gram = compute_gram([computed, reference], each)
    square, product, reference_square = (totals.total for totals in gram)
    distance = square - 2 * product + reference_square
    if reference_square == 0:
        return math.inf if distance else 0.0
    return math.sqrt(distance / reference_square)


def compute_gram(gradients: Sequence[GradientRows], each: Each) -> list[RunningTotals]:
    """Return the products of all pairs of gradients, each with itself first and then with those after it, in 2^-96."""
    chunks = len(gradients[0].body)
    for gradient in gradients:
        _check_size(len(gradient.body), chunks)
    pairs = list(combinations_with_replacement(range(len(gradients)), 2))
    loops = get_loops(chunks)

    def part(span: Span, scratch: Scratch) -> list[Limbs]:
        factors = [
            read_factors(gradient, span, scratch, f"factors {i}") for i, gradient in enumerate(gradients)
        ]
        return [
            to_limbs(loops.dot_digits(left, right, exponents + others))
            for (left, exponents), (right, others) in ((factors[i], factors[j]) for i, j in pairs)
        ]

    return _add_up(sweep(part, chunks, each), chunks, len(pairs))


def _cut(update: UpdateRows, span: Span) -> Rows:
    return update.body[update.loops.find_rows(span)]


def _add_up(parts: Iterable[list[Limbs]], chunks: int, count: int) -> list[RunningTotals]:
    """Add up `count` products, each a part for each span of the chunks; no span crosses a step that it does not fill."""
    limbs = np.zeros((count, count_steps(chunks), LIMBS), np.int64)
    for (start, _), part in zip(cut_spans(chunks), parts, strict=True):
        first = start // TOTALS_STEP
        for total, one in zip(limbs, part, strict=True):
            total[first : first + len(one)] += one
    return [RunningTotals.of(one) for one in limbs]


def _check_size(chunks: int, other: int) -> None:
    if chunks != other:
        raise RuleError(f"gradient: expected {other} chunks like the other vector, got {chunks}")
