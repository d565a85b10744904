"""The trees of a posted round as a manifest states them, and what proofs open of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from hashlib import sha256

from dao.core.commits import NodeCommitment
from dao.core.constants import ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.abi import encode
from dao.core.formats.commit_leaves import build_commit_leaves
from dao.core.formats.manifest import Manifest
from dao.core.formats.round_rows import encode_inputs, encode_medians, encode_rows, encode_shards
from dao.core.state import LostRound
from dao.core.statement import build_account_tree, compute_parts, compute_statement
from dao.core.types import Result, Statement
from dao.proofs.openings import compute_siblings

NUMBER = 4  # bytes of an index


@dataclass(frozen=True)
class StatedParent:
    """What a round goes on from: its parent's result, statement and accounts, leaf by leaf."""

    result: Result
    statement: Statement
    accounts: Sequence[bytes]
    shards: bytes  # those used, and its own


@dataclass(frozen=True)
class RoundTrees:
    """A round's result and statement, and the leaves under their roots; `forced` are all forced commits, in order.

    `lost` are the rounds between it and its parent that drew a shard.
    """

    result: Result
    statement: Statement
    rows: Sequence[bytes]
    inputs: Sequence[bytes]
    accounts: Sequence[bytes]
    commits: Sequence[bytes]
    medians: bytes
    shards: bytes  # those used, and its own
    forced: Sequence[NodeCommitment]
    parent: StatedParent | None
    lost: Sequence[LostRound] = ()

    def open_row(self, index: int) -> bytes:
        """Return a row and its siblings."""
        return open_leaf(self.rows, index)

    def open_row_before(self, index: int) -> bytes:
        """Return the row before another one; nothing before the first."""
        return self.open_row(index - 1) if index else b""

    def open_last_row(self) -> bytes:
        """Return the last row; nothing where there is none."""
        return self.open_row_before(len(self.rows))

    def open_input(self, index: int) -> bytes:
        """Return an input and its siblings."""
        return open_leaf(self.inputs, index)

    def open_account(self, index: int) -> bytes:
        """Return an account and its siblings."""
        return open_leaf(self.accounts, index)

    def open_commit(self, index: int) -> bytes:
        """Return a commit's or pass's leaf and its siblings."""
        return open_leaf(self.commits, index)

    def open_commit_or_none(self, index: int) -> bytes:
        """Return the same after a 1; of a leaf that is absent, a 0 and its siblings."""
        return open_leaf_or_none(self.commits, index)

    def show_forced(self) -> bytes:
        """Return the number of forced commits, and node and commitment of each."""
        return encode_forced(self.forced)

    def show_parent(self) -> bytes:
        """Return the parent's result and statement; nothing where there is no parent."""
        return encode_stated(self.parent.result, self.parent.statement) if self.parent else b""

    def open_parent_account(self, index: int) -> bytes:
        """Return an account as the parent left it; nothing where it is newer."""
        if self.parent is None or index >= len(self.parent.accounts):
            return b""
        return open_leaf(self.parent.accounts, index)


def build_trees(
    manifest: Manifest,
    result: Result,
    forced: Sequence[NodeCommitment],
    parent: StatedParent | None,
    lost: Sequence[LostRound] = (),
) -> RoundTrees:
    """Build the trees of a round as its manifest states them; RuleError where it states what no leaf can hold."""
    places = {account.owner: place for place, account in enumerate(manifest.accounts)}
    return RoundTrees(
        result=result,
        statement=compute_statement(manifest),
        rows=tuple(encode_rows(manifest.nodes, places)),
        inputs=tuple(encode_inputs(manifest.nodes)),
        accounts=tuple(build_account_tree(manifest.nodes, manifest.accounts).leaves),
        commits=tuple(
            build_commit_leaves((node for node in manifest.nodes if not node.forced), manifest.passes)
        ),
        medians=encode_medians(manifest.nodes, compute_parts(manifest)),
        shards=encode_shards(manifest.used_shards, manifest.shard),
        forced=forced,
        parent=parent,
        lost=lost,
    )


def encode_stated(result: Result, statement: Statement) -> bytes:
    """Write a result and its statement, as `abi.encode` has them."""
    return encode(*astuple(result)) + encode(*astuple(statement))


def open_leaf(leaves: Sequence[bytes], index: int) -> bytes:
    """Return a leaf of a tree of depth ROWS_DEPTH, and its siblings."""
    return leaves[index] + open_siblings(leaves, index)


def open_leaf_or_none(leaves: Sequence[bytes], index: int) -> bytes:
    """Return the same after a 1; of a leaf that is absent, a 0 and its siblings."""
    if index < len(leaves):
        return b"\1" + open_leaf(leaves, index)
    return b"\0" + open_siblings(leaves, index)


def open_siblings(leaves: Sequence[bytes], index: int) -> bytes:
    """Return the siblings of a place in a tree of depth ROWS_DEPTH, whether there is a leaf at it or none."""
    if index < len(leaves):
        return b"".join(build_tree(tuple(leaves)).proof(index))
    return compute_siblings(b"".join([sha256(leaf).digest() for leaf in leaves]), index, ROWS_DEPTH)


def encode_forced(forced: Sequence[NodeCommitment]) -> bytes:
    """Write the number of forced commits, and node and commitment of each."""
    pairs = [commit.node + commit.commitment for commit in forced]
    return encode_index(len(pairs)) + b"".join(pairs)


@lru_cache(16)
def build_tree(leaves: tuple[bytes, ...]) -> Tree:
    """Build a tree of depth ROWS_DEPTH, once for all its openings: proofs open some leaves again and again."""
    return Tree(leaves, ROWS_DEPTH)


def encode_index(index: int) -> bytes:
    """Write an index as proofs have it."""
    return index.to_bytes(NUMBER, "big")
