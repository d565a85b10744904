"""Proofs for `SumProver`: a value of the aggregate that is no sum, an update that breaks its codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import ROWS_DEPTH
from dao.core.engine.merkle import Tree, compute_root
from dao.core.types import Address
from dao.proofs.openings import Rows, compute_siblings, encode_place, hash_rows, open_row, view_rows

AGGREGATE, CODEC, PARTS = range(3)  # claims
BLOCK_HEIGHT = 6
BLOCK = 1 << BLOCK_HEIGHT  # inputs of a part; more than these are shown by parts
ONE_TRANSACTION = 128  # inputs whose chunks fit into a proof
AGGREGATE_VALUE = ">i8"


@dataclass(frozen=True, eq=False)
class SumInput:
    """An update that a round sums: a leaf of its tree of inputs."""

    node: Address
    weight: int
    body: Rows
    leaf_chunks: int = 1  # that a row has room for

    def open_leaf(self, chunk: int, depth: int) -> bytes:
        """Return the row of a chunk and its siblings."""
        return open_row(self.body, chunk // self.leaf_chunks, depth)

    @property
    def head(self) -> bytes:
        """What the leaf has beside the body's root."""
        return self.node + self.weight.to_bytes(4, "big")


def encode_input(entry: SumInput, depth: int) -> bytes:
    """Return the leaf of the tree of inputs."""
    return compute_root(hash_rows(entry.body), depth) + entry.head


def build_inputs_tree(inputs: Sequence[SumInput], depth: int) -> Tree:
    """Build the tree of inputs, which are sorted by node; `depth` is that of the bodies."""
    return Tree([encode_input(entry, depth) for entry in inputs], ROWS_DEPTH)


def prove_aggregate(
    chunk: int, value: int, total: NDArray[np.int64], inputs: Sequence[SumInput], depth: int
) -> bytes:
    """Show a value of the aggregate, (chunks, CHUNK), beside all that it should be the sum of."""
    leaf = open_row(view_rows(total, AGGREGATE_VALUE), chunk, depth)
    return encode_place(chunk, value) + leaf + show_inputs(chunk, inputs, depth)


def show_inputs(chunk: int, inputs: Sequence[SumInput], depth: int) -> bytes:
    """Show a chunk of each input: what follows the aggregate's in a proof of AGGREGATE."""
    return b"".join([entry.head + entry.open_leaf(chunk, depth) for entry in inputs])


def prove_codec(chunk: int, value: int, index: int, inputs: Sequence[SumInput], depth: int) -> bytes:
    """Show a value of one input that no decoder takes."""
    entry = inputs[index]
    opened = entry.head + entry.open_leaf(chunk, depth)
    siblings = compute_siblings(_hash_inputs(inputs, depth), index, ROWS_DEPTH)
    return encode_place(chunk, value) + index.to_bytes(4, "big") + opened + siblings


def compute_pivot(stated: int, weight_sum: int) -> int:
    """Return the median that a carried value of the aggregate states, as SumProver has it: rounded towards 0."""
    size = abs(stated) // weight_sum if weight_sum else 0
    return size if stated >= 0 else -size


def prove_part(
    chunk: int, value: int, number: int, inputs: Sequence[SumInput], depth: int, pivot: int = 0
) -> bytes:
    """Show, for `SumProver.record`, what a block of inputs adds to a value; `pivot` is the median stated of a carried one."""
    block = inputs[number * BLOCK : (number + 1) * BLOCK]
    shown = encode_place(chunk, value) + pivot.to_bytes(8, "big", signed=True)
    shown += number.to_bytes(4, "big") + show_inputs(chunk, block, depth)
    siblings = compute_siblings(_hash_inputs(inputs, depth), number * BLOCK, ROWS_DEPTH)
    return shown + siblings[32 * BLOCK_HEIGHT :]


def prove_parts(
    chunk: int, value: int, total: NDArray[np.int64], inputs: Sequence[SumInput], depth: int
) -> bytes:
    """Show a value of the aggregate beside the parts of all blocks, which are recorded."""
    leaf = open_row(view_rows(total, AGGREGATE_VALUE), chunk, depth)
    return encode_place(chunk, value) + leaf + show_blocks(inputs, depth)


def show_blocks(inputs: Sequence[SumInput], depth: int) -> bytes:
    """Show how many blocks there are: what follows the aggregate's chunk in a proof of PARTS."""
    count = -(-len(inputs) // BLOCK)
    absent = compute_siblings(_hash_inputs(inputs, depth), count * BLOCK, ROWS_DEPTH)
    return count.to_bytes(4, "big") + absent


def _hash_inputs(inputs: Sequence[SumInput], depth: int) -> bytes:
    return b"".join([sha256(encode_input(entry, depth)).digest() for entry in inputs])
