"""Settling a round: roots over the right rows, money carried on, and the same manifest for whoever settles."""

from dataclasses import replace
from hashlib import sha256

import pytest

from dao.core.aggregate import AggregateRoots
from dao.core.commits import Failure, compute_forced_hash
from dao.core.constants import MAX_INTEGER, MAX_TEXT
from dao.core.formats.commit_leaves import compute_commits_root
from dao.core.formats.manifest import (
    compute_loss_micros,
    compute_metric_micros,
    dump_manifest,
    parse_manifest,
)
from dao.core.score import Scoring
from dao.core.settle import settle_round
from dao.core.statement import compute_result, compute_statement, compute_statement_hash
from dao.core.transition import LostRound, get_post_state, retire_drawn
from dao.core.types import (
    ZERO_DIGEST,
    Digest,
    MicroScore,
    PassReason,
    RoundId,
    Status,
)
from dao.core.weigh import Weighing
from dao.errors import DecodeError, RuleError
from tests.core.settlements import (
    BUDGET,
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
    assert compute_commits_root([], []) == plain_root([])


@pytest.mark.parametrize("score", [2**63, -(2**63) - 1])
def test_settle__score_outside_int64__refused_by_node(score: int) -> None:
    with pytest.raises(RuleError, match=r"node 0x0101.*score: expected within int64"):
        settled({1: score})


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
    assert roots.inputs == plain_root(
        [sha256(n.node[:1]).digest() + n.node + (100).to_bytes(4, "big") for n in manifest.nodes]
    )
    assert AggregateRoots(roots.aggregate, roots.new_step, roots.model) == OUTCOME.aggregate
    assert (roots.gate, roots.gradient) == (OUTCOME.gate_root, OUTCOME.gradient_root)
    assert parse_manifest(dump_manifest(manifest)) == manifest


def test_settle__next_rounds__carry_accounts_debts_memories_and_shards_on() -> None:
    first = settled({1: 3000, 2: -500})
    assert accounts(first) == {1: (1000, 0), 2: (0, 500)}
    second = settled({2: 300}, previous=first, shard=replace(INPUTS.shard, index=1))
    assert accounts(second) == {1: (1000, 0), 2: (0, 200)}
    assert (second.parent, second.used_shards, second.refunded_wei) == (1, (1, 3), 1000)
    assert [account.memory for account in second.accounts] == [60_000, 60_000]
    third = settled({1: 100, 2: 300}, previous=second)
    assert accounts(third) == {1: (1500, 0), 2: (500, 0)}
    assert third.reward_total_wei == 2000
    assert row(third, 2).share == 100


def test_settle__accounts__in_the_order_of_first_commits_for_ever() -> None:
    first = settled({3: 5})
    second = settled({1: -5, 2: 0, 3: 5}, previous=first)
    third = settled({2: 7}, {1: Failure(Status.LATE)}, previous=second)
    assert list(accounts(first)) == [3]
    assert list(accounts(second)) == list(accounts(third)) == [3, 1, 2]
    assert (accounts(third)[1], accounts(third)[2]) == ((0, 5), (1000, 0))
    kept = {account.owner: account.memory for account in third.accounts}
    assert kept[owner_at(1)] == row(third, 1).memory == 60_000  # of the round before, as it revealed nothing


def test_settle__failed_commits__in_the_commits_tree_alone() -> None:
    failures = {
        2: Failure(Status.LATE),
        3: Failure(Status.WITHHELD),
        4: Failure(Status.INVALID, "tensor fc.bias: expected 10 values, got 11"),
    }
    before = settled({2: -700})
    manifest = settled({1: 10}, failures, previous=before)
    assert manifest.roots.commits == compute_commits_root((signed_at(i) for i in (1, 2, 3, 4)), ())
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
    lost = [LostRound(RULES.shards, ZERO_DIGEST, seed, None) for seed in seeds]
    state = retire_drawn(get_post_state(first), lost)
    assert len(state.used_shards) == 3
    free = next(i for i in range(RULES.shards) if i not in state.used_shards)
    inputs = replace(INPUTS, round=RoundId(4), state=state, shard=replace(INPUTS.shard, index=free))
    manifest = settle_round(inputs, replace(OUTCOME, weighing=Weighing((), 0), scoring=Scoring(())))
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
        OUTCOME,
        weighing=Weighing((), 0),
        scoring=Scoring(()),
        gate_gradient=None,
        gradient=None,
        gate_root=ZERO_DIGEST,
        gradient_root=ZERO_DIGEST,
    )
    manifest = settle([], {}, {}, outcome=outcome)
    assert manifest.refunded_wei == BUDGET
    assert manifest.roots.inputs == manifest.roots.commits == plain_root([])
    assert manifest.roots.rows == manifest.roots.accounts == plain_root([])


def test_result__settled_round__states_its_roots() -> None:
    manifest = settled({1: 3, 2: 1})
    model, digest = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
    told = compute_result(manifest, (), model, digest)
    assert (told.commits_root, told.accounts_root) == (manifest.roots.commits, manifest.roots.accounts)
    assert (told.model_digest, told.manifest_digest, told.forced_hash) == (model, digest, ZERO_DIGEST)
    assert (told.seed, told.statement) == (manifest.seed, compute_statement_hash(compute_statement(manifest)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e10])
def test_compute_metric_micros__not_finite_or_too_large__refused(value: float) -> None:
    with pytest.raises(DecodeError, match="expected a finite number below 9e9"):
        compute_metric_micros(value)
    assert (compute_metric_micros(0.9125), compute_metric_micros(-2.5)) == (912_500, -2_500_000)
