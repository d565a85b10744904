"""Settling a round: roots over the right rows, money carried on, and the same manifest for whoever settles."""

from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dao.audit.replay import build_inputs, build_outcome, find_differences
from dao.core.commits import (
    Failure,
    compute_commits_root,
    compute_forced_hash,
)
from dao.core.constants import MAX_INTEGER, MAX_TEXT
from dao.core.formats.manifest import Manifest, dump_manifest, parse_manifest
from dao.core.formats.reward_tree import compute_reward_root
from dao.core.settle import (
    compute_inputs_root,
    compute_loss_micros,
    compute_result,
    compute_scores_root,
    settle_round,
)
from dao.core.transition import get_post_state, retire_drawn
from dao.core.types import (
    ZERO_DIGEST,
    Digest,
    MicroScore,
    PassReason,
    RoundId,
    Status,
    TaskId,
    Wei,
)
from dao.core.weigh import Weighing
from dao.errors import RuleError
from tests.core.settlements import (
    BUDGET,
    DISTRIBUTOR,
    INPUTS,
    OUTCOME,
    RULES,
    accounts,
    commit_at,
    node_at,
    owner_at,
    pass_at,
    plain_root,
    row,
    settle,
    settled,
    signed_at,
    weight_at,
)


def test_roots__rows_in_any_order__leaves_as_in_the_protocol() -> None:
    commits = [signed_at(i) for i in (3, 1, 2)]
    leaves = [node_at(i) + b"\x00" + bytes([i]) * 32 + bytes([i]) * 65 for i in (1, 2, 3)]
    assert compute_commits_root(commits, ()) == plain_root(leaves)
    leaves.insert(1, node_at(2) + b"\x01" + bytes(32) + bytes([2]) * 65)
    passed = leaves[:2] + leaves[3:]
    assert compute_commits_root([signed_at(3), signed_at(1)], [pass_at(2).signed]) == plain_root(passed)
    inputs = [(node_at(i), Digest(bytes([9 - i]) * 32), i) for i in (3, 1, 2)]
    leaves = [bytes([9 - i]) * 32 + node_at(i) + i.to_bytes(4, "big") for i in (1, 2, 3)]
    assert compute_inputs_root(inputs) == plain_root(leaves)
    scores = [(node_at(2), MicroScore(-1)), (node_at(1), MicroScore(2**63 - 1))]
    assert compute_scores_root(scores) == plain_root(
        [node_at(1) + b"\x7f" + b"\xff" * 7, node_at(2) + b"\xff" * 8]
    )
    assert compute_commits_root([], []) == plain_root([])


@pytest.mark.parametrize("score", [2**63, -(2**63) - 1])
def test_scores_root__score_outside_int64__refused_by_node(score: int) -> None:
    with pytest.raises(RuleError, match=r"node 0x0101.*within int64"):
        compute_scores_root([(node_at(1), MicroScore(score))])


@pytest.mark.parametrize(
    ("loss", "micros"),
    [
        (2.3000004, 2_300_000),
        (-0.5, -500_000),
        (1e30, MAX_INTEGER),
        (-1e30, -MAX_INTEGER),
        (float("inf"), MAX_INTEGER),
        (float("nan"), MAX_INTEGER),
    ],
)
def test_loss_micros__any_loss__fits_a_manifest(loss: float, micros: int) -> None:
    assert compute_loss_micros(loss) == micros


def test_settle__first_round__pays_by_score_and_binds_all() -> None:
    manifest = settled({1: 3000, 2: 1000})
    assert (row(manifest, 1).reward_wei, row(manifest, 2).reward_wei) == (750, 250)
    assert accounts(manifest) == {1: (750, 0), 2: (250, 0)}
    assert (manifest.parent, manifest.used_shards, manifest.refunded_wei) == (0, (3,), 0)
    assert manifest.reward_total_wei == 1000
    roots = manifest.roots
    assert roots.commits == compute_commits_root(manifest.nodes, ())
    assert roots.inputs == compute_inputs_root(
        (n.node, Digest(sha256(n.node[:1]).digest()), 100) for n in manifest.nodes
    )
    assert roots.scores == compute_scores_root((n.node, n.score) for n in manifest.nodes)
    rewards = {owner_at(1): Wei(750), owner_at(2): Wei(250)}
    assert roots.rewards == compute_reward_root(31337, DISTRIBUTOR, TaskId(1), rewards)
    assert (roots.aggregate, roots.gradient) == (OUTCOME.aggregate_root, OUTCOME.gradient_root)
    assert parse_manifest(dump_manifest(manifest)) == manifest


def test_settle__next_rounds__carry_accounts_debts_memories_and_shards_on() -> None:
    first = settled({1: 3000, 2: -500})
    assert accounts(first) == {1: (1000, 0), 2: (0, 500)}
    second = settled({2: 300}, previous=first, shard=replace(INPUTS.shard, index=1))
    assert accounts(second) == {1: (1000, 0), 2: (0, 200)}
    assert (second.parent, second.used_shards, second.refunded_wei) == (1, (1, 3), 1000)
    assert [memory.node for memory in second.memories] == [node_at(1), node_at(2)]
    third = settled({1: 100, 2: 300}, previous=second)
    assert accounts(third) == {1: (1500, 0), 2: (500, 0)}
    assert third.reward_total_wei == 2000
    assert row(third, 2).share == 100


def test_settle__nothing_in_an_account_or_memory__left_out() -> None:
    weighed = {node_at(1): weight_at(1, memory=0)}
    manifest = settle([commit_at(1)], weighed, {node_at(1): MicroScore(0)})
    assert (manifest.accounts, manifest.memories, manifest.refunded_wei) == ((), (), BUDGET)
    before = settled({1: -5})
    paid_off = settled({1: 5}, previous=before)
    assert (accounts(before), accounts(paid_off)) == ({1: (0, 5)}, {})


def test_settle__failed_commits__in_the_commits_tree_alone() -> None:
    failures = {
        2: Failure(Status.LATE),
        3: Failure(Status.WITHHELD),
        4: Failure(Status.INVALID, "tensor fc.bias: expected 10 values, got 11"),
    }
    before = settled({2: -700})
    manifest = settled({1: 10}, failures, previous=before)
    assert manifest.roots.commits == compute_commits_root((signed_at(i) for i in (1, 2, 3, 4)), ())
    assert manifest.roots.scores == compute_scores_root([(node_at(1), MicroScore(10))])
    assert [row(manifest, i).status for i in (2, 3, 4)] == [Status.LATE, Status.WITHHELD, Status.INVALID]
    assert "tensor fc.bias: expected 10 values, got 11" in row(manifest, 4).reason
    assert (row(manifest, 2).debt, accounts(manifest)[2]) == (700, (0, 700))
    told = compute_result(manifest, (), ZERO_DIGEST, ZERO_DIGEST)
    assert (told.inputs, told.revealed) == (1, 2)


def test_settle__every_zero_reward__has_a_reason() -> None:
    before = settled({5: -700})
    weighed = {node_at(i): weight_at(i) for i in (1, 4, 5)} | {
        node_at(2): weight_at(2, weight=0, cosine=1000, memory=1000, status=Status.GATED),
        node_at(3): weight_at(3, weight=50, status=Status.CLIPPED),
    }
    scores = {node_at(i): MicroScore(s) for i, s in {1: 900, 2: 0, 3: 100, 4: 0, 5: 50}.items()}
    inputs = replace(INPUTS, round=RoundId(2), absent={node_at(7): owner_at(7)})
    commits = [commit_at(i) for i in (1, 2, 3, 4, 5)] + [commit_at(6, Failure(Status.INVALID, "y" * 5000))]
    manifest = settle(commits, weighed, scores, before, inputs)
    reasons = {node.node[0]: node.reason for node in manifest.nodes}
    assert reasons[1] == (
        "your update counted in full; you earned your part of the budget for a score of 0.0009"
    )
    assert "cosine 0.001, needed more than 0.03125" in reasons[2]
    assert reasons[3].startswith("your update was larger than the median, so it counted 50% of its weight; ")
    assert reasons[4].endswith("you earned nothing because the score was not positive")
    assert reasons[5].endswith("score of 0.00005 paid off debt, 0.00065 of it is left to pay off first")
    assert len(reasons[6]) == MAX_TEXT
    assert "neither a commit nor a pass arrived" in manifest.absent[0].reason
    assert parse_manifest(dump_manifest(manifest)) == manifest


def test_settle__passes__in_the_tree_with_their_reasons_and_nothing_else() -> None:
    plain = settled({1: 3000, 3: 1000})
    manifest = settled({1: 3000, 3: 1000}, passes=[pass_at(4), pass_at(2, PassReason.FAILED)])
    signed = [signed_at(1), signed_at(3)]
    assert manifest.roots.commits == compute_commits_root(signed, [pass_at(2).signed, pass_at(4).signed])
    assert [passed.node for passed in manifest.passes] == [node_at(2), node_at(4)]
    assert [passed.reason for passed in manifest.passes] == [
        "the node passed this round: training failed",
        "the node passed this round: no time",
    ]
    roots = replace(manifest.roots, commits=plain.roots.commits)
    assert replace(manifest, passes=(), roots=roots) == plain
    assert parse_manifest(dump_manifest(manifest)) == manifest


def test_settle__shards_of_lost_rounds__are_used() -> None:
    first = settled({1: 1})
    seeds = [Digest(bytes([i]) * 32) for i in (1, 2)]
    state = retire_drawn(get_post_state(first), RULES.shards, seeds)
    assert len(state.used_shards) == 3
    free = next(i for i in range(RULES.shards) if i not in state.used_shards)
    inputs = replace(INPUTS, round=RoundId(4), state=state, shard=replace(INPUTS.shard, index=free))
    manifest = settle_round(inputs, replace(OUTCOME, weighing=Weighing((), 0)))
    assert manifest.used_shards == tuple(sorted((*state.used_shards, free)))


def test_settle__forced_commits__outside_the_tree_and_chained() -> None:
    forced = (signed_at(2), signed_at(1))
    commits = [
        commit_at(1),
        commit_at(2, forced=True),
    ]  # the first is in the tree and forced its commit as well
    weighed = {node_at(1): weight_at(1), node_at(2): weight_at(2)}
    scores = {node_at(1): MicroScore(1), node_at(2): MicroScore(1)}
    manifest = settle(commits, weighed, scores, inputs=replace(INPUTS, forced=forced))
    assert manifest.roots.commits == compute_commits_root([signed_at(1)], ())
    assert manifest.forced_hash == compute_forced_hash(forced)
    told = compute_result(manifest, forced, ZERO_DIGEST, ZERO_DIGEST)
    assert (told.inputs, told.revealed) == (2, 3)


def test_settle__nobody__refunded_with_roots_of_nothing() -> None:
    outcome = replace(
        OUTCOME, weighing=Weighing((), 0), gate_gradient=None, gradient=None, gradient_root=ZERO_DIGEST
    )
    manifest = settle([], {}, {}, outcome=outcome)
    assert manifest.refunded_wei == BUDGET
    assert manifest.roots.inputs == manifest.roots.commits == plain_root([])
    assert manifest.roots.rewards == ZERO_DIGEST


def test_result__settled_round__states_its_roots() -> None:
    manifest = settled({1: 3, 2: 1})
    model, digest = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
    told = compute_result(manifest, (), model, digest)
    assert (told.commits_root, told.inputs_root) == (manifest.roots.commits, manifest.roots.inputs)
    assert (told.aggregate_root, told.gradient_root) == (manifest.roots.aggregate, manifest.roots.gradient)
    assert (told.score_root, told.reward_root) == (manifest.roots.scores, manifest.roots.rewards)
    assert (told.model_digest, told.manifest_digest, told.forced_hash) == (model, digest, ZERO_DIGEST)
    assert (told.inputs, told.revealed, told.weight_sum, told.reward_total) == (2, 2, 2**20, 1000)


def test_settle__two_nodes_of_one_owner__refused() -> None:
    twin = replace(commit_at(2), member=commit_at(1).member)
    weighed = {node_at(1): weight_at(1), node_at(2): weight_at(2)}
    scores = {node_at(1): MicroScore(1), node_at(2): MicroScore(1)}
    with pytest.raises(RuleError, match="one for each owner"):
        settle([commit_at(1), twin], weighed, scores)
    with pytest.raises(RuleError, match="one for each node"):
        settle([commit_at(1), replace(commit_at(1), member=commit_at(2).member)], weighed, scores)


def test_settle__what_does_not_fit_together__refused_by_node() -> None:
    weight, score = {node_at(1): weight_at(1)}, {node_at(1): MicroScore(1)}
    failed = commit_at(1, Failure(Status.LATE))
    for commits, weighed, scores in (
        ([commit_at(1)], {}, score),
        ([commit_at(1)], weight, {}),
        ([failed], weight, {}),
        ([failed], {}, score),
    ):
        with pytest.raises(RuleError, match=r"node 0x0101.*expected a failure, or a weight and a score"):
            settle(commits, weighed, scores)
    with pytest.raises(RuleError, match="expected content, body root and salt"):
        settle([replace(commit_at(1), reveal=None)], weight, score)


def test_settle__weight_of_a_stranger__refused() -> None:
    weighed = {node_at(1): weight_at(1), node_at(9): weight_at(9)}
    scores = {node_at(1): MicroScore(1), node_at(9): MicroScore(1)}
    with pytest.raises(RuleError, match=r"node 0x0909.*expected a commit"):
        settle([commit_at(1)], weighed, scores)


def test_settle__round_that_does_not_follow__refused() -> None:
    first = settled({1: 1})
    for inputs in (replace(INPUTS, task=TaskId(2), round=RoundId(2)), INPUTS):
        with pytest.raises(RuleError, match="previous manifest: expected an earlier round of task"):
            settle([], {}, {}, first, inputs)


rounds_of_scores = st.lists(
    st.dictionaries(st.integers(1, 9), st.integers(-(10**6), 10**6), max_size=6), min_size=1, max_size=5
)


@given(rounds_of_scores, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_settle__any_rounds__money_adds_up_whoever_settles(
    history: list[dict[int, int]], random: Random
) -> None:
    previous: Manifest | None = None
    paid = 0
    for scores in history:
        manifest = settled(scores, {10: Failure(Status.WITHHELD)}, previous)
        shuffled = list(scores.items())
        random.shuffle(shuffled)
        assert settled(dict(shuffled), {10: Failure(Status.WITHHELD)}, previous) == manifest
        paid += BUDGET - manifest.refunded_wei
        assert manifest.reward_total_wei == paid
        assert sum(node.reward_wei for node in manifest.nodes) + manifest.refunded_wei == BUDGET
        assert all(node.reason for node in manifest.nodes)
        previous = parse_manifest(dump_manifest(manifest))
        assert previous == manifest


def test_recheck__what_a_manifest_states__settles_to_the_same() -> None:
    first = settled({1: 3000, 2: -500})
    manifest = settled({1: 10, 3: 20}, {4: Failure(Status.INVALID, "x")}, previous=first)
    inputs = build_inputs(manifest, RULES, DISTRIBUTOR, get_post_state(first), ())
    again = settle_round(inputs, build_outcome(manifest))
    assert find_differences(manifest, again) == []


def test_recheck__a_score_and_a_row_changed__said_by_field() -> None:
    manifest = settled({1: 10, 3: 20})
    other = replace(settled({1: 11, 3: 20}), loss_after=1)
    assert "manifest.nodes[0].score: stated 10, computed 11" in find_differences(manifest, other)
    assert not any("reason" in line or "loss" in line for line in find_differences(manifest, other))
    fewer = replace(manifest, nodes=manifest.nodes[:1])
    assert find_differences(manifest, fewer) == ["manifest.nodes: stated 2 rows, computed 1 rows"]
