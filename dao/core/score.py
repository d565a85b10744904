"""What each update was worth: its Aumann-Shapley value of the round's loss reduction, exact given the reference gradient.

Along the straight line w(t) = base + t * step from the base model to the new one, t from 0 to 1, the loss L falls by

    L(base) - L(base + step) = integral of <g(w(t)), step> dt        with g = -grad L, step = sum over i of (w_i / W) u_i

and the part of node i, the value of Aumann and Shapley (Values of Non-Atomic Games, 1974), is linear in its update:

    score_i = (w_i / W) <G, u_i>        with G = (g(w(a)) + g(w(b))) / 2, about the integral of g(w(t))

a and b are the two Gauss-Legendre nodes on [0, 1] (constants.GAUSS_LEGENDRE), exact where L is a polynomial of degree 4
on the line. Scores add up to the whole over any split of an update, so that copies and parts earn what the update earns.
"""

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
    """Return each entry's score in millionths of the loss, signed, rounded half to even; 0 where the weight is 0.

    `gradient` is G, (chunks, CHUNK) on the grid 2^-48; updates, (chunks, CHUNK), are on 2^-32, products on 2^-80.
    """
    counted = [entry.update for entry, weight in zip(entries, weights, strict=True) if weight]
    products = iter(compute_dots(gradient, counted, each))
    return [
        MicroScore(divide(next(products) * weight * MILLION, weight_sum << PRODUCT_POWER) if weight else 0)
        for weight in weights
    ]
