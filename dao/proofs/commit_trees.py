"""Proofs for `CommitsProver`: a tree of commits that is none, or lacks what it must have.

`leaves` are the tree's as they are published, 118 bytes each where they are as they should be; `forced` are all forced commits of
the round in the order of their events.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from hashlib import sha256

from dao.core.commits import NodeCommitment
from dao.core.types import ZERO_DIGEST, Address, Digest, Signature
from dao.proofs.round_trees import encode_forced, encode_index, open_leaf, open_leaf_or_none, open_siblings

ORDER, COUNT, KIND, SIGNATURE, MEMBER, FORCED, RECEIPT, EARLY = range(8)  # claims

Leaves = Sequence[bytes]
Forced = Sequence[NodeCommitment]


def prove_order(first: int, second: int, leaves: Leaves) -> bytes:
    """Show the leaves at two indices, the first of which should have the lower node."""
    return (
        encode_index(first)
        + encode_index(second)
        + open_leaf_or_none(leaves, first)
        + open_leaf_or_none(leaves, second)
    )


def prove_count(index: int, leaves: Leaves) -> bytes:
    """Show that there is a leaf at an index, or none."""
    hash_ = sha256(leaves[index]).digest() if index < len(leaves) else ZERO_DIGEST
    return encode_index(index) + hash_ + open_siblings(leaves, index)


def prove_row_count() -> bytes:
    """Show nothing: result and statement have the number of rows, the coordinator that of commits."""
    return b""


def prove_leaf(index: int, leaves: Leaves) -> bytes:
    """Show a leaf: of no kind, not signed by its node, or of a node that took no part (KIND, SIGNATURE, MEMBER)."""
    return encode_index(index) + open_leaf(leaves, index)


def prove_forced(index: int, leaves: Leaves, forced: Forced) -> bytes:
    """Show a leaf whose node has a forced commit."""
    return prove_leaf(index, leaves) + encode_forced(forced)


def prove_receipt(
    node: Address, commitment: Digest, signature: Signature, leaves: Leaves, forced: Forced
) -> bytes:
    """Show the Superlink's receipt for a commit, and what the tree has in its place."""
    index = _find_place(node, leaves)
    is_there = index < len(leaves) and leaves[index].startswith(node)
    rest = prove_leaf(index, leaves) if is_there else _prove_absence(index, leaves, forced)
    return node + commitment + signature + bytes([is_there]) + rest


def prove_early(node: Address, leaves: Leaves, forced: Forced) -> bytes:
    """Show that a node that might commit was not heard."""
    return node + prove_absence(node, leaves, forced)


def prove_absence(node: Address, leaves: Leaves, forced: Forced) -> bytes:
    """Show that a node has neither a leaf nor a forced commit."""
    return _prove_absence(_find_place(node, leaves), leaves, forced)


def _prove_absence(index: int, leaves: Leaves, forced: Forced) -> bytes:
    """Show all forced commits, the leaf at an index, if there is one, and the leaf before it."""
    before = open_leaf_or_none(leaves, index - 1) if index else b""
    return encode_forced(forced) + encode_index(index) + before + open_leaf_or_none(leaves, index)


def _find_place(node: Address, leaves: Leaves) -> int:
    """Return the index of a node's leaf, or that at which it would be."""
    return bisect_left([leaf[: len(node)] for leaf in leaves], node)
