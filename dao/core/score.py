"""What each update was worth: its exact part of the round's loss reduction, given the reference gradient."""

from __future__ import annotations

from collections.abc import Sequence

from dao.core.engine.chunking import Each
from dao.core.exact import quotient
from dao.core.formats.gradient import Gradient, dots
from dao.core.types import MicroScore
from dao.core.weigh import MILLION, UpdateEntry

PRODUCT_GRID = 1 << 80


def scores(
    entries: Sequence[UpdateEntry],
    weights: Sequence[int],
    weight_sum: int,
    gradient: Gradient,
    each: Each = map,
) -> list[MicroScore]:
    """Return each entry's score in millionths of the loss, signed; 0 where the weight is 0."""
    counted = [entry.update for entry, weight in zip(entries, weights, strict=True) if weight]
    products = iter(dots(gradient, counted, each))
    return [
        MicroScore(quotient(next(products) * weight * MILLION, weight_sum * PRODUCT_GRID) if weight else 0)
        for weight in weights
    ]
