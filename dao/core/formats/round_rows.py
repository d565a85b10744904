"""The rows of a round, one for each commit that counts, as leaves: all that a node's weight, score and reward follow from.

A row ends with running totals over the rows up to it, so that every sum over nodes follows from two rows that stand side by
side, whatever their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from dao.core.constants import ROWS_DEPTH, SHARDS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.fault import Fault
from dao.core.formats.fixed import signed, unsigned
from dao.core.formats.manifest import Node, Shard
from dao.core.types import ZERO_DIGEST, Address, Digest, Status, hex_of
from dao.errors import RuleError

STATUSES = list(Status)  # a status is its index here, as a byte
COUNTED = (Status.OK, Status.CLIPPED, Status.GATED)  # of a node whose update was weighed
PASSED = (Status.OK, Status.CLIPPED)  # the gate
NO_FAULT = b"\xff" * 5


def build_rows_tree(nodes: Sequence[Node], accounts: Mapping[Address, int]) -> Tree:
    """Build the tree over the rows, in the order of `nodes`; `accounts` is the index of each owner's account."""
    return Tree(list(encode_rows(nodes, accounts)), ROWS_DEPTH)


def encode_rows(nodes: Sequence[Node], accounts: Mapping[Address, int]) -> Iterable[bytes]:
    """Yield each node's row; RuleError names the node and the number that does not fit."""
    inputs = passed = weights = stakes = shares = 0
    for node in nodes:
        inputs += node.status in COUNTED
        if node.status in PASSED:
            passed, weights = passed + 1, weights + node.unit_weight
        stakes += node.counted_stake
        shares += node.share
        end = (
            unsigned(inputs, 4, "inputs"),
            unsigned(passed, 4, "nodes that passed"),
            unsigned(weights, 4, "sum of unit weights"),
            unsigned(stakes, 16, "sum of stakes"),
            unsigned(shares, 16, "sum of shares"),
            node.gate_totals,
            node.score_totals,
            encode_fault(node.fault),
        )
        if node.owner not in accounts:
            raise RuleError(f"owner {hex_of(node.owner)}: expected an account beside its node's row")
        yield _encode_node(node, accounts[node.owner]) + b"".join(end)


def _encode_node(node: Node, account: int) -> bytes:
    who = f"node {hex_of(node.node)}"
    return b"".join(
        (
            node.node,
            node.owner,
            unsigned(node.stake, 16, f"{who}: stake"),
            node.commitment,
            node.cid.digest if node.cid else ZERO_DIGEST,
            node.body_root or ZERO_DIGEST,
            node.salt or ZERO_DIGEST,
            bytes([STATUSES.index(node.status), node.forced]),
            unsigned(node.unit_weight, 4, f"{who}: unit weight"),
            unsigned(node.weight, 4, f"{who}: weight"),
            signed(node.gate_dot, 32, f"{who}: product with the gate gradient"),
            unsigned(node.square, 32, f"{who}: square"),
            signed(node.memory, 8, f"{who}: memory"),
            signed(node.dot, 32, f"{who}: product with the gradient"),
            signed(node.step_dot, 32, f"{who}: product with the last step"),
            signed(node.score, 8, f"{who}: score"),
            unsigned(account, 4, f"{who}: account"),
        )
    )


def encode_fault(fault: Fault | None) -> bytes:
    """Return an update's fault as its row has it: chunk and value; without one, all bits are set."""
    if fault is None:
        return NO_FAULT
    return unsigned(fault.chunk, 4, "chunk of a fault") + unsigned(fault.value, 1, "value of a fault")


def compute_inputs_root(nodes: Iterable[Node]) -> Digest:
    """Return the root over what the aggregate is the sum of."""
    return Tree(encode_inputs(nodes), ROWS_DEPTH).root


def encode_inputs(nodes: Iterable[Node]) -> list[bytes]:
    """Return the leaf of each node whose update was weighed: body root, node and weight."""
    return [
        (node.body_root or ZERO_DIGEST) + node.node + unsigned(node.weight, 4, "weight")
        for node in nodes
        if node.status in COUNTED
    ]


def encode_medians(nodes: Iterable[Node], parts: Mapping[Address, int]) -> bytes:
    """Return the list that both medians are of, 48 bytes for each node that passed the gate, in the order of the rows.

    `parts` is each node's part of its value along the last step (dao.core.score.compute_part_along).
    """
    return b"".join(
        unsigned(node.unit_weight, 4, "unit weight")
        + unsigned(node.weight, 4, "weight")
        + unsigned(node.norm, 8, f"node {hex_of(node.node)}: norm")
        + signed(parts[node.node], 32, f"node {hex_of(node.node)}: part along the last step")
        for node in nodes
        if node.status in PASSED
    )


def compute_used_shards_hash(used: Iterable[int], shard: Shard) -> Digest:
    """Return the sha256 of a round's shards: all that are used, and its own."""
    return Digest(sha256(encode_shards(used, shard)).digest())


def encode_shards(used: Iterable[int], shard: Shard) -> bytes:
    """Return the bitmap of used shards, then index, digest and siblings of the round's own under the task's validation root."""
    index = unsigned(shard.index, 4, "index of the shard")
    return encode_used_shards(used) + index + shard.cid.digest + b"".join(shard.proof)


def encode_used_shards(used: Iterable[int]) -> bytes:
    """Return the bitmap of all shards that a task may have; the first is the highest bit of the first byte."""
    shards = 1 << SHARDS_DEPTH
    bitmap = bytearray(shards // 8)
    for shard in used:
        if not 0 <= shard < shards:
            raise RuleError(f"shard {shard}: expected 0 to {shards - 1}")
        bitmap[shard // 8] |= 0x80 >> shard % 8
    return bytes(bitmap)
