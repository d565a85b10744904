"""Proofs of rows, weights, scores and accounts: their parts, in order. tests/contracts/provers compares their bytes."""

from dataclasses import replace

import pytest

from dao.core.constants import ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.proofs.round_trees import RoundTrees, open_leaf
from dao.proofs.settlements import (
    AccountsClaim,
    RowsClaim,
    ScoresClaim,
    WeightsClaim,
    prove_account,
    prove_row,
    prove_score,
    prove_weight,
)
from tests.vectors.make_settled import build_settled

PATH = 32 * ROWS_DEPTH
ROW, ACCOUNT, COMMIT, INPUT = 455 + PATH, 72 + PATH, 118 + PATH, 56 + PATH  # bytes, opened
PARENT = 352 + 608
INDEX = 4


@pytest.fixture(scope="module")
def rounds() -> list[RoundTrees]:
    return [trees for _, trees in build_settled()]


def test_trees__each_round__have_the_roots_that_it_states(rounds: list[RoundTrees]) -> None:
    for trees in rounds:
        statement = trees.statement
        assert Tree(list(trees.rows), ROWS_DEPTH).root == statement.rows_root
        assert Tree(list(trees.inputs), ROWS_DEPTH).root == statement.inputs_root
        assert Tree(list(trees.accounts), ROWS_DEPTH).root == trees.result.accounts_root
        assert Tree(list(trees.commits), ROWS_DEPTH).root == trees.result.commits_root


def test_rows__first_and_other__have_the_lengths_of_their_parts(rounds: list[RoundTrees]) -> None:
    trees = rounds[1]
    assert len(prove_row(trees, RowsClaim.STAKE, 1)) == INDEX + ROW
    assert len(prove_row(trees, RowsClaim.TOTALS, 0)) == INDEX + ROW
    assert len(prove_row(trees, RowsClaim.TOTALS, 1)) == INDEX + 2 * ROW
    assert len(prove_row(trees, RowsClaim.INPUT, 0)) == INDEX + ROW + INPUT
    assert len(prove_row(trees, RowsClaim.ACCOUNT, 0)) == INDEX + ROW + ACCOUNT
    assert prove_row(trees, RowsClaim.SUMS) == open_leaf(trees.rows, len(trees.rows) - 1)


def test_rows__pointer_to_no_account__nothing_follows(rounds: list[RoundTrees]) -> None:
    row = rounds[1].rows[0]
    lost = replace(rounds[1], rows=[row[:338] + b"\xff" * 4 + row[342:]])
    assert len(prove_row(lost, RowsClaim.ACCOUNT, 0)) == INDEX + ROW


def test_dropped__row_in_its_place_or_missing__shows_what_is_around(rounds: list[RoundTrees]) -> None:
    trees = rounds[1]
    commit = next(index for index, leaf in enumerate(trees.commits) if not leaf[20])
    node = trees.commits[commit][:20]
    place = [row[:20] for row in trees.rows].index(node)
    shown = prove_row(trees, RowsClaim.DROPPED, commit)
    assert len(shown) == INDEX + COMMIT + INDEX + ROW
    without = replace(trees, rows=[row for row in trees.rows if not row.startswith(node)])
    shown = prove_row(without, RowsClaim.DROPPED, commit)
    around = (place < len(without.rows)) + (place > 0)
    assert len(shown) == INDEX + COMMIT + INDEX + around * ROW
    last = replace(trees, rows=trees.rows[:0])
    assert len(prove_row(last, RowsClaim.DROPPED, commit)) == INDEX + COMMIT + INDEX


def test_forced__each__shows_all_of_them(rounds: list[RoundTrees]) -> None:
    trees = rounds[2]
    (commit,) = trees.forced
    shown = prove_row(trees, RowsClaim.FORCED, 0)
    assert shown.startswith(bytes(INDEX) + b"\0\0\0\1" + commit.node + commit.commitment)
    assert len(shown) == 2 * INDEX + 52 + INDEX + ROW


def test_uncommitted__in_the_tree_or_forced__shows_the_leaf_or_those_around(rounds: list[RoundTrees]) -> None:
    trees = rounds[1]
    nodes = [leaf[:20] for leaf in trees.commits]
    head = INDEX + ROW + INDEX + 52 + INDEX
    for index, row in enumerate(trees.rows):
        shown = prove_row(trees, RowsClaim.UNCOMMITTED, index)
        if row[:20] in nodes:
            assert len(shown) == head + 1 + COMMIT
        else:
            assert 0 < sum(node < row[:20] for node in nodes) < len(nodes), "expected it between others"
            assert len(shown) == head + 2 * (1 + COMMIT)
    none = replace(trees, commits=[])
    assert len(prove_row(none, RowsClaim.UNCOMMITTED, 0)) == head + 1 + PATH


def test_weights_and_scores__with_and_without_a_parent__show_the_account_before(
    rounds: list[RoundTrees],
) -> None:
    first, second = rounds[:2]
    assert len(prove_weight(first, WeightsClaim.MEMORY, 0)) == INDEX + ROW
    old = next(i for i, row in enumerate(second.rows) if int.from_bytes(row[338:342], "big") < 2)
    new = next(i for i, row in enumerate(second.rows) if int.from_bytes(row[338:342], "big") >= 2)
    assert len(prove_weight(second, WeightsClaim.MEMORY, old)) == INDEX + ROW + PARENT + ACCOUNT
    assert len(prove_weight(second, WeightsClaim.MEMORY, new)) == INDEX + ROW + PARENT
    assert len(prove_score(second, ScoresClaim.SHARE, new)) == INDEX + (2 if new else 1) * ROW + PARENT
    assert prove_weight(second, WeightsClaim.NORM_MEDIAN) == second.medians
    assert prove_weight(second, WeightsClaim.LIST, 0).endswith(second.medians)


def test_accounts__moved_or_not__show_rows_where_there_are(rounds: list[RoundTrees]) -> None:
    trees = rounds[2]
    moved = next(i for i, leaf in enumerate(trees.accounts) if leaf[68:] == b"\0\0\0\1")
    assert len(prove_account(trees, AccountsClaim.UNMOVED, 0)) == INDEX + 2 * ACCOUNT + PARENT
    assert len(prove_account(trees, AccountsClaim.MOVED, 0)) == INDEX + 2 * ACCOUNT + PARENT
    assert len(prove_account(trees, AccountsClaim.MOVED, moved)) == INDEX + 2 * ACCOUNT + PARENT + 3 * ROW
    assert len(prove_account(trees, AccountsClaim.TWICE, 1, 3)) == 2 * (INDEX + ACCOUNT)
    assert len(prove_account(trees, AccountsClaim.FEWER)) == PARENT
    assert prove_account(replace(trees, accounts=[]), AccountsClaim.REWARD_TOTAL) == b""
