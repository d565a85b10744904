"""The new model: base model plus the weighted mean of the updates, the same bytes on every machine and in any order.

With the weights w, their bound W and the updates' integers q, (chunks, CHUNK) int64 on the grid 2^-32:

    A = sum over i of w_i q_i               (chunks, CHUNK) int64, of scored chunks
    A = W * median over i of q_i            of carried chunks, value by value, weighted by w_i
    step = the update of T = A / max(W, 1)  (chunks, leaf) rows of the codec of steps; T is rounded half to even
    model = float32(base + step)            (size,) float32; a zero is positive
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dao.core.constants import WEIGHT_UNITS
from dao.core.engine.backend import get_codec_loops, get_loops, get_step_codec
from dao.core.engine.chunking import Each, Scratch, Sink, Span, sweep
from dao.core.engine.merkle import compute_roots
from dao.core.engine.products import compute_sums
from dao.core.formats.layout import FLOAT, Model, put_chunks
from dao.core.types import Codec, Digest
from dao.core.weigh import UpdateEntry
from dao.errors import RuleError


@dataclass(frozen=True, slots=True)
class AggregateRoots:
    """The roots over the weighted sums A, over the step and over the new model, a leaf for each chunk."""

    sums: Digest
    step: Digest
    model: Digest


def compute_aggregate(
    entries: Sequence[UpdateEntry],
    weights: Sequence[int],
    weight_sum: int,
    base: Model,
    codec: Codec,
    rows: Sink,
    out: Sink,
    depth: int,
    each: Each = map,
) -> AggregateRoots:
    """Write the step's `rows`, (chunks, leaf), and the new model's values, (size,) float32 in the order of the file, into `out`.

    `codec` is the updates'. Weights are 0 or more and add up to at most `weight_sum`, itself at most 2^20. Raises RuleError for other weights, an
    update of another layout, or sinks of another shape.
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
    updates, chunks = [entry.update for entry in entries], base.layout.chunks
    loops, codec_loops = get_loops(chunks), get_codec_loops(get_step_codec(codec), chunks)
    if rows.shape != (chunks, codec_loops.leaf):
        raise RuleError(f"step: expected room for {(chunks, codec_loops.leaf)} bytes, got {rows.shape}")

    def move(span: Span, scratch: Scratch) -> tuple[bytes, bytes, bytes]:
        total = compute_sums(updates, weights, weight_sum, span, scratch)  # (n, CHUNK) int64
        step = scratch.array("rows", len(total), np.uint8, codec_loops.leaf)
        codec_loops.quantise(total, max(weight_sum, 1), step, scratch)
        rows[slice(*span)] = step
        values = np.ascontiguousarray(codec_loops.move(step, base.span(*span), scratch), FLOAT)
        put_chunks(base.layout, out, span[0], values)
        return loops.hash_sums(total, scratch), loops.hash_rows(step), loops.hash_rows(values.view(np.uint8))

    return AggregateRoots(*compute_roots(sweep(move, chunks, each), chunks, depth))
