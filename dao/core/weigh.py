"""The weights of a round: linear in stake, 0 without a clear sign of real training, clipped to the median.

    w0 = floor(s * 2^20 / sum of s)                           of a node whose stake counts s
    gate: 0 unless memory > 5 / sqrt(values)                  memory = <g0, u> / (|g0| |u|) + memory before / 2
    clip: w = w0 * min(1, m / |u|)                            m: median of the norms

with u the update, g0 the gate gradient and the median weighted by w0. The gate is the cosine test of FLTrust (Cao, Fang, Liu
and Gong, NDSS 2021) with a gradient on rows that no node has seen. A random direction's cosine has the standard
deviation 1 / sqrt(values): noise passes five of them once in 3.5 million rounds, once in 130,000 with its memory, while a
weak but real direction adds up. Clipping to the median norm is that of Andrew, Thakkar, McMahan and Ramaswamy (Differentially Private
Learning with Adaptive Clipping, NeurIPS 2021), without noise: who is not half of the stake cannot raise the median.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dao.core.constants import CHUNK, GATE_DEVIATIONS, MILLION, WEIGHT_UNITS
from dao.core.engine.chunking import Each
from dao.core.engine.exact import compute_weighted_median, halve
from dao.core.engine.merkle import compute_totals_root
from dao.core.engine.products import compute_dots, compute_gradient_square, compute_update_square
from dao.core.formats.gradient import Gradient
from dao.core.formats.update import Update
from dao.core.types import ZERO_DIGEST, Address, Digest, Status, hex_of
from dao.errors import RuleError


@dataclass(frozen=True, slots=True)
class UpdateEntry:
    """A node with a valid update; `stake` as it counts (`dao.core.round_machine.compute_counted_stake`)."""

    node: Address
    stake: int
    update: Update  # (chunks, CHUNK), in 2^-32


@dataclass(frozen=True, slots=True)
class UpdateProducts:
    """The exact products of a node's update that its weight follows from; `stake` as it counts."""

    node: Address
    stake: int
    gate_dot: int  # <g0, u>, in 2^-80
    square: int  # |u|^2, in 2^-64
    totals_root: Digest  # over the running totals of both


@dataclass(frozen=True, slots=True)
class NodeWeight:
    """What a node's update weighs, and why."""

    node: Address
    unit_weight: int  # w0, in 2^-20 of the round's stake, as all weights
    weight: int  # w
    gate_dot: int  # <g0, u>, in 2^-80
    square: int  # |u|^2, in 2^-64
    cosine: int  # to the gate gradient, in millionths
    memory: int  # of its owner's cosines, in millionths
    totals_root: Digest  # over the running totals of <g0, u> and |u|^2
    status: Status  # ok, clipped or gated

    @property
    def norm(self) -> int:
        """|u|, in 2^-32, rounded down."""
        return math.isqrt(self.square)


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of a round, in the order of the entries; `weight_sum` is the unit weight of all that passed the gate."""

    nodes: tuple[NodeWeight, ...]
    weight_sum: int
    gate_square: int = 0  # |g0|^2, in 2^-96
    norm_median: int = 0  # of the nodes that passed, in 2^-32; 0 without one
    gate_totals: Digest = ZERO_DIGEST  # root over the running totals of |g0|^2

    @property
    def weights(self) -> tuple[int, ...]:
        """The weights alone."""
        return tuple(node.weight for node in self.nodes)


def compute_gate_threshold(values: int) -> int:
    """Return what a memory must exceed, in millionths: five standard deviations of a random direction's cosine."""
    return GATE_DEVIATIONS * MILLION // math.isqrt(values)


def compute_weights(
    entries: Sequence[UpdateEntry],
    gate_gradient: Gradient,
    memories: Mapping[Address, int],
    depth: int,
    each: Each = map,
) -> Weighing:
    """Weigh a round's updates: unit weights, gate, clip to the median norm.

    `gate_gradient` is the one at the base model; `memories` holds, by node, its owner's memory of the last round it had one.
    `depth` is that of body trees. Raises RuleError when a node has two entries or no stake, or sizes differ.
    """
    updates, chunks = [entry.update.scored for entry in entries], gate_gradient.chunks
    gate_square = compute_gradient_square(gate_gradient, each)
    dots = compute_dots(gate_gradient, updates, each)
    squares = [compute_update_square(update, each) for update in updates]
    roots = [compute_totals_root(pair, chunks, depth) for pair in zip(dots, squares, strict=True)]
    products = [
        UpdateProducts(entry.node, entry.stake, dot.total, square.total, root)
        for entry, dot, square, root in zip(entries, dots, squares, roots, strict=True)
    ]
    gate_totals = compute_totals_root([gate_square], chunks, depth)
    return weigh_products(products, gate_square.total, gate_totals, memories, chunks * CHUNK)


def weigh_products(
    products: Sequence[UpdateProducts],
    gate_square: int,
    gate_totals: Digest,
    memories: Mapping[Address, int],
    values: int,
) -> Weighing:
    """Return the weights that follow from the products of updates of `values` values; raises as `compute_weights` does."""
    _check(products)
    gate_norm, threshold = math.isqrt(gate_square), compute_gate_threshold(values)
    stakes = sum(product.stake for product in products)
    nodes = []
    for product in products:
        size = math.isqrt(product.square)
        cosine = product.gate_dot * MILLION // (gate_norm * size) if gate_norm and size else 0
        memory = cosine + halve(memories.get(product.node, 0))
        unit_weight = product.stake * WEIGHT_UNITS // stakes
        status, weight = (Status.OK, unit_weight) if memory > threshold else (Status.GATED, 0)
        numbers = product.gate_dot, product.square, cosine, memory, product.totals_root
        nodes.append(NodeWeight(product.node, unit_weight, weight, *numbers, status))
    weight_sum = sum(node.weight for node in nodes)
    counted = [(node.norm, node.unit_weight) for node in nodes if node.weight]
    median = compute_weighted_median(counted) if counted else 0
    return Weighing(
        tuple(_clip(node, median) for node in nodes), weight_sum, gate_square, median, gate_totals
    )


def _check(entries: Sequence[UpdateProducts]) -> None:
    if len({entry.node for entry in entries}) != len(entries):
        raise RuleError("entries: expected one for each node")
    for entry in entries:
        if entry.stake <= 0:
            raise RuleError(f"node {hex_of(entry.node)}: expected stake that counts, got {entry.stake}")


def _clip(node: NodeWeight, median: int) -> NodeWeight:
    """Lower the weight of a node with a larger norm than the median to what makes it the median."""
    if not node.weight or node.norm <= median:
        return node
    return replace(node, weight=node.weight * median // node.norm, status=Status.CLIPPED)
