"""The body tree against a tree built leaf by leaf, absent ones included."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.engine import merkle
from dao.core.engine.merkle import Tree, compute_body_root, compute_root, compute_roots, verify
from dao.core.types import Digest
from dao.errors import RuleError
from tests.vectors import make_merkle

leaves_of_one_size = st.integers(1, 80).flatmap(
    lambda size: st.lists(st.binary(min_size=size, max_size=size))
)


def plain_root(leaves: list[bytes], depth: int) -> bytes:
    """The root by docs/protocol.md, word for word."""
    level = [sha256(leaf).digest() for leaf in leaves] + [bytes(32)] * (2**depth - len(leaves))
    while len(level) > 1:
        level = [sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


@given(st.lists(st.binary(max_size=80), max_size=40))
def test_tree__any_leaves__root_of_the_full_tree(leaves: list[bytes]) -> None:
    assert Tree(leaves, 6).root == plain_root(leaves, 6)


@given(leaves_of_one_size)
def test_body_root__rows__root_of_their_tree(leaves: list[bytes]) -> None:
    rows = (
        np.frombuffer(b"".join(leaves), np.uint8).reshape(len(leaves), -1)
        if leaves
        else np.zeros((0, 3), np.uint8)
    )
    hashes = b"".join(sha256(leaf).digest() for leaf in leaves)
    assert compute_body_root(rows, 9) == compute_root(hashes, 9) == Tree(leaves, 9).root


@pytest.mark.parametrize("depth", [4, 6, 9])
def test_body_root__several_groups__root_of_one_tree(monkeypatch: pytest.MonkeyPatch, depth: int) -> None:
    monkeypatch.setattr(merkle, "_GROUP", 2)
    for count in range(1, 17):
        leaves = [bytes([i, i]) for i in range(count)]
        hashes = [sha256(leaf).digest() for leaf in leaves]
        root = Tree(leaves, depth).root
        assert compute_body_root(np.frombuffer(b"".join(leaves), np.uint8).reshape(-1, 2), depth) == root
        for width in (1, 3, 16):  # leaves of a piece, which cross the groups
            pieces = [b"".join(hashes[i : i + width]) for i in range(0, count, width)]
            assert compute_roots(([piece, piece] for piece in pieces), count, depth) == [root, root]
    with pytest.raises(RuleError, match="room for 17 leaves"):
        compute_roots([[bytes(32)]] * 17, 17, 4)


def test_body_root__a_group_and_a_half__root_of_one_tree() -> None:
    rows = np.arange(3 << merkle._GROUP, dtype=np.uint32).view(np.uint8).reshape(-1, 8)
    assert compute_body_root(rows, 20) == Tree([row.tobytes() for row in rows], 20).root


def test_tree__no_leaf__root_of_absent_ones() -> None:
    assert Tree([], 0).root == bytes(32)
    assert Tree([], 1).root == sha256(bytes(64)).digest()
    assert Tree([], 5).root == plain_root([], 5)


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=40), st.data())
def test_proof__every_leaf__verifies_there_and_nowhere_else(leaves: list[bytes], data: st.DataObject) -> None:
    depth = 6
    tree = Tree(leaves, depth)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = tree.proof(index)
    assert verify(tree.root, leaves[index], index, proof, depth)
    for other in range(2**depth):
        same = other < len(leaves) and leaves[other] == leaves[index] and tree.proof(other) == proof
        if other != index and not same:
            assert not verify(tree.root, leaves[index], other, proof, depth)


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=2, max_size=40), st.data())
def test_proof__one_bit_changed__refused(leaves: list[bytes], data: st.DataObject) -> None:
    depth = 6
    tree = Tree(leaves, depth)
    index = data.draw(st.integers(0, len(leaves) - 1))
    parts = [bytearray(leaves[index]), *map(bytearray, tree.proof(index)), bytearray(tree.root)]
    part = data.draw(st.integers(0, len(parts) - 1))
    parts[part][data.draw(st.integers(0, len(parts[part]) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    leaf, *proof, root = map(bytes, parts)
    assert not verify(Digest(root), leaf, index, proof, depth)


def test_proof__node_as_leaf__refused() -> None:
    leaves = [bytes([i]) * 32 for i in range(4)]
    tree = Tree(leaves, 2)
    inner = sha256(leaves[0]).digest() + sha256(leaves[1]).digest()
    above = tree.proof(0)[1:]
    assert verify(tree.root, inner, 0, above, 1)  # what a tree without a fixed depth would take
    assert not verify(tree.root, inner, 0, above, 2)


def test_proof__absent_leaf__cannot_be_shown() -> None:
    tree = Tree([b"a"], 2)
    sibling = tree.proof(0)
    assert not verify(tree.root, bytes(32), 1, [Digest(sha256(b"a").digest()), sibling[1]], 2)


@pytest.mark.parametrize("index", [-1, 4, 3])
def test_proof__no_such_leaf__refused(index: int) -> None:
    tree = Tree([b"a", b"b", b"c"], 2)
    with pytest.raises(RuleError, match="one of the tree's 3 leaves"):
        tree.proof(index)


@pytest.mark.parametrize(
    ("index", "cut", "depth"),
    [(4, slice(None), 2), (-1, slice(None), 2), (0, slice(1), 2), (0, slice(None), 3)],
)
def test_verify__wrong_index_or_depth__refused(index: int, cut: slice, depth: int) -> None:
    tree = Tree([b"a", b"b", b"c"], 2)
    assert not verify(tree.root, b"a", index, tree.proof(0)[cut], depth)


def test_verify__sibling_of_another_length__refused() -> None:
    tree = Tree([b"a", b"b"], 1)
    assert not verify(tree.root, b"a", 0, [tree.proof(0)[0] + b"\0"], 1)


@pytest.mark.parametrize(("leaves", "depth"), [(5, 2), (2, 0), (1, -1), (1, 65)])
def test_tree__no_room__refused(leaves: int, depth: int) -> None:
    with pytest.raises(RuleError, match="tree of depth"):
        Tree([b"leaf"] * leaves, depth)


def test_vectors__merkle__file_is_what_the_script_writes_and_proofs_hold() -> None:
    path = Path(make_merkle.__file__).with_name("merkle.json")
    assert path.read_text() == make_merkle.text()
    vector = json.loads(path.read_text())
    leaves = [bytes.fromhex(leaf[2:]) for leaf in vector["leaves"]]
    root = Digest(bytes.fromhex(vector["root"][2:]))
    assert len(vector["proofs"]) == len(leaves)
    for row in vector["proofs"]:
        proof = [bytes.fromhex(sibling[2:]) for sibling in row["proof"]]
        assert verify(root, leaves[row["index"]], row["index"], proof, vector["depth"])
