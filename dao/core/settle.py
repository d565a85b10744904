"""The end of a round's transition, when weights, aggregate and scores are known: money, rows, roots and manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dao.core.commits import CommitRecord, Failure, PassRecord, compute_forced_hash
from dao.core.constants import CHUNK, MAX_TEXT
from dao.core.formats import reasons
from dao.core.formats.commit_leaves import compute_commits_root
from dao.core.formats.manifest import Absent, Account, Manifest, Node, Pass, Roots
from dao.core.formats.round_rows import compute_inputs_root
from dao.core.payout import Pay, Payout, compute_payout
from dao.core.round_machine import compute_counted_stake
from dao.core.score import NodeScore
from dao.core.state import PreState, RoundInputs, RoundOutcome
from dao.core.statement import build_account_tree, build_rows
from dao.core.types import ZERO_DIGEST, Address, MicroScore, Rules, Status, Wei, hex_of
from dao.core.weigh import NodeWeight, compute_gate_threshold
from dao.errors import RuleError


def settle_round(inputs: RoundInputs, outcome: RoundOutcome) -> Manifest:
    """Settle a round: pay its budget, carry accounts and memories on from its parent's, bind all by roots.

    RuleError where commits, weights and scores do not fit together, or the state is of no earlier round of the task.
    """
    records = sorted(inputs.commits, key=lambda record: record.node)
    weights = {weight.node: weight for weight in outcome.weighing.nodes}
    scores = {score.node: score for score in outcome.scoring.nodes}
    state, rules = inputs.state, inputs.rules
    _check(records, weights, scores)
    if state.task not in (None, inputs.task) or state.round >= inputs.round:
        raise RuleError(f"previous manifest: expected an earlier round of task {inputs.task}")
    earned = {
        record.member.owner: scores[record.node].score if record.node in scores else MicroScore(0)
        for record in records
    }
    payout = compute_payout(rules.round_budget, earned, state.debts)
    nodes = tuple(_build_node(inputs, record, weights, scores, payout) for record in records)
    passes = tuple(map(_build_pass, sorted(inputs.passes, key=lambda record: record.signed.node)))
    accounts = _compute_accounts(state, records, payout, weights)
    weighing, scoring = outcome.weighing, outcome.scoring
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
        step=outcome.step,
        gate_gradient=outcome.gate_gradient,
        gradient=outcome.gradient,
        shard=inputs.shard,
        used_shards=tuple(sorted({*state.used_shards, inputs.shard.index})),
        nodes=nodes,
        passes=passes,
        absent=tuple(Absent(node, owner, reasons.ABSENT) for node, owner in sorted(inputs.absent.items())),
        weight_sum=weighing.weight_sum,
        gate_square=weighing.gate_square,
        norm_median=weighing.norm_median,
        gradient_along=scoring.gradient_along,
        step_square=scoring.step_square,
        along_median=scoring.along_median,
        loss_before=outcome.loss_before,
        loss_after=outcome.loss_after,
        metric=outcome.metric,
        budget_wei=rules.round_budget,
        refunded_wei=payout.refunded,
        accounts=tuple(accounts.values()),
        roots=Roots(
            commits=compute_commits_root((node for node in nodes if not node.forced), passes),
            rows=build_rows(nodes, tuple(accounts.values())).root,
            inputs=compute_inputs_root(nodes),
            aggregate=outcome.aggregate.sums,
            model=outcome.aggregate.model,
            new_step=outcome.aggregate.step,
            gate=outcome.gate_root,
            gradient=outcome.gradient_root,
            step=outcome.step_root,
            gate_totals=weighing.gate_totals,
            step_totals=scoring.step_totals,
            accounts=build_account_tree(nodes, tuple(accounts.values())).root,
        ),
        reward_total_wei=Wei(sum(account.cumulative_wei for account in accounts.values())),
        forced_hash=compute_forced_hash(inputs.forced),
    )


def _check(
    records: Sequence[CommitRecord],
    weights: Mapping[Address, NodeWeight],
    scores: Mapping[Address, NodeScore],
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
            raise RuleError(f"node {hex_of(record.node)}: expected content, root and salt beside a weight")


def _build_pass(record: PassRecord) -> Pass:
    signed = record.signed
    return Pass(signed.node, record.member.owner, signed.signature, reasons.explain_pass(signed.reason))


def _build_node(
    inputs: RoundInputs,
    record: CommitRecord,
    weights: Mapping[Address, NodeWeight],
    scores: Mapping[Address, NodeScore],
    payout: Payout,
) -> Node:
    failure, reveal, owner = record.failure or Failure(Status.INVALID), record.reveal, record.member.owner
    pay = payout.owners[owner]
    node = Node(
        node=record.node,
        owner=owner,
        stake=record.member.stake,
        commitment=record.commit.commitment,
        signature=record.commit.signature,
        forced=record.forced,
        cid=reveal.cid if reveal else None,
        body_root=reveal.body_root if reveal else None,
        salt=reveal.salt if reveal else None,
        status=failure.status,
        counted_stake=Wei(0),
        unit_weight=0,
        weight=0,
        gate_dot=0,
        square=0,
        cosine=0,
        memory=inputs.state.get_memory(owner),
        dot=0,
        step_dot=0,
        gate_totals=ZERO_DIGEST,
        score_totals=ZERO_DIGEST,
        fault=failure.fault,
        score=MicroScore(0),
        debt=pay.debt,
        share=pay.share,
        reward_wei=pay.reward,
        reason=reasons.explain_failure(failure.status, failure.detail)[:MAX_TEXT],
    )
    if record.node not in weights:
        return node
    weight, score = weights[record.node], scores[record.node]
    owed = inputs.state.debts.get(owner, MicroScore(0))
    return replace(
        node,
        status=weight.status,
        counted_stake=Wei(compute_counted_stake(inputs.rules, record.member.stake)),
        unit_weight=weight.unit_weight,
        weight=weight.weight,
        gate_dot=weight.gate_dot,
        square=weight.square,
        cosine=weight.cosine,
        memory=weight.memory,
        dot=score.dot,
        step_dot=score.step_dot,
        gate_totals=weight.totals_root,
        score_totals=score.totals_root,
        score=score.score,
        reason=_explain(inputs.rules, weight, score.score, owed, pay),
    )


def _explain(rules: Rules, weight: NodeWeight, score: MicroScore, owed: MicroScore, pay: Pay) -> str:
    needed = compute_gate_threshold(CHUNK * rules.scored_chunks)
    counted = reasons.explain_weight(
        weight.status, weight.unit_weight, weight.weight, weight.cosine, weight.memory, needed
    )
    if weight.weight == 0:
        return counted
    return f"{counted}; {reasons.explain_pay(score, pay.share, owed, pay.debt, pay.reward)}"


def _compute_accounts(
    state: PreState, records: Sequence[CommitRecord], payout: Payout, weights: Mapping[Address, NodeWeight]
) -> dict[Address, Account]:
    """Return the accounts after the round, those of owners that committed for the first time last."""
    accounts = dict(state.accounts)
    for record in records:
        owner, weight = record.member.owner, weights.get(record.node)
        before, pay = accounts.get(owner), payout.owners[owner]
        accounts[owner] = Account(
            owner,
            Wei((before.cumulative_wei if before else 0) + pay.reward),
            pay.debt,
            weight.memory if weight else state.get_memory(owner),
        )
    return accounts
