"""The body tree: sha256 over leaves in order, of a fixed depth, an absent leaf being 32 zero bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from dao.core.errors import RuleError
from dao.core.types import ZERO_DIGEST, Digest

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAX_DEPTH = 64


def _absent() -> tuple[bytes, ...]:
    """The hash of an absent subtree of each height."""
    hashes: list[bytes] = [ZERO_DIGEST]
    while len(hashes) <= MAX_DEPTH:
        hashes.append(sha256(2 * hashes[-1]).digest())
    return tuple(hashes)


ABSENT = _absent()


def leaf_hashes(rows: ReadableBuffer, size: int) -> bytes:
    """Return the hashes, side by side, of leaves of `size` bytes that lie side by side."""
    view = memoryview(rows).cast("B")
    return b"".join([sha256(view[i : i + size]).digest() for i in range(0, len(view), size)])


def root_of(hashes: bytes, depth: int) -> Digest:
    """Return the root over hashes of leaves that lie side by side; RuleError when the tree has no room for them."""
    *_, root = _levels(hashes, depth)
    return Digest(root)


def body_root(body: ReadableBuffer, depth: int) -> Digest:
    """Return the root over the rows of a C-contiguous array of bytes, (chunks, leaf)."""
    view = memoryview(body)
    if view.ndim != 2 or view.itemsize != 1:
        raise RuleError("body: expected rows of bytes, one for each chunk")
    return root_of(leaf_hashes(view, view.nbytes // len(view)), depth) if view else Digest(ABSENT[depth])


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


def _levels(hashes: bytes, depth: int) -> Iterable[bytes]:
    """Every level of the tree, without what is absent, from the leaves' hashes to the root."""
    if not 0 <= depth <= MAX_DEPTH or len(hashes) // 32 > 1 << depth:
        raise RuleError(
            f"tree of depth {depth}: expected a depth of at most {MAX_DEPTH} with room for {len(hashes) // 32} leaves"
        )
    yield hashes if depth or hashes else ABSENT[0]
    for height in range(depth):
        if len(hashes) % 64:
            hashes += ABSENT[height]
        hashes = b"".join([sha256(hashes[i : i + 64]).digest() for i in range(0, len(hashes), 64)])
        yield hashes or (ABSENT[depth] if height == depth - 1 else b"")
