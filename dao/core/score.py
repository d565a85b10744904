"""What each update was worth: its Aumann-Shapley value of the round's loss reduction, exact given the reference gradient.

Along the straight line w(t) = base + t * step from the base model to the new one, t from 0 to 1, the loss L falls by

    L(base) - L(base + step) = integral of <g(w(t)), step> dt        with g = -grad L, step = sum over i of (w_i / W) u_i

and the part of node i, the value of Aumann and Shapley (Values of Non-Atomic Games, 1974), is linear in its update:

    value_i = (w_i / W) <G, u_i>        with G = (g(w(a)) + g(w(b))) / 2, about the integral of g(w(t))

a and b are the two Gauss-Legendre nodes on [0, 1] (constants.GAUSS_LEGENDRE), exact where L is a polynomial of degree 4
on the line. Values add up to the whole over any split of an update, so that copies and parts earn what the update earns.

Of the value, what lies along the last step s of the model is public: anyone can send s again, for no work.

    p_i = (w_i / w0_i) <G, s> <s, u_i> / |s|^2        for each unit of w0, W left out
    score_i = value_i - (w0_i / W) max(p_i - m, 0)    m: weighted median of the p, at least 0

So it counts up to the median: who replays s gets what the median node has of it, and honest nodes lose little.
"""

from __future__ import annotations

from collections.abc import Sequence

from dao.core.constants import MILLION, PRODUCT_POWER
from dao.core.engine.chunking import Each
from dao.core.engine.exact import divide
from dao.core.engine.products import compute_all_dots, compute_gram
from dao.core.formats.gradient import Gradient
from dao.core.types import MicroScore
from dao.core.weigh import NodeWeight, UpdateEntry, Weighing, compute_weighted_median


def compute_scores(
    entries: Sequence[UpdateEntry],
    weighing: Weighing,
    gradient: Gradient,
    last_step: Gradient | None = None,
    each: Each = map,
) -> list[MicroScore]:
    """Return each entry's score in millionths of the loss, signed, rounded half to even; 0 where the weight is 0.

    `gradient` is G and `last_step` s, (chunks, CHUNK) on the grid 2^-48; None or all zero: there is no last step.
    Updates, (chunks, CHUNK), are on 2^-32, products on 2^-80.
    """
    counted = [
        (entry.update, node) for entry, node in zip(entries, weighing.nodes, strict=True) if node.weight
    ]
    updates, nodes = [update for update, _ in counted], [node for _, node in counted]
    gradients = [gradient] if last_step is None else [gradient, last_step]
    dots, *along_step = compute_all_dots(gradients, updates, each)
    values = [dot * node.weight for dot, node in zip(dots, nodes, strict=True)]
    square = 1
    if along_step and nodes:
        _, along, steps = compute_gram(gradients, each)  # |G|^2, <G, s>, |s|^2
        if steps:
            excess = _compute_excess(nodes, [along * dot for dot in along_step[0]])
            values = [value * steps - part for value, part in zip(values, excess, strict=True)]
            square = steps
    scores = (divide(value * MILLION, weighing.weight_sum * square << PRODUCT_POWER) for value in values)
    return [MicroScore(next(scores) if node.weight else 0) for node in weighing.nodes]


def _compute_excess(nodes: Sequence[NodeWeight], products: Sequence[int]) -> list[int]:
    """Return w0 max(p - m, 0) of each node in units of 1 / |s|^2, given <G, s> <s, u>; p is rounded down."""
    parts = [product * node.weight // node.unit_weight for node, product in zip(nodes, products, strict=True)]
    pairs = ((part, node.unit_weight) for part, node in zip(parts, nodes, strict=True))
    median = max(compute_weighted_median(pairs), 0)
    return [node.unit_weight * max(part - median, 0) for part, node in zip(parts, nodes, strict=True)]
