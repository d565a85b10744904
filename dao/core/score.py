"""What each update was worth: its Aumann-Shapley value of the round's loss reduction, exact given the reference gradient.

Along the straight line w(t) = base + t * step from the base model to the new one, t from 0 to 1, the loss L falls by

    L(base) - L(base + step) = integral of <g(w(t)), step> dt        with g = -grad L, step = sum over i of (w_i / W) u_i

and the part of node i, the value of Aumann and Shapley (Values of Non-Atomic Games, 1974), is linear in its update:

    value_i = (w_i / W) <G, u_i>        with G = (g(w(a)) + g(w(b))) / 2, about the integral of g(w(t))

a and b are the two Gauss-Legendre nodes on [0, 1] (constants.GAUSS_LEGENDRE), exact where L is a polynomial of degree 4
on the line. Values add up to the whole over any split of an update, so that copies and parts earn what the update earns.

Of the value, what lies along the last step s of the model is public: anyone can send s again, for no work.

    p_i = (w_i / w0_i) <G, s> <s, u_i> / |s|^2        for each unit of w0, W left out; rounded down
    score_i = value_i - (w0_i / W) max(p_i - m, 0)    m: weighted median of the p, at least 0

So it counts up to the median: who replays s gets what the median node has of it, and honest nodes lose little.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dao.core.constants import MILLION, PRODUCT_POWER
from dao.core.engine.chunking import Each
from dao.core.engine.exact import compute_weighted_median, divide
from dao.core.engine.merkle import compute_totals_root
from dao.core.engine.products import compute_both_dots, compute_gram
from dao.core.formats.gradient import Gradient
from dao.core.types import ZERO_DIGEST, Address, Digest, MicroScore
from dao.core.weigh import NodeWeight, UpdateEntry, Weighing


@dataclass(frozen=True, slots=True)
class NodeScore:
    """What a node's update was worth, and the products that say so; all 0 where its weight is 0."""

    node: Address
    dot: int  # <G, u>, in 2^-80
    step_dot: int  # <s, u>, in 2^-80; 0 without a last step
    totals_root: Digest  # over the running totals of both
    score: MicroScore


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scores of a round, in the order of the entries."""

    nodes: tuple[NodeScore, ...]
    gradient_along: int = 0  # <G, s>, in 2^-96
    step_square: int = 0  # |s|^2, in 2^-96; 0 without a last step
    along_median: int = 0  # m, in 2^-80
    step_totals: Digest = ZERO_DIGEST  # root over the running totals of <G, s> and |s|^2


def compute_scores(
    entries: Sequence[UpdateEntry],
    weighing: Weighing,
    gradient: Gradient,
    last_step: Gradient | None,
    depth: int,
    each: Each = map,
) -> Scoring:
    """Return each entry's score in millionths of the loss, signed, rounded half to even; 0 where the weight is 0.

    `gradient` is G and `last_step` s, (chunks, CHUNK) on the grid 2^-48; None or all zero: there is no last step.
    Updates, (chunks, CHUNK), are on 2^-32, products on 2^-80; `depth` is that of body trees.
    """
    weighed = zip(entries, weighing.nodes, strict=True)
    updates = [entry.update.scored for entry, node in weighed if node.weight]
    chunks, along, square, step_totals = gradient.chunks, 0, 0, ZERO_DIGEST
    pairs = zip(*compute_both_dots(gradient, last_step, updates, each), strict=True)
    if last_step is not None:
        _, *totals = compute_gram([gradient, last_step], each)  # without |G|^2
        along, square = (product.total for product in totals)
        step_totals = compute_totals_root(totals, chunks, depth)
    products = (
        (dot.total, step_dot.total, compute_totals_root([dot, step_dot], chunks, depth))
        for dot, step_dot in pairs
    )
    return score_products(weighing, products, along, square, step_totals)


def score_products(
    weighing: Weighing,
    products: Iterable[tuple[int, int, Digest]],
    along: int,
    square: int,
    step_totals: Digest,
) -> Scoring:
    """Return the scores that follow from the products: `dot`, `step_dot` and `totals_root` of each node with a weight."""
    counted = list(zip((node for node in weighing.nodes if node.weight), products, strict=True))
    parts = [
        compute_part_along(node.weight, node.unit_weight, step_dot, along, square)
        for node, (_, step_dot, _) in counted
    ]
    median = compute_along_median(zip(parts, (node.unit_weight for node, _ in counted), strict=True))
    scores = {
        node.node: NodeScore(
            node.node, *product, compute_score(node, product[0], part, median, weighing.weight_sum)
        )
        for (node, product), part in zip(counted, parts, strict=True)
    }
    none = (0, 0, ZERO_DIGEST, MicroScore(0))
    scored = tuple(scores.get(node.node) or NodeScore(node.node, *none) for node in weighing.nodes)
    return Scoring(scored, along, square, median, step_totals)


def compute_part_along(
    weight: int, unit_weight: int, step_dot: int, gradient_along: int, step_square: int
) -> int:
    """Return p, the part of a node's value along the last step for each unit of w0, in 2^-80; 0 without such a step."""
    if not step_square or not weight or not unit_weight:
        return 0
    return gradient_along * step_dot * weight // (unit_weight * step_square)


def compute_along_median(pairs: Iterable[tuple[int, int]]) -> int:
    """Return m, the weighted median of (p, w0) of the nodes with a weight, at least 0; 0 without one."""
    counted = list(pairs)
    return max(compute_weighted_median(counted), 0) if counted else 0


def compute_score(node: NodeWeight, dot: int, part: int, median: int, weight_sum: int) -> MicroScore:
    """Return a node's score, given <G, u> and p, in millionths."""
    value = dot * node.weight - node.unit_weight * max(part - median, 0)
    return MicroScore(divide(value * MILLION, weight_sum << PRODUCT_POWER))
