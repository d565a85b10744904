"""Proofs for `ShapeProver`: a leaf of another length than its tree's, one too many, or a missing one."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from dao.core.constants import ROWS_DEPTH
from dao.proofs.openings import compute_siblings

UPDATE, AGGREGATE, MODEL, GATE, GRADIENT, INPUTS, ROWS, ACCOUNTS, STEP = range(9)  # claims, each of one tree


def prove_shape(index: int, leaves: Sequence[bytes], depth: int) -> bytes:
    """Show the leaf at an index, or that there is none; the depth is that of the bodies, but ROWS_DEPTH of INPUTS, ROWS, ACCOUNTS."""
    leaf = leaves[index] if index < len(leaves) else b""
    hashes = b"".join([sha256(one).digest() for one in leaves])
    return index.to_bytes(4, "big") + leaf + compute_siblings(hashes, index, depth)


def prove_update_shape(
    index: int, leaves: Sequence[bytes], depth: int, place: int, inputs: Sequence[bytes]
) -> bytes:
    """Show the same of an update (UPDATE), whose leaf of the tree of inputs is at `place`."""
    return prove_shape(place, inputs, ROWS_DEPTH) + prove_shape(index, leaves, depth)
