"""The body tree: sha256 over leaves in order, of a fixed depth, an absent leaf being 32 zero bytes."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import TOTALS_STEP
from dao.core.engine.backend import get_loops
from dao.core.engine.reference import Loops
from dao.core.engine.totals import RunningTotals
from dao.core.types import ZERO_DIGEST, Digest
from dao.errors import RuleError

MAX_DEPTH = 64
_GROUP = 15  # levels of a large tree that are computed at a time


def _absent() -> tuple[bytes, ...]:
    """The hash of an absent subtree of each height."""
    hashes: list[bytes] = [ZERO_DIGEST]
    while len(hashes) <= MAX_DEPTH:
        hashes.append(sha256(2 * hashes[-1]).digest())
    return tuple(hashes)


ABSENT = _absent()


def compute_root(hashes: bytes, depth: int) -> Digest:
    """Return the root over hashes of leaves that lie side by side; RuleError when the tree has no room for them."""
    return _find_last(_levels(hashes, depth))


def compute_roots(pieces: Iterable[Sequence[bytes]], leaves: int, depth: int) -> list[Digest]:
    """Return the roots of trees of `leaves` leaves each, whose hashes come in pieces: one piece of every tree at a time.

    RuleError when a tree has no room for them.
    """
    _check_room(leaves, depth)
    loops, trees = get_loops(leaves), list[_GrowingTree]()
    for piece in pieces:
        trees = trees or [_GrowingTree(depth, loops) for _ in piece]
        for tree, part in zip(trees, piece, strict=True):
            tree.add(part)
    return [tree.compute_root() for tree in trees]


def compute_body_root(body: NDArray[np.uint8], depth: int) -> Digest:
    """Return the root over the rows of a C-contiguous array, (chunks, leaf)."""
    loops, size = get_loops(len(body)), 1 << _GROUP
    pieces = ([loops.hash_rows(body[start : start + size])] for start in range(0, len(body), size))
    (root,) = compute_roots(pieces, len(body), depth) or [compute_root(b"", depth)]
    return root


class _GrowingTree:
    """A tree of which only a group of leaves is kept: all the hashes of a large one take more memory than the arithmetic."""

    def __init__(self, depth: int, loops: Loops) -> None:
        self._depth, self._loops = depth, loops
        self._height = min(_GROUP, depth)
        self._leaves, self._roots = bytearray(), bytearray()

    def add(self, hashes: bytes) -> None:
        """Take the hashes of the next leaves."""
        self._leaves += hashes
        size = 32 << self._height
        while len(self._leaves) >= size:
            self._close_group(bytes(self._leaves[:size]))
            del self._leaves[:size]

    def _close_group(self, hashes: bytes) -> None:
        self._roots += _find_last(_levels(hashes, self._height, loops=self._loops))

    def compute_root(self) -> Digest:
        """Return the root over all leaves, of which there are no more."""
        if self._leaves:
            self._close_group(bytes(self._leaves))
        height = self._depth - self._height
        return _find_last(_levels(bytes(self._roots), height, self._height, self._loops))


def compute_totals_root(totals: Sequence[RunningTotals], chunks: int, depth: int) -> Digest:
    """Return the root over running totals of some products, side by side, one leaf for each step of a vector's chunks.

    The tree is as deep as the part above the steps of a body tree of `depth`.
    """
    leaves = np.concatenate([product.words for product in totals], axis=1)
    height = min((TOTALS_STEP - 1).bit_length(), depth)
    return compute_root(get_loops(chunks).hash_rows(leaves), depth - height)


class Tree:
    """A tree that keeps all its levels, for proofs."""

    def __init__(self, leaves: Sequence[bytes], depth: int) -> None:
        """Hash all leaves; RuleError when there are more than 2^depth."""
        self.depth = depth
        self._count = len(leaves)
        hashes = b"".join([sha256(leaf).digest() for leaf in leaves])
        self._levels = list(_levels(hashes, depth))

    @property
    def root(self) -> Digest:
        """The root."""
        return Digest(self._levels[-1])

    def proof(self, index: int) -> list[Digest]:
        """Return the siblings of a leaf from the bottom up; RuleError when there is no such leaf."""
        if not 0 <= index < self._count:
            raise RuleError(f"leaf {index}: expected one of the tree's {self._count} leaves")
        siblings = []
        for height, level in enumerate(self._levels[:-1]):
            start = 32 * ((index >> height) ^ 1)
            siblings.append(Digest(level[start : start + 32] or ABSENT[height]))
        return siblings


def verify(root: Digest, leaf: bytes, index: int, proof: Sequence[bytes], depth: int) -> bool:
    """Whether `leaf` is at `index` under a root of this depth."""
    if len(proof) != depth or not 0 <= index < 1 << depth or any(len(sibling) != 32 for sibling in proof):
        return False
    node = sha256(leaf).digest()
    for sibling in proof:
        node = sha256(sibling + node if index & 1 else node + sibling).digest()
        index >>= 1
    return node == root


def _find_last(levels: Iterator[bytes]) -> Digest:
    """Return the root, the last level: one is kept at a time, for all of them take as much again."""
    (root,) = deque(levels, maxlen=1)
    return Digest(root)


def _check_room(leaves: int, depth: int) -> None:
    if not 0 <= depth <= MAX_DEPTH or leaves > 1 << depth:
        raise RuleError(
            f"tree of depth {depth}: expected a depth up to {MAX_DEPTH} with room for {leaves} leaves"
        )


def _levels(hashes: bytes, depth: int, below: int = 0, loops: Loops | None = None) -> Iterator[bytes]:
    """Every level of the tree from the leaves' hashes to the root, leaving out what is absent.

    They may be roots instead, of subtrees `below` high.
    """
    leaves = len(hashes) // 32
    _check_room(leaves, depth)
    loops = loops or get_loops(leaves)
    for height in range(below, below + depth):
        yield hashes
        pairs, odd = divmod(len(hashes), 64)
        level = loops.hash_rows(np.frombuffer(hashes, np.uint8, 64 * pairs).reshape(-1, 64))
        if odd:  # by itself: no copy of the whole level for one more
            level += sha256(hashes[-32:] + ABSENT[height]).digest()
        hashes = level
    yield hashes or ABSENT[below + depth]
