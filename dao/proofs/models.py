"""Proofs for `ModelProver`: a value of the new model that is not the base model's and the step's, a step that is not the aggregate's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dao.proofs.openings import Rows, encode_place, open_row, view_rows
from dao.proofs.sums import AGGREGATE_VALUE

MODEL, STEP = range(2)  # claims
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
