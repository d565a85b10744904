"""Proofs that rows, weights, scores and accounts are wrong: for `RowsProver`, `WeightsProver`, `ScoresProver`, `AccountsProver`.

Each prover has its claims numbered as in the contract, and one function that writes the proof of any of them.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import IntEnum

from dao.proofs.round_trees import RoundTrees, encode_index

ADDRESS = 20  # bytes


class RowsClaim(IntEnum):
    """The claims of RowsProver."""

    ORDER = 0
    STAKE = 1
    REVEAL = 2
    INPUT = 3
    TOTALS = 4
    SUMS = 5
    DROPPED = 6
    UNCOMMITTED = 7
    ACCOUNT = 8
    FORCED = 9


class WeightsClaim(IntEnum):
    """The claims of WeightsProver."""

    UNIT = 0
    MEMORY = 1
    GATE = 2
    CLIP = 3
    LIST = 4
    NORM_MEDIAN = 5
    ALONG_MEDIAN = 6


class ScoresClaim(IntEnum):
    """The claims of ScoresProver."""

    SCORE = 0
    SHARE = 1


class AccountsClaim(IntEnum):
    """The claims of AccountsProver."""

    FEWER = 0
    OWNER = 1
    UNMOVED = 2
    MOVED = 3
    TOTAL = 4
    REWARD_TOTAL = 5
    TWICE = 6
    ORDER = 7


def prove_row(trees: RoundTrees, claim: RowsClaim, index: int = 0) -> bytes:
    """Write the proof of a claim about a row, a commit of the tree (DROPPED) or a forced one (FORCED); SUMS is about none."""
    if claim is RowsClaim.SUMS:
        return trees.open_last_row()
    if claim in (RowsClaim.DROPPED, RowsClaim.FORCED):
        in_tree = claim is RowsClaim.DROPPED
        node = trees.commits[index][:ADDRESS] if in_tree else trees.forced[index].node
        commit = trees.open_commit(index) if in_tree else trees.show_forced()
        return encode_index(index) + commit + _show_row_of(trees, node)
    proof = encode_index(index) + trees.open_row(index)
    if claim in (RowsClaim.ORDER, RowsClaim.TOTALS):
        return proof + trees.open_row_before(index)
    if claim is RowsClaim.INPUT:
        inputs = int.from_bytes(trees.rows[index][342:346], "big")
        return proof + trees.open_input(inputs - 1)
    if claim is RowsClaim.ACCOUNT:
        account = _get_account(trees, index)
        return proof + (trees.open_account(account) if account < trees.statement.accounts else b"")
    return proof + (_prove_uncommitted(trees, index) if claim is RowsClaim.UNCOMMITTED else b"")


def prove_weight(trees: RoundTrees, claim: WeightsClaim, index: int = 0) -> bytes:
    """Write the proof of a claim about a row's weight; the medians are claims about no row."""
    if claim in (WeightsClaim.NORM_MEDIAN, WeightsClaim.ALONG_MEDIAN):
        return trees.medians
    proof = encode_index(index) + trees.open_row(index)
    if claim is WeightsClaim.UNIT:
        return proof + trees.open_row_before(index) + trees.open_last_row()
    if claim is WeightsClaim.MEMORY:
        return proof + trees.show_parent() + trees.open_parent_account(_get_account(trees, index))
    if claim is WeightsClaim.LIST:
        return proof + trees.open_last_row() + trees.medians
    return proof


def prove_score(trees: RoundTrees, claim: ScoresClaim, index: int) -> bytes:
    """Write the proof of a claim about a row's score or share."""
    proof = encode_index(index) + trees.open_row(index)
    if claim is ScoresClaim.SCORE:
        return proof
    account = trees.open_parent_account(_get_account(trees, index))
    return proof + trees.open_row_before(index) + trees.show_parent() + account


def prove_account(trees: RoundTrees, claim: AccountsClaim, index: int = 0, other: int = 0) -> bytes:
    """Write the proof of a claim about an account; FEWER and REWARD_TOTAL are about none, TWICE about two."""
    if claim is AccountsClaim.FEWER:
        return trees.show_parent()
    if claim is AccountsClaim.REWARD_TOTAL:
        last = len(trees.accounts) - 1
        return trees.open_account(last) if last >= 0 else b""
    if claim is AccountsClaim.TWICE:
        both = trees.open_account(index) + trees.open_account(other)
        return encode_index(index) + encode_index(other) + both
    proof = encode_index(index)
    if claim is AccountsClaim.ORDER:
        return proof + trees.show_parent() + trees.open_account(index) + trees.open_account(index - 1)
    proof += trees.open_account(index)
    if claim is AccountsClaim.TOTAL:
        return proof + (trees.open_account(index - 1) if index else b"")
    proof += trees.show_parent() + trees.open_parent_account(index)
    row = int.from_bytes(trees.accounts[index][68:], "big")
    if claim is AccountsClaim.MOVED and row < trees.statement.rows:
        proof += trees.open_row(row) + trees.open_row_before(row) + trees.open_last_row()
    return proof


def _show_row_of(trees: RoundTrees, node: bytes) -> bytes:
    """Show a node's row; where it has none, the rows around its place."""
    nodes = [row[:ADDRESS] for row in trees.rows]
    index = bisect_left(nodes, node)
    proof = encode_index(index) + (trees.open_row(index) if index < len(nodes) else b"")
    return proof if node in nodes[index : index + 1] else proof + trees.open_row_before(index)


def _prove_uncommitted(trees: RoundTrees, row: int) -> bytes:
    node = trees.rows[row][:ADDRESS]
    nodes = [leaf[:ADDRESS] for leaf in trees.commits]
    index = bisect_left(nodes, node)
    proof = trees.show_forced() + encode_index(index) + trees.open_commit_or_none(index)
    if node in nodes[index : index + 1] or index == 0:
        return proof
    return proof + trees.open_commit_or_none(index - 1)


def _get_account(trees: RoundTrees, row: int) -> int:
    return int.from_bytes(trees.rows[row][338:342], "big")
