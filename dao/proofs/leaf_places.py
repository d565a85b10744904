"""Places of leaves that a result binds, as demands name them, and what is shown of them (docs/disputes.md, "Demands")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from dao.core.constants import ROWS_DEPTH
from dao.errors import RuleError
from dao.proofs.openings import Rows, compute_siblings, hash_rows
from dao.proofs.round_trees import open_siblings


class DemandTree(IntEnum):
    """A tree or list that a result binds, numbered as in IDemands."""

    COMMITS = 0
    ROWS = 1
    INPUTS = 2
    ACCOUNTS = 3
    AGGREGATE = 4
    MODEL = 5
    NEW_STEP = 6
    GATE = 7
    GRADIENT = 8
    STEP = 9
    GATE_TOTALS = 10
    STEP_TOTALS = 11
    ROW_GATE_TOTALS = 12
    ROW_SCORE_TOTALS = 13
    UPDATE = 14
    MEDIANS = 15
    USED_SHARDS = 16

    @property
    def words(self) -> str:
        """Its name as people write it."""
        return self.name.lower().replace("_", "-")


NESTED = (
    DemandTree.ROW_GATE_TOTALS,
    DemandTree.ROW_SCORE_TOTALS,
    DemandTree.UPDATE,
)  # one for each row or input
LISTS = (DemandTree.MEDIANS, DemandTree.USED_SHARDS)  # shown whole


@dataclass(frozen=True, slots=True)
class LeafPlace:
    """A leaf: its index in a tree; `outer` is the index of the row or input that the tree is of, 0 of other trees."""

    tree: DemandTree
    outer: int
    index: int

    def __str__(self) -> str:
        numbers = [] if self.tree in LISTS else [self.index]
        numbers = [self.outer, *numbers] if self.tree in NESTED else numbers
        return ":".join([self.tree.words, *map(str, numbers)])


def parse_place(text: str) -> LeafPlace:
    """Read a place as `str` writes it: rows:3, update:0:17, medians; RuleError says what there is."""
    name, *numbers = text.lower().split(":")
    tree = next((tree for tree in DemandTree if tree.words == name), None)
    if tree is None:
        raise RuleError(
            f"--demand {text!r:.80}: expected one of {', '.join(tree.words for tree in DemandTree)}, then :INDEX"
        )
    wanted = 0 if tree in LISTS else 1 + (tree in NESTED)
    if len(numbers) != wanted or not all(n.isdecimal() and len(n) < 10 for n in numbers):
        form = ("", ":INDEX", ":ROW:INDEX")[wanted]
        raise RuleError(f"--demand {text!r:.80}: expected {tree.words}{form}, numbers from 0")
    outer, index = ["0", "0", *numbers][-2:] if tree in NESTED else ("0", [*numbers, "0"][0])
    return LeafPlace(tree, int(outer), int(index))


def show_leaf(leaves: Sequence[bytes], index: int) -> bytes:
    """Return a leaf of a tree of depth ROWS_DEPTH, nothing where it is absent, and its siblings."""
    return (leaves[index] if index < len(leaves) else b"") + open_siblings(leaves, index)


def show_row(rows: Rows, index: int, depth: int) -> bytes:
    """Return the same of a tree over the rows of an array."""
    return show_hashed(hash_rows(rows), rows[index].tobytes() if index < len(rows) else b"", index, depth)


def show_hashed(hashes: bytes, leaf: bytes, index: int, depth: int) -> bytes:
    """Return the same of a tree of which the hashes are known, side by side."""
    return leaf + compute_siblings(hashes, index, depth)


def show_outer(leaves: Sequence[bytes], place: LeafPlace) -> bytes:
    """Return what comes before: a 1 and the row or input that the tree is of, or a 0 where there is none; and its siblings."""
    return bytes([place.outer < len(leaves)]) + show_leaf(leaves, place.outer)


def get_depth(tree: DemandTree, body_depth: int) -> int:
    """Return the depth of a tree."""
    if tree <= DemandTree.ACCOUNTS:
        return ROWS_DEPTH
    if tree in LISTS:
        return 0
    of_totals = DemandTree.GATE_TOTALS <= tree <= DemandTree.ROW_SCORE_TOTALS
    return body_depth - min(5, body_depth) if of_totals else body_depth
