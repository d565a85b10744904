"""Writes merkle.json, proofs of the body tree for Python and Solidity: `python -m tests.vectors.make_merkle`."""

import json
from hashlib import sha256
from pathlib import Path

from dao.core.engine.merkle import Tree
from dao.core.types import hex_of

DEPTH = 20  # of the tree of commits
LEAVES = 13  # an odd number on several levels
SIZE = 52  # bytes, node and commitment


def leaf(index: int) -> bytes:
    """Bytes that are the same on every machine."""
    return b"".join(sha256(f"leaf {index} {part}".encode()).digest() for part in range(2))[:SIZE]


def merkle() -> dict[str, object]:
    """A tree and the proofs of all its leaves."""
    leaves = [leaf(index) for index in range(LEAVES)]
    tree = Tree(leaves, DEPTH)
    return {
        "depth": DEPTH,
        "leaves": [hex_of(one) for one in leaves],
        "root": hex_of(tree.root),
        "proofs": [
            {"index": index, "proof": [hex_of(sibling) for sibling in tree.proof(index)]}
            for index in range(LEAVES)
        ],
    }


def text() -> str:
    """The file's text."""
    return json.dumps(merkle(), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "merkle.json").write_text(text())
