"""The new model: base model plus the weighted mean of the updates, the same bytes on every machine and in any order.

With the weights w, their bound W and the updates' integers q, (chunks, CHUNK) int64 on the grid 2^-32:

    A = sum over i of w_i q_i              (chunks, CHUNK) int64
    T = A / W, rounded half to even        (chunks, CHUNK) int64
    model = float32(base + T * 2^-32)      (size,) float32; a zero is positive
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dao.core.constants import WEIGHT_UNITS
from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Each, Scratch, Sink, Span, sweep
from dao.core.engine.merkle import compute_root
from dao.core.engine.products import compute_weighted_sum
from dao.core.formats.layout import FLOAT, Model, put_chunks
from dao.core.types import Digest
from dao.core.weigh import UpdateEntry
from dao.errors import RuleError


@dataclass(frozen=True, slots=True)
class AggregateRoots:
    """The roots over the weighted sums A and over the new model, a leaf for each chunk."""

    sums: Digest
    model: Digest


def compute_aggregate(
    entries: Sequence[UpdateEntry],
    weights: Sequence[int],
    weight_sum: int,
    base: Model,
    out: Sink,
    depth: int,
    each: Each = map,
) -> AggregateRoots:
    """Write the new model's values into `out`, float32 in the order of the file; return the roots over sums and model.

    Weights are 0 or more and add up to at most `weight_sum`, itself at most 2^20; where that is 0, the model stays.
    Raises RuleError for other weights, an update of another layout, or an `out` of another shape than (size,).
    """
    if not 0 <= sum(weights) <= weight_sum <= WEIGHT_UNITS or min(weights, default=0) < 0:
        raise RuleError(
            f"weights: expected at least 0, adding up to {weight_sum} or less, got {sum(weights)}"
        )
    for entry in entries:
        if entry.update.layout != base.layout:
            raise RuleError("update: expected the tensors of the base model")
    if out.shape != (base.layout.size,):
        raise RuleError(f"model: expected room for {base.layout.size} values, got {out.shape}")
    updates = [entry.update for entry in entries]
    loops = get_loops(base.layout.chunks)

    def step(span: Span, scratch: Scratch) -> tuple[bytes, bytes]:
        total = compute_weighted_sum(updates, weights, span, scratch)  # (n, CHUNK) int64
        model = base.span(*span)  # (n, CHUNK) float32
        moved = loops.move(total, weight_sum, model, scratch) if weight_sum else model
        values = np.ascontiguousarray(moved, FLOAT)
        put_chunks(base.layout, out, span[0], values)
        return loops.hash_sums(total, scratch), loops.hash_rows(values.view(np.uint8))

    sums, values = zip(*sweep(step, base.layout.chunks, each), strict=True)
    return AggregateRoots(compute_root(b"".join(sums), depth), compute_root(b"".join(values), depth))


def compute_model_root(model: Model, depth: int, each: Each = map) -> Digest:
    """Return the root over a model's chunks, (chunks, CHUNK) float32, little-endian as in its file."""
    loops = get_loops(model.layout.chunks)

    def hash_span(span: Span, _: Scratch) -> bytes:
        return loops.hash_rows(np.ascontiguousarray(model.span(*span)).view(np.uint8))

    return compute_root(b"".join(sweep(hash_span, model.layout.chunks, each)), depth)
