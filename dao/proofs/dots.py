"""Running totals of an update's products, and the proof that a step of them is wrong (`Dots.sol`); nothing binds them yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.codec_loops import CodecLoops
from dao.proofs.openings import Rows, compute_siblings, hash_rows

STEP = 5  # a step is over 2^STEP chunks
Totals = list[tuple[int, int]]  # product and square after each step


def compute_totals(body: Rows, gradient: Rows, loops: CodecLoops, depth: int) -> Totals:
    """Return what <gradient, u> (grid 2^-80) and <u, u> (2^-64) have come to after each step."""
    digits = gradient[:, :-1].view(">i2").astype(np.int64)
    exponents = gradient[:, -1].astype(np.int64)
    values = loops.values(body)
    products = [_dot(values[i], digits[i]) << int(exponents[i]) for i in range(len(body))]
    squares = [_dot(values[i], values[i]) for i in range(len(body))]
    size = 1 << min(STEP, depth)
    ends = [min(first + size, len(body)) for first in range(0, len(body), size)]
    return [(sum(products[:end]), sum(squares[:end])) for end in ends]


def encode_totals(totals: Totals) -> Rows:
    """Return the leaves of the tree of totals."""
    leaves = [dot.to_bytes(32, "big", signed=True) + square.to_bytes(32, "big") for dot, square in totals]
    return np.frombuffer(b"".join(leaves), np.uint8).reshape(-1, 64)


def prove_step(index: int, totals: Totals, body: Rows, gradient: Rows, depth: int) -> bytes:
    """Show a step of the totals, and the chunks that it should be the sum of."""
    height = min(STEP, depth)
    rows = encode_totals(totals)
    hashes = hash_rows(rows)
    parts = [index.to_bytes(4, "big")]
    for leaf in range(max(index - 1, 0), index + 1):
        parts += [rows[leaf].tobytes(), compute_siblings(hashes, leaf, depth - height)]
    parts += [_open_block(factor, index, height, depth) for factor in (body, gradient)]
    return b"".join(parts)


def _open_block(rows: Rows, index: int, height: int, depth: int) -> bytes:
    """Return the rows of a subtree and the siblings of its root."""
    siblings = compute_siblings(hash_rows(rows), index << height, depth)[32 * height :]
    return rows[index << height : (index + 1) << height].tobytes() + siblings


def _dot(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    return sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True))
