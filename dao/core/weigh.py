"""The weights of a round: linear in stake, 0 without a clear sign of real training, clipped to the median."""

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
    update: Update


@dataclass(frozen=True, slots=True)
class NodeWeight:
    """What a node's update weighs, and why.

    `norm` is in units of 2^-32; `cosine` to the gate gradient and its `memory` over rounds are millionths.
    """

    node: Address
    unit_weight: int
    weight: int
    norm: int
    cosine: int
    memory: int
    status: Status


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of a round, in the order of the entries; `weight_sum` is the unit weight of all that passed the gate."""

    nodes: tuple[NodeWeight, ...]
    weight_sum: int

    @property
    def weights(self) -> tuple[int, ...]:
        """The weights alone."""
        return tuple(weighed.weight for weighed in self.nodes)


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
    nodes = _clip(nodes, [node.norm for node in nodes], weighing=[node.weight > 0 for node in nodes])
    projections = _projections(entries, nodes, each)
    nodes = _clip(nodes, projections, weighing=[projection > 0 for projection in projections])
    return Weighing(tuple(nodes), weight_sum)


def _check(entries: Sequence[UpdateEntry]) -> None:
    if len({entry.node for entry in entries}) != len(entries):
        raise RuleError("entries: expected one for each node")
    for entry in entries:
        if entry.stake <= 0:
            raise RuleError(f"node {hex_of(entry.node)}: expected stake that counts, got {entry.stake}")


def _half(memory: int) -> int:
    """Half of it, rounded towards zero."""
    return memory // 2 if memory > 0 else -(-memory // 2)


def _clip(nodes: Sequence[NodeWeight], sizes: Sequence[int], weighing: Sequence[bool]) -> list[NodeWeight]:
    """Lower the weight of each `weighing` node whose size is above their median to what makes it the median."""
    among = [(size, node.unit_weight) for node, size, on in zip(nodes, sizes, weighing, strict=True) if on]
    if not among:
        return list(nodes)
    median = compute_weighted_median(among)
    return [
        replace(node, weight=node.weight * median // size, status=Status.CLIPPED)
        if on and size > median
        else node
        for node, size, on in zip(nodes, sizes, weighing, strict=True)
    ]


def compute_weighted_median(pairs: Iterable[tuple[int, int]]) -> int:
    """Return the least of (value, weight) at which the weights of the values up to it reach half of them all."""
    ordered = sorted(pairs)
    half = sum(weight for _, weight in ordered)
    reached = 0
    for value, weight in ordered:
        reached += 2 * weight
        if reached >= half:
            return value
    raise RuleError("median: expected at least one value")


def _projections(entries: Sequence[UpdateEntry], nodes: Sequence[NodeWeight], each: Each) -> list[int]:
    """Each weighing node's product with the weighted sum of all, as a part of its weight; 0 for the others."""
    weighing = [i for i, node in enumerate(nodes) if node.weight]
    projections = [0] * len(nodes)
    if not weighing:
        return projections
    updates = [entries[i].update for i in weighing]
    weights = [nodes[i].weight for i in weighing]
    loops = get_loops(updates[0].layout.chunks)

    def part(span: Span, scratch: Scratch) -> list[int]:
        digits, exponents = loops.quantise_sums(
            compute_weighted_sum(updates, weights, span, scratch), scratch
        )
        return compute_span_dots(digits, exponents, updates, span, scratch)

    products = add_up(sweep(part, updates[0].layout.chunks, each), len(updates))
    for i, product in zip(weighing, products, strict=True):
        projections[i] = product * nodes[i].weight // nodes[i].unit_weight
    return projections
