"""What each update was worth: its exact part of the round's loss reduction, given the reference gradient."""

from __future__ import annotations

from collections.abc import Sequence

from dao.core.constants import MILLION, PRODUCT_POWER
from dao.core.engine.chunking import Each
from dao.core.engine.exact import divide
from dao.core.engine.products import compute_dots
from dao.core.formats.gradient import Gradient
from dao.core.types import MicroScore
from dao.core.weigh import UpdateEntry


def compute_scores(
    entries: Sequence[UpdateEntry],
    weights: Sequence[int],
    weight_sum: int,
    gradient: Gradient,
    each: Each = map,
) -> list[MicroScore]:
    """Return each entry's score in millionths of the loss, signed; 0 where the weight is 0."""
    counted = [entry.update for entry, weight in zip(entries, weights, strict=True) if weight]
    products = iter(compute_dots(gradient, counted, each))
    return [
        MicroScore(divide(next(products) * weight * MILLION, weight_sum << PRODUCT_POWER) if weight else 0)
        for weight in weights
    ]
