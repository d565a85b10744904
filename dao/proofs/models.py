"""Proofs for `ModelProver`: a model that is not base and step, a step that is not the aggregate's, a last step that was another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dao.proofs.openings import Rows, encode_place, open_row, view_rows
from dao.proofs.sums import AGGREGATE_VALUE

MODEL, STEP, LAST_STEP = range(3)  # claims
MODEL_VALUE = "<f4"

Floats = NDArray[np.float32]  # (chunks, CHUNK), with the padding


def prove_model(
    chunk: int,
    value: int,
    step: Rows,
    model: Floats,
    base: Floats,
    depth: int,
    parent: bytes = b"",
) -> bytes:
    """Show a value of the new model, and what it should have been made of.

    `parent` is the parent's result and statement, each as `abi.encode` has it; empty where the round starts from the task's
    base model.
    """
    models = [open_row(view_rows(values, MODEL_VALUE), chunk, depth) for values in (model, base)]
    return encode_place(chunk, value) + open_row(step, chunk, depth) + models[0] + parent + models[1]


def prove_step(chunk: int, value: int, total: NDArray[np.int64], step: Rows, depth: int) -> bytes:
    """Show a value of the step beside the aggregate, (chunks, CHUNK), that it should have been made of."""
    sums = open_row(view_rows(total, AGGREGATE_VALUE), chunk, depth)
    return encode_place(chunk, value) + sums + open_row(step, chunk, depth)


def prove_last_step(
    chunk: int, parents: bytes, models: tuple[Floats, Floats] | None, depth: int, shown: bytes = b""
) -> bytes:
    """Show a chunk of the base model and of the parent's base model, and what is stated of the last step between them.

    `parents` is what the round's parent states, and that one's, each as `RoundTrees.show_parent` has it. `models` are (base,
    before), each (chunks, CHUNK), None where the chunk is beyond them, or there is no parent. `shown` is the leaf of the last step and
    its siblings; empty where the statement has no root of it.
    """
    opened = (open_row(view_rows(values, MODEL_VALUE), chunk, depth) for values in models or ())
    return chunk.to_bytes(4, "big") + parents + b"".join(opened) + shown
