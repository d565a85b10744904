"""The end of a round's transition, when weights, aggregate and scores are known: money, roots, manifest, result."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from math import isfinite

from dao.core.commits import (
    FAILED,
    CommitRecord,
    Failure,
    NodeCommitment,
    PassRecord,
    compute_commits_root,
    compute_forced_hash,
)
from dao.core.constants import MAX_INTEGER, MAX_TEXT, ROWS_DEPTH
from dao.core.formats import reasons
from dao.core.formats.abi import encode
from dao.core.formats.manifest import Absent, Account, Manifest, Memory, Node, Pass, Roots
from dao.core.formats.reward_tree import compute_reward_root
from dao.core.keccak import keccak256
from dao.core.merkle import Tree
from dao.core.payout import Pay, Payout, compute_payout
from dao.core.state import PreState, RoundInputs, RoundOutcome
from dao.core.types import (
    Address,
    Digest,
    MicroScore,
    Result,
    Status,
    Wei,
    hex_of,
)
from dao.core.weigh import NodeWeight, compute_gate_threshold
from dao.errors import RuleError


def compute_inputs_root(inputs: Iterable[tuple[Address, Digest, int]]) -> Digest:
    """Root over (node, body root, weight), in any order: what the aggregate is the sum of."""
    return _rows_root(root + node + weight.to_bytes(4, "big") for node, root, weight in sorted(inputs))


def compute_scores_root(scores: Iterable[tuple[Address, MicroScore]]) -> Digest:
    """Root over (node, score), in any order; RuleError for a score outside int64."""
    return _rows_root(node + _int64(node, score) for node, score in sorted(scores))


def compute_loss_micros(loss: float) -> int:
    """A mean loss in whole millionths, the largest number of a manifest where it is not finite or larger."""
    return max(-MAX_INTEGER, min(round(loss * 10**6), MAX_INTEGER)) if isfinite(loss) else MAX_INTEGER


def settle_round(inputs: RoundInputs, outcome: RoundOutcome) -> Manifest:
    """Settle a round: pay its budget, carry accounts and memories on from its parent's, bind all by roots.

    RuleError where commits, weights and scores do not fit together, or the state is of no earlier round of the task.
    """
    records = sorted(inputs.commits, key=lambda record: record.node)
    weights = {weight.node: weight for weight in outcome.weighing.nodes}
    state, scores, rules = inputs.state, outcome.scores, inputs.rules
    _check(records, weights, scores)
    if state.task not in (None, inputs.task) or state.round >= inputs.round:
        raise RuleError(f"previous manifest: expected an earlier round of task {inputs.task}")
    earned = {record.member.owner: scores.get(record.node, MicroScore(0)) for record in records}
    owed = state.debts
    payout = compute_payout(rules.round_budget, earned, owed)
    needed = compute_gate_threshold(inputs.values)
    nodes = tuple(
        _build_node(
            record,
            weights.get(record.node),
            earned[record.member.owner],
            owed.get(record.member.owner, MicroScore(0)),
            payout.owners[record.member.owner],
            needed,
        )
        for record in records
    )
    passes = tuple(map(_build_pass, sorted(inputs.passes, key=lambda record: record.signed.node)))
    counted = [node for node in nodes if node.status not in FAILED]
    accounts = _compute_accounts(state, payout)
    cumulative = {owner: account.cumulative_wei for owner, account in accounts.items()}
    return Manifest(
        chain_id=inputs.domain.chain_id,
        coordinator=inputs.domain.coordinator,
        task=inputs.task,
        round=inputs.round,
        parent=state.round,
        opening=inputs.opening,
        codec=rules.codec,
        values=inputs.values,
        seed=inputs.seed,
        base_model=inputs.base_model,
        model=outcome.model,
        gate_gradient=outcome.gate_gradient,
        gradient=outcome.gradient,
        shard=inputs.shard,
        used_shards=tuple(sorted({*state.used_shards, inputs.shard.index})),
        nodes=nodes,
        passes=passes,
        absent=tuple(Absent(node, owner, reasons.ABSENT) for node, owner in sorted(inputs.absent.items())),
        weight_sum=outcome.weighing.weight_sum,
        loss_before=outcome.loss_before,
        loss_after=outcome.loss_after,
        budget_wei=rules.round_budget,
        refunded_wei=payout.refunded,
        accounts=tuple(accounts[owner] for owner in sorted(accounts)),
        memories=_compute_memories(state, weights),
        roots=Roots(
            commits=compute_commits_root((node for node in nodes if not node.forced), passes),
            inputs=compute_inputs_root((node.node, _body_root(node), node.weight) for node in counted),
            aggregate=outcome.aggregate_root,
            gradient=outcome.gradient_root,
            scores=compute_scores_root((node.node, node.score) for node in counted),
            rewards=compute_reward_root(inputs.domain.chain_id, inputs.distributor, inputs.task, cumulative),
        ),
        reward_total_wei=Wei(sum(cumulative.values())),
        forced_hash=compute_forced_hash(inputs.forced),
    )


def compute_result(
    manifest: Manifest, forced: Sequence[NodeCommitment], model_digest: Digest, manifest_digest: Digest
) -> Result:
    """Write what the chain is told of a settled round, with the digests of the model's and the manifest's content."""
    forced_nodes = {commit.node for commit in forced}
    arrived = [node for node in manifest.nodes if node.status not in (Status.LATE, Status.WITHHELD)]
    return Result(
        commits_root=manifest.roots.commits,
        inputs_root=manifest.roots.inputs,
        aggregate_root=manifest.roots.aggregate,
        gradient_root=manifest.roots.gradient,
        score_root=manifest.roots.scores,
        model_digest=model_digest,
        manifest_digest=manifest_digest,
        reward_root=manifest.roots.rewards,
        forced_hash=manifest.forced_hash,
        inputs=sum(node.status not in FAILED for node in manifest.nodes),
        # a node that is in the tree and forced its commit while that went to the chain has two in the coordinator's count
        revealed=sum((not node.forced) + (node.node in forced_nodes) for node in arrived),
        weight_sum=manifest.weight_sum,
        reward_total=manifest.reward_total_wei,
    )


def compute_result_hash(result: Result) -> Digest:
    """Return what the coordinator stores of a result: keccak256(abi.encode(Result))."""
    return keccak256(encode(*astuple(result)))


def _check(
    records: Sequence[CommitRecord],
    weights: Mapping[Address, NodeWeight],
    scores: Mapping[Address, MicroScore],
) -> None:
    nodes, owners = {record.node for record in records}, {record.member.owner for record in records}
    for name, keys in ("node", nodes), ("owner", owners):
        if len(keys) != len(records):
            raise RuleError(f"commits: expected one for each {name}; drop what is not of this round")
    if strangers := (weights.keys() | scores.keys()) - nodes:
        raise RuleError(f"node {hex_of(min(strangers))}: expected a commit beside its weight or score")
    for record in records:
        counts = record.failure is None
        if counts != (record.node in weights) or counts != (record.node in scores):
            raise RuleError(f"node {hex_of(record.node)}: expected a failure, or a weight and a score")
        if counts and record.reveal is None:
            raise RuleError(
                f"node {hex_of(record.node)}: expected content, body root and salt beside a weight"
            )


def _build_pass(record: PassRecord) -> Pass:
    signed = record.signed
    return Pass(signed.node, record.member.owner, signed.signature, reasons.explain_pass(signed.reason))


def _build_node(
    record: CommitRecord,
    weight: NodeWeight | None,
    score: MicroScore,
    owed: MicroScore,
    pay: Pay,
    needed: int,
) -> Node:
    failure, reveal = record.failure or Failure(Status.INVALID), record.reveal
    node = Node(
        node=record.node,
        owner=record.member.owner,
        stake=record.member.stake,
        commitment=record.commit.commitment,
        signature=record.commit.signature,
        forced=record.forced,
        cid=reveal.cid if reveal else None,
        body_root=reveal.body_root if reveal else None,
        salt=reveal.salt if reveal else None,
        status=failure.status,
        unit_weight=0,
        weight=0,
        norm=0,
        cosine=0,
        memory=0,
        score=score,
        debt=pay.debt,
        share=pay.share,
        reward_wei=pay.reward,
        reason=reasons.explain_failure(failure.status, failure.detail)[:MAX_TEXT],
    )
    if weight is None:
        return node
    return replace(
        node,
        status=weight.status,
        unit_weight=weight.unit_weight,
        weight=weight.weight,
        norm=weight.norm,
        cosine=weight.cosine,
        memory=weight.memory,
        reason=_explain(weight, score, owed, pay, needed),
    )


def _explain(weight: NodeWeight, score: MicroScore, owed: MicroScore, pay: Pay, needed: int) -> str:
    counted = reasons.explain_weight(
        weight.status, weight.unit_weight, weight.weight, weight.cosine, weight.memory, needed
    )
    if weight.weight == 0:
        return counted
    return f"{counted}; {reasons.explain_pay(score, pay.share, owed, pay.debt, pay.reward)}"


def _compute_accounts(state: PreState, payout: Payout) -> dict[Address, Account]:
    """Return the accounts after the round; those that would be all zero are left out."""
    cumulative = {owner: account.cumulative_wei for owner, account in state.accounts.items()}
    paid = {
        owner: Account(owner, Wei(cumulative.get(owner, 0) + pay.reward), pay.debt)
        for owner, pay in payout.owners.items()
    }
    both = {**state.accounts, **paid}
    return {owner: account for owner, account in both.items() if account.cumulative_wei or account.debt}


def _compute_memories(state: PreState, weights: Mapping[Address, NodeWeight]) -> tuple[Memory, ...]:
    """Return the memories after the round; those that are zero are left out."""
    memories = {**state.memories, **{node: weight.memory for node, weight in weights.items()}}
    return tuple(Memory(node, memory) for node, memory in sorted(memories.items()) if memory)


def _rows_root(rows: Iterable[bytes]) -> Digest:
    return Tree(list(rows), ROWS_DEPTH).root


def _int64(node: Address, score: MicroScore) -> bytes:
    if not -(1 << 63) <= score < 1 << 63:
        raise RuleError(f"node {hex_of(node)}: expected a score within int64, got {score}")
    return score.to_bytes(8, "big", signed=True)


def _body_root(node: Node) -> Digest:
    assert node.body_root is not None  # noqa: S101  (for mypy: _check saw it)
    return node.body_root
