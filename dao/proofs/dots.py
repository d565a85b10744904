"""Running totals of products, and proofs for `ProductsProver` that they are wrong: a step, the end, a leaf."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.codec_base import CodecLoops
from dao.proofs.openings import Rows, compute_siblings, hash_rows
from dao.proofs.round_trees import RoundTrees, encode_index

STEP = 5  # a step is over 2^STEP chunks
Totals = list[tuple[int, int]]  # two products after each step


class ProductsClaim(IntEnum):
    """The products of ProductsProver: a claim is one of these, plus what is wrong of it."""

    GATE_DOT = 0
    SQUARE = 1
    DOT = 2
    STEP_DOT = 3
    GATE_SQUARE = 4
    GRADIENT_ALONG = 5
    STEP_SQUARE = 6


OF_ROWS = tuple(ProductsClaim)[:4]
END, LEAF = (
    len(ProductsClaim),
    2 * len(ProductsClaim),
)  # added to a product's number; of a wrong step nothing is


def compute_totals(body: Rows, gradient: Rows, loops: CodecLoops, depth: int) -> Totals:
    """Return what <gradient, u> (grid 2^-80) and <u, u> (2^-64) have come to after each step.

    The gradient has the first chunks of the body, those that are scored.
    """
    body = body[: loops.count_rows(len(gradient))]
    digits = gradient[:, :-1].view(">i2").astype(np.int64)
    exponents = gradient[:, -1].astype(np.int64)
    values = loops.values(body)
    products = [_dot(values[i], digits[i]) << int(exponents[i]) for i in range(len(gradient))]
    squares = [_dot(values[i], values[i]) for i in range(len(values))]
    size = 1 << min(STEP, depth)
    ends = [first + size for first in range(0, len(gradient), size)]
    return [(sum(products[:end]), sum(squares[:end])) for end in ends]


def encode_totals(totals: Sequence[Sequence[int]]) -> Rows:
    """Return the leaves of the tree of totals."""
    words = [b"".join(product.to_bytes(32, "big", signed=True) for product in leaf) for leaf in totals]
    return np.frombuffer(b"".join(words), np.uint8).reshape(len(totals), -1)


def prove_step(index: int, totals: Rows, factors: Sequence[Rows], depth: int, leaf_chunks: int = 1) -> bytes:
    """Show a step of the totals, and the chunks that it should be the sum of; of a square, those of its one factor.

    `leaf_chunks` are those that a leaf of the first factor has room for.
    """
    height = min(STEP, depth)
    hashes = hash_rows(totals)
    parts = [encode_index(index)]
    for leaf in range(max(index - 1, 0), index + 1):
        parts += [totals[leaf].tobytes(), compute_siblings(hashes, leaf, depth - height)]
    return b"".join(parts) + show_chunks(index, factors, depth, leaf_chunks)


def show_chunks(index: int, factors: Sequence[Rows], depth: int, leaf_chunks: int = 1) -> bytes:
    """Show the chunks of a step of each factor: what follows the totals in a proof of a step."""
    height = min(STEP, depth)
    heights = [max(height - (leaf_chunks - 1).bit_length(), 0), *[height] * (len(factors) - 1)]
    return b"".join(
        [_open_block(factor, index, each, depth) for factor, each in zip(factors, heights, strict=True)]
    )


def prove_end(totals: Rows, depth: int) -> bytes:
    """Show the totals after the last step."""
    last = len(totals) - 1
    leaf: bytes = totals[last].tobytes()
    return leaf + compute_siblings(hash_rows(totals), last, depth - min(STEP, depth))


def show_product_row(trees: RoundTrees, index: int) -> bytes:
    """Return what a proof about a row's product begins with."""
    return encode_index(index) + trees.open_row(index)


def _open_block(rows: Rows, index: int, height: int, depth: int) -> bytes:
    """Return the rows of a subtree and the siblings of its root."""
    siblings = compute_siblings(hash_rows(rows), index << height, depth)[32 * height :]
    block: bytes = rows[index << height : (index + 1) << height].tobytes()
    return block + siblings


def _dot(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    return sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True))
