"""The weights of a round: linear in stake, 0 without a clear sign of real training, clipped to the median.

    w0 = floor(s * 2^20 / sum of s)                           of a node whose stake counts s
    gate: 0 unless memory > 5 / sqrt(values)                  memory = <g0, u> / (|g0| |u|) + memory before / 2
    clip: w1 = w0 * min(1, m1 / |u|)                          m1: median of the norms
          w = w1 * min(1, m2 / t), t = <D, u> * w1 / w0       m2: median of the positive t; D: sum of w1 * u, quantised

with u the update, g0 the gate gradient and medians weighted by w0. The gate is the cosine test of FLTrust (Cao, Fang, Liu
and Gong, NDSS 2021) with a gradient on rows that no node has seen. A random direction's cosine has the standard
deviation 1 / sqrt(values): noise passes five of them once in 3.5 million rounds, once in 130,000 with its memory, while a
weak but real direction adds up. Clipping to the median norm is that of Andrew, Thakkar, McMahan and Ramaswamy (Differentially Private
Learning with Adaptive Clipping, NeurIPS 2021), without noise: who is not half of the stake cannot raise the median.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dao.core.constants import CHUNK, GATE_DEVIATIONS, MILLION, WEIGHT_UNITS
from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Each, Scratch, Span, sweep
from dao.core.engine.products import (
    add_up,
    compute_dots,
    compute_gradient_square,
    compute_span_dots,
    compute_update_square,
    compute_weighted_sum,
)
from dao.core.errors import RuleError
from dao.core.formats.gradient import Gradient
from dao.core.formats.update import Update
from dao.core.types import Address, Status, hex_of


@dataclass(frozen=True, slots=True)
class UpdateEntry:
    """A node with a valid update; `stake` as it counts (`dao.core.round_machine.compute_counted_stake`)."""

    node: Address
    stake: int
    update: Update  # (chunks, CHUNK), in 2^-32


@dataclass(frozen=True, slots=True)
class NodeWeight:
    """What a node's update weighs, and why."""

    node: Address
    unit_weight: int  # w0, in 2^-20 of the round's stake, as all weights
    weight: int  # w
    norm: int  # |u|, in 2^-32
    cosine: int  # to the gate gradient, in millionths
    memory: int  # of its cosines, in millionths
    status: Status  # ok, clipped or gated


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of a round, in the order of the entries; `weight_sum` is the unit weight of all that passed the gate."""

    nodes: tuple[NodeWeight, ...]
    weight_sum: int

    @property
    def weights(self) -> tuple[int, ...]:
        """The weights alone."""
        return tuple(node.weight for node in self.nodes)


def compute_gate_threshold(values: int) -> int:
    """Return what a memory must exceed, in millionths: five standard deviations of a random direction's cosine."""
    return GATE_DEVIATIONS * MILLION // math.isqrt(values)


def compute_weights(
    entries: Sequence[UpdateEntry], gate_gradient: Gradient, memories: Mapping[Address, int], each: Each = map
) -> Weighing:
    """Weigh a round's updates: unit weights, gate, clip to the median norm, clip to the median projection.

    `gate_gradient` is the one at the base model; `memories` holds each node's memory of the last round it had one.
    Raises RuleError when a node has two entries or no stake, or sizes differ.
    """
    _check(entries)
    gate_norm = math.isqrt(compute_gradient_square(gate_gradient, each))
    threshold = compute_gate_threshold(gate_gradient.chunks * CHUNK)
    stakes = sum(entry.stake for entry in entries)
    products = compute_dots(gate_gradient, [entry.update for entry in entries], each)
    nodes = []
    for entry, product in zip(entries, products, strict=True):
        size = math.isqrt(compute_update_square(entry.update, each))
        cosine = product * MILLION // (gate_norm * size) if gate_norm and size else 0
        memory = cosine + _half(memories.get(entry.node, 0))
        unit_weight = entry.stake * WEIGHT_UNITS // stakes
        status, weight = (Status.OK, unit_weight) if memory > threshold else (Status.GATED, 0)
        nodes.append(NodeWeight(entry.node, unit_weight, weight, size, cosine, memory, status))
    weight_sum = sum(node.weight for node in nodes)
    nodes = _clip(nodes, [node.norm for node in nodes], counts=[node.weight > 0 for node in nodes])
    projections = _compute_projections(entries, nodes, each)
    nodes = _clip(nodes, projections, counts=[projection > 0 for projection in projections])
    return Weighing(tuple(nodes), weight_sum)


def _check(entries: Sequence[UpdateEntry]) -> None:
    if len({entry.node for entry in entries}) != len(entries):
        raise RuleError("entries: expected one for each node")
    for entry in entries:
        if entry.stake <= 0:
            raise RuleError(f"node {hex_of(entry.node)}: expected stake that counts, got {entry.stake}")


def _half(memory: int) -> int:
    """Return half of it, rounded towards zero."""
    return memory // 2 if memory > 0 else -(-memory // 2)


def _clip(nodes: Sequence[NodeWeight], sizes: Sequence[int], counts: Sequence[bool]) -> list[NodeWeight]:
    """Lower the weight of each node that counts and whose size is above their median to what makes it the median."""
    rows = list(zip(nodes, sizes, counts, strict=True))
    if not any(counts):
        return list(nodes)
    median = compute_weighted_median((size, node.unit_weight) for node, size, does in rows if does)
    return [
        replace(node, weight=node.weight * median // size, status=Status.CLIPPED)
        if does and size > median
        else node
        for node, size, does in rows
    ]


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


def _compute_projections(
    entries: Sequence[UpdateEntry], nodes: Sequence[NodeWeight], each: Each
) -> list[int]:
    """Return t of each node, the product of its update with the weighted sum D; 0 where the weight is 0."""
    places = [i for i, node in enumerate(nodes) if node.weight]
    projections = [0] * len(nodes)
    if not places:
        return projections
    updates, weights = [entries[i].update for i in places], [nodes[i].weight for i in places]
    loops = get_loops(updates[0].layout.chunks)

    def part(span: Span, scratch: Scratch) -> list[int]:
        digits, exponents = loops.quantise_sums(
            compute_weighted_sum(updates, weights, span, scratch), scratch
        )
        return compute_span_dots(digits, exponents, updates, span, scratch)

    products = add_up(sweep(part, updates[0].layout.chunks, each), len(updates))
    for i, product in zip(places, products, strict=True):
        projections[i] = product * nodes[i].weight // nodes[i].unit_weight
    return projections
