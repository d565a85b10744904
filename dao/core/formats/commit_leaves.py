"""The tree that commits are closed with: a leaf for each node that committed or passed, sorted by node."""

from collections.abc import Iterable
from typing import Protocol

from dao.core.constants import COMMIT_KIND, PASS_KIND, ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.types import ZERO_DIGEST, Address, Digest, Signature


class NodeCommit(Protocol):
    """A node's commitment with its signature: a signed commit, a manifest's row."""

    @property
    def node(self) -> Address:
        """The node that committed."""

    @property
    def commitment(self) -> Digest:
        """The commitment."""

    @property
    def signature(self) -> Signature:
        """The node's signature."""


class NodePass(Protocol):
    """A node's pass: as it was signed, or a manifest's row of it."""

    @property
    def node(self) -> Address:
        """The node that sits the round out."""

    @property
    def signature(self) -> Signature:
        """The node's signature."""


def encode_commit_row(commit: NodeCommit) -> bytes:
    """Return a commit's leaf of the tree that commits are closed with: node, kind, commitment, signature."""
    return commit.node + bytes([COMMIT_KIND]) + commit.commitment + commit.signature


def build_commit_leaves(commits: Iterable[NodeCommit], passes: Iterable[NodePass]) -> list[bytes]:
    """Return the leaves of the tree that commits are closed with, by node; a pass has one like a commit's, with commitment 0."""
    rows = [*map(encode_commit_row, commits)]
    rows += [node_pass.node + bytes([PASS_KIND]) + ZERO_DIGEST + node_pass.signature for node_pass in passes]
    return sorted(rows)


def build_commit_tree(commits: Iterable[NodeCommit], passes: Iterable[NodePass]) -> Tree:
    """Build the tree that commits are closed with."""
    return Tree(build_commit_leaves(commits, passes), ROWS_DEPTH)


def compute_commits_root(commits: Iterable[NodeCommit], passes: Iterable[NodePass]) -> Digest:
    """Return the root of `build_commit_tree`; commits that count only by a forced commit are not under it."""
    return build_commit_tree(commits, passes).root
