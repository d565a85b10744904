"""How an auditor plays a round again: what a manifest states as input and outcome, and what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dao.core.aggregate import AggregateRoots
from dao.core.commits import (
    FAILED,
    CommitRecord,
    Failure,
    NodeCommitment,
    PassRecord,
    Reveal,
    SignedCommit,
    SignedPass,
)
from dao.core.constants import CHUNK
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import Manifest, Node, Pass
from dao.core.round_machine import compute_counted_stake
from dao.core.score import NodeScore, Scoring, compute_part_along, score_products
from dao.core.transition import (
    PreState,
    RoundInputs,
    RoundOutcome,
    compute_result,
    get_post_state,
    settle_round,
)
from dao.core.types import Digest, Domain, Member, PassReason, Result, RoundId, Rules, TaskId, Wei
from dao.core.weigh import NodeWeight, UpdateProducts, Weighing, weigh_products
from dao.errors import RuleError

# of products and squares, on their grids
MAX_DOT, MAX_UPDATE_SQUARE, MAX_GRADIENT_SQUARE = 1 << 140, 1 << 116, 1 << 164
NOT_COMPARED = ("reason", "loss_before", "loss_after", "metric")  # for people; no check binds them


def build_inputs(
    manifest: Manifest, rules: Rules, state: PreState, forced: Sequence[NodeCommitment]
) -> RoundInputs:
    """Return the inputs that a manifest states; codec and budget too are those stated."""
    return RoundInputs(
        domain=Domain(manifest.chain_id, manifest.coordinator),
        task=manifest.task,
        round=manifest.round,
        opening=manifest.opening,
        rules=replace(rules, codec=manifest.codec, round_budget=manifest.budget_wei),
        state=state,
        base_model=manifest.base_model,
        values=manifest.values,
        seed=manifest.seed,
        shard=manifest.shard,
        commits=[_build_record(manifest, node) for node in manifest.nodes],
        passes=[_build_pass(manifest, node_pass) for node_pass in manifest.passes],
        absent={absent.node: absent.owner for absent in manifest.absent},
        forced=forced,
    )


def build_outcome(manifest: Manifest) -> RoundOutcome:
    """Return the outcome of a round's arithmetic that a manifest states."""
    counted = [node for node in manifest.nodes if node.status not in FAILED]
    return RoundOutcome(
        weighing=Weighing(
            tuple(map(get_weight, counted)),
            manifest.weight_sum,
            manifest.gate_square,
            manifest.norm_median,
            manifest.roots.gate_totals,
        ),
        scoring=Scoring(
            tuple(
                NodeScore(node.node, node.dot, node.step_dot, node.score_totals, node.score)
                for node in counted
            ),
            manifest.gradient_along,
            manifest.step_square,
            manifest.along_median,
            manifest.roots.step_totals,
        ),
        aggregate=AggregateRoots(manifest.roots.aggregate, manifest.roots.new_step, manifest.roots.model),
        gate_root=manifest.roots.gate,
        gradient_root=manifest.roots.gradient,
        step_root=manifest.roots.step,
        model=manifest.model,
        step=manifest.step,
        gate_gradient=manifest.gate_gradient,
        gradient=manifest.gradient,
        loss_before=manifest.loss_before,
        loss_after=manifest.loss_after,
        metric=manifest.metric,
    )


def get_weight(node: Node) -> NodeWeight:
    """Return what a manifest states of an update's weight."""
    return NodeWeight(
        node.node,
        node.unit_weight,
        node.weight,
        node.gate_dot,
        node.square,
        node.cosine,
        node.memory,
        node.gate_totals,
        node.status,
    )


def get_reveal(node: Node) -> Reveal | None:
    """Return what a manifest states that a node revealed; None unless all of it is there."""
    if node.cid is None or node.body_root is None or node.salt is None:
        return None
    return Reveal(node.cid, node.body_root, node.salt)


def recompute(
    manifest: Manifest, previous: Manifest | None, rules: Rules, forced: Sequence[NodeCommitment]
) -> Manifest:
    """Return the manifest that follows from commits, products and roots as one states them, after its parent's.

    Nothing of it is compared with updates or the chain; values, codec and budget are those that it states. RuleError where
    what it states does not fit together.
    """
    state = replace(get_post_state(previous), used_shards=manifest.used_shards)
    counted = [node for node in manifest.nodes if node.status not in FAILED]
    outcome = build_outcome(manifest)
    if counted:
        weighing = weigh_products(
            [
                UpdateProducts(
                    node.node,
                    compute_counted_stake(rules, node.stake),
                    node.gate_dot,
                    node.square,
                    node.gate_totals,
                )
                for node in counted
            ],
            manifest.gate_square,
            manifest.roots.gate_totals,
            {node.node: state.get_memory(node.owner) for node in counted},
            CHUNK * rules.scored_chunks,
        )
        products = {node.node: (node.dot, node.step_dot, node.score_totals) for node in counted}
        scoring = score_products(
            weighing,
            [products[node.node] for node in weighing.nodes if node.weight],
            manifest.gradient_along,
            manifest.step_square,
            manifest.roots.step_totals,
        )
        outcome = replace(outcome, weighing=weighing, scoring=scoring)
    return settle_round(build_inputs(manifest, rules, state, forced), outcome)


def is_consistent(
    result: Result,
    manifest: Manifest,
    previous: Manifest | None,
    rules: Rules,
    forced: Sequence[NodeCommitment],
) -> bool:
    """Whether a posted result follows, by the round's rules, from what its manifest states of commits, products and roots."""
    stated = manifest.values, manifest.codec, manifest.budget_wei  # no root binds these
    if stated != (CHUNK * rules.chunks, rules.codec, rules.round_budget):
        return False
    passed = {node_pass.node for node_pass in manifest.passes}
    if not _is_possible(manifest) or any(node.node in passed for node in manifest.nodes):
        return False
    try:
        computed = recompute(manifest, previous, rules, forced)
        posted = compute_result(computed, forced, result.model_digest, result.manifest_digest)
    except RuleError:  # a number that no field holds, say
        return False
    reveals = ((get_reveal(node), node.commitment) for node in manifest.nodes)
    return posted == result and all(
        reveal is None or reveal.commitment == commitment for reveal, commitment in reveals
    )


def _is_possible(manifest: Manifest) -> bool:
    """Whether all products are such as true updates and gradients can have (contracts/provers/Arithmetic.sol)."""
    along, square = manifest.gradient_along, manifest.step_square
    parts = (
        compute_part_along(node.weight, node.unit_weight, node.step_dot, along, square)
        for node in manifest.nodes
    )
    dots = [dot for node in manifest.nodes for dot in (node.gate_dot, node.dot, node.step_dot)]
    return (
        all(abs(dot) <= MAX_DOT for dot in (*dots, *parts))
        and all(node.square <= MAX_UPDATE_SQUARE for node in manifest.nodes)
        and square <= MAX_GRADIENT_SQUARE
    )


def _build_record(manifest: Manifest, node: Node) -> CommitRecord:
    return CommitRecord(
        member=Member(node.owner, node.stake),
        commit=SignedCommit(*_place(manifest), node.node, node.commitment, node.signature),
        forced=node.forced,
        reveal=get_reveal(node),
        failure=Failure(node.status, node.reason, node.fault) if node.status in FAILED else None,
    )


def _build_pass(manifest: Manifest, node_pass: Pass) -> PassRecord:
    reason = PassReason.NOT_READY  # any: reasons are not compared
    signed = SignedPass(*_place(manifest), node_pass.node, node_pass.signature, reason)
    return PassRecord(Member(node_pass.owner, Wei(0)), signed)


def _place(manifest: Manifest) -> tuple[TaskId, RoundId, Digest]:
    return manifest.task, manifest.round, manifest.opening


def find_differences(stated: Manifest, computed: Manifest) -> list[str]:
    """Say where two manifests differ, a line for each field, the words of reasons, losses and metric left out."""
    write = get_form(Manifest).write
    return list(_compare(write(stated), write(computed), "manifest"))


def _compare(stated: object, computed: object, path: str) -> Iterator[str]:
    if isinstance(stated, dict) and isinstance(computed, dict):
        for key in (key for key in stated if key not in NOT_COMPARED):
            yield from _compare(stated[key], computed[key], f"{path}.{key}")
    elif isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        for index, (one, other) in enumerate(zip(stated, computed, strict=True)):
            yield from _compare(one, other, f"{path}[{index}]")
    elif stated != computed:
        yield f"{path}: stated {_shorten(stated)}, computed {_shorten(computed)}"


def _shorten(value: object) -> str:
    return f"{len(value)} rows" if isinstance(value, list) else repr(value)[:80]
