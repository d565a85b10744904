"""Claims about leaves that answers to demands showed: one has another length than its tree's, is one too many, or is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from dao.chain.events import Answered
from dao.core.constants import CHUNK, GRADIENT_LEAF, ROWS_DEPTH
from dao.core.engine.backend import get_step_codec
from dao.core.engine.totals import WORD
from dao.core.formats.update import count_leaves, get_leaf_size
from dao.core.types import Rules
from dao.proofs import shapes
from dao.proofs.dots import LEAF, STEP, ProductsClaim
from dao.proofs.leaf_places import NESTED, DemandTree, get_depth
from dao.proofs.round_trees import encode_index
from dao.proofs.suspicions import Suspicion

SHAPES = {  # claims of ShapeProver about trees that no manifest states
    DemandTree.AGGREGATE: shapes.AGGREGATE,
    DemandTree.MODEL: shapes.MODEL,
    DemandTree.NEW_STEP: shapes.STEP,
    DemandTree.GATE: shapes.GATE,
    DemandTree.GRADIENT: shapes.GRADIENT,
    DemandTree.UPDATE: shapes.UPDATE,
}
PRODUCTS = {  # a product of ProductsProver whose totals are in the tree, and how many stand side by side there
    DemandTree.GATE_TOTALS: (ProductsClaim.GATE_SQUARE, 1),
    DemandTree.STEP_TOTALS: (ProductsClaim.GRADIENT_ALONG, 2),
    DemandTree.ROW_GATE_TOTALS: (ProductsClaim.GATE_DOT, 2),
    DemandTree.ROW_SCORE_TOTALS: (ProductsClaim.DOT, 2),
}
OUTER = {DemandTree.UPDATE: 56, DemandTree.ROW_GATE_TOTALS: 455, DemandTree.ROW_SCORE_TOTALS: 455}  # bytes


def list_shape_suspicions(answered: Iterable[Answered], rules: Rules) -> Iterator[Suspicion]:
    """Yield a claim about each shown leaf that its tree should not have there."""
    for one in answered:
        tree, outer, index = DemandTree(one.place[0]), *one.place[1:]
        if tree not in SHAPES and tree not in PRODUCTS:
            continue
        head, shown = cut_outer(tree, outer, one.content)
        length = len(shown) - 32 * get_depth(tree, rules.body_depth)
        leaf, leaves = _measure(tree, rules)
        if length < 0 or (tree in NESTED and not head) or length == (leaf if index < leaves else 0):
            continue
        proof = head + encode_index(index) + shown
        if tree in SHAPES:
            prover, claim = "ShapeProver", SHAPES[tree]
        else:
            prover, claim = "ProductsProver", LEAF + PRODUCTS[tree][0]
        words = f"leaf {index} of the tree {tree.words} has {length} bytes"
        yield Suspicion(prover, claim, words, partial(bytes, proof))


def cut_outer(tree: DemandTree, outer: int, content: bytes) -> tuple[bytes, bytes]:
    """Return what an answer shows of the row or input that its tree is of, as proofs begin with it, and the rest.

    Nothing of a tree that is of none, nor where there is no such row or input.
    """
    if tree not in NESTED:
        return b"", content
    end = 1 + OUTER[tree] + 32 * ROWS_DEPTH
    if content[:1] != b"\1" or len(content) < end:
        return b"", b""
    return encode_index(outer) + content[1:end], content[end:]


def _measure(tree: DemandTree, rules: Rules) -> tuple[int, int]:
    """Return the bytes of a leaf, and how many there should be."""
    if tree in PRODUCTS:
        return WORD * PRODUCTS[tree][1], -(-rules.scored_chunks >> min(STEP, rules.body_depth))
    if tree in (DemandTree.GATE, DemandTree.GRADIENT):
        return GRADIENT_LEAF, rules.scored_chunks
    sizes = {DemandTree.AGGREGATE: 8 * CHUNK, DemandTree.MODEL: 4 * CHUNK}
    if tree in sizes:
        return sizes[tree], rules.chunks
    codec = rules.codec if tree is DemandTree.UPDATE else get_step_codec(rules.codec)
    return get_leaf_size(codec), count_leaves(codec, rules.chunks)
