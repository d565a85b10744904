"""Openings: a leaf's bytes and its siblings from the bottom up, as `Cursors.sol` reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.backend import get_loops
from dao.core.engine.merkle import compute_root
from dao.errors import RuleError

Rows = NDArray[np.uint8]  # (chunks, leaf)


def hash_rows(rows: Rows) -> bytes:
    """Return the hashes of the rows, side by side."""
    return get_loops(len(rows)).hash_rows(rows)


def compute_siblings(hashes: bytes, index: int, depth: int) -> bytes:
    """Return the siblings of a leaf, present or absent, in the tree over these hashes of leaves.

    RuleError where a tree of this depth has no such leaf, or no room for the hashes.
    """
    if not 0 <= index < 1 << depth:
        raise RuleError(f"leaf {index}: expected one of a tree of depth {depth}")
    siblings = []
    for height in range(depth):
        first = ((index >> height) ^ 1) << height
        leaves = hashes[32 * first : 32 * (first + (1 << height))]
        siblings.append(compute_root(leaves, height))
    return b"".join(siblings)


def open_row(rows: Rows, index: int, depth: int) -> bytes:
    """Return a row and its siblings; RuleError where there is no such row."""
    if not 0 <= index < len(rows):
        raise RuleError(f"chunk {index}: expected one of {len(rows)}")
    leaf: bytes = rows[index].tobytes()
    return leaf + compute_siblings(hash_rows(rows), index, depth)


def encode_place(chunk: int, value: int) -> bytes:
    """Return what names a value of a model: its chunk, and its index in the chunk."""
    return chunk.to_bytes(4, "big") + value.to_bytes(1, "big")


def view_rows(values: NDArray[Any], type_: str) -> Rows:
    """Return rows of values, (chunks, CHUNK), as the bytes of their leaves; `type_` is numpy's word for one value."""
    return np.ascontiguousarray(values, type_).view(np.uint8)
