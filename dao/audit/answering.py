"""Answers to demands: what a round's content has at a demanded place, with the siblings that lead to the stated root."""

from dataclasses import dataclass
from pathlib import Path

from dao.audit.accusing import build_stated_trees
from dao.audit.posted_round import read_stated
from dao.audit.round_content import RoundContent
from dao.chain.client import Chain
from dao.core.formats.manifest import Node
from dao.core.types import Result, RoundId, Statement, TaskId
from dao.proofs.leaf_places import (
    DemandTree,
    LeafPlace,
    get_depth,
    show_hashed,
    show_leaf,
    show_outer,
    show_row,
)
from dao.proofs.openings import Rows
from dao.proofs.round_trees import RoundTrees
from dao.store.source import Source

OF_NODES = {  # the leaves of trees that a manifest states
    DemandTree.COMMITS: "commits",
    DemandTree.ROWS: "rows",
    DemandTree.INPUTS: "inputs",
    DemandTree.ACCOUNTS: "accounts",
}


@dataclass(frozen=True, slots=True)
class DemandAnswer:
    """What is shown of a demanded place, with the result and the statement that it is of."""

    result: Result
    statement: Statement
    content: bytes


async def build_answer(
    chain: Chain, source: Source, task: TaskId, round_id: RoundId, place: LeafPlace, scratch: Path
) -> DemandAnswer:
    """Build the answer to a demand from content that can be had.

    Missing where it cannot be had; RuleError where the manifest states other trees than the result.
    """
    posted, manifest, previous = await read_stated(chain, source, (task, round_id), everyone=False)
    trees = build_stated_trees(posted, manifest, previous)
    content = RoundContent(manifest, previous, posted.rules.codec, source, scratch)
    shown = await _show(trees, content, place, posted.rules.body_depth)
    return DemandAnswer(trees.result, trees.statement, shown)


async def _show(trees: RoundTrees, content: RoundContent, place: LeafPlace, body_depth: int) -> bytes:
    tree, depth = place.tree, get_depth(place.tree, body_depth)
    if tree in OF_NODES:
        return show_leaf(getattr(trees, OF_NODES[tree]), place.index)
    if tree is DemandTree.MEDIANS:
        return trees.medians
    if tree is DemandTree.USED_SHARDS:
        return trees.shards
    if tree is DemandTree.AGGREGATE:
        hashes, leaf = await content.open_sums(place.index)
        return show_hashed(hashes, leaf, place.index, depth)
    if tree is DemandTree.UPDATE:
        outer = show_outer(trees.inputs, place)
        node = _find(content.counted, place.outer)
        rows = None if node is None else (await content.open_update(node)).body
    elif tree in (DemandTree.ROW_GATE_TOTALS, DemandTree.ROW_SCORE_TOTALS):
        outer = show_outer(trees.rows, place)
        node = _find(content.manifest.nodes, place.outer)
        rows = None if node is None else await _open_totals_of(content, node, tree)
    else:
        outer, rows = b"", await _open_rows(content, tree)
    return outer if rows is None else outer + show_row(rows, place.index, depth)


async def _open_totals_of(content: RoundContent, node: Node, tree: DemandTree) -> Rows | None:
    """Return the running totals of a row; None of one that has none."""
    if tree is DemandTree.ROW_GATE_TOTALS:
        return await content.open_gate_totals(node) if node in content.counted else None
    return await content.open_score_totals(node) if node.weight else None


async def _open_rows(content: RoundContent, tree: DemandTree) -> Rows | None:
    """Return the leaves of a tree that there is one of; None where the round has no gradient or last step."""
    if tree in (DemandTree.MODEL, DemandTree.NEW_STEP):
        return await (content.open_model_rows() if tree is DemandTree.MODEL else content.open_new_step())
    if not content.counted:
        return None
    if tree is DemandTree.GATE_TOTALS:
        return await content.open_gate_totals(None)
    if tree in (DemandTree.GATE, DemandTree.GRADIENT):
        return (await content.open_gradient(gate=tree is DemandTree.GATE)).body
    step = await content.open_last_step()
    if step is None:
        return None
    return step.body if tree is DemandTree.STEP else await content.open_score_totals(None)


def _find(nodes: "list[Node] | tuple[Node, ...]", index: int) -> Node | None:
    return nodes[index] if index < len(nodes) else None
