"""Proofs for `ModelProver`: a value of the new model that is not the base model's and the aggregate's step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Scratch
from dao.proofs.openings import encode_place, open_row, view_rows
from dao.proofs.sums import AGGREGATE_VALUE

MODEL = 0  # claim
MODEL_VALUE = "<f4"

Floats = NDArray[np.float32]  # (chunks, CHUNK), with the padding


def move_model(total: NDArray[np.int64], weight_sum: int, base: Floats) -> Floats:
    """Return what the new model should be, (chunks, CHUNK)."""
    if not weight_sum:
        return base
    return np.ascontiguousarray(get_loops(len(total)).move(total, weight_sum, base, Scratch()), np.float32)


def prove_model(
    chunk: int,
    value: int,
    total: NDArray[np.int64],
    model: Floats,
    base: Floats,
    depth: int,
    parent: bytes = b"",
) -> bytes:
    """Show a value of the new model, and what it should have been made of.

    `parent` is the parent's result and statement, each as `abi.encode` has it; empty where the round starts from the task's
    base model.
    """
    sums = open_row(view_rows(total, AGGREGATE_VALUE), chunk, depth)
    models = [open_row(view_rows(values, MODEL_VALUE), chunk, depth) for values in (model, base)]
    return encode_place(chunk, value) + sums + models[0] + parent + models[1]
