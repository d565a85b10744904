"""All of a round after weights, aggregate and scores are known: roots, money, manifest, result.

The Superlink settles a round to post it, the auditor to compare: both by `settle` and `result`, so neither repeats
the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from math import isfinite

from dao.core import reasons
from dao.core.commits import (
    FAILED,
    CommitRecord,
    Failure,
    NodeCommitment,
    compute_commits_root,
    compute_forced_hash,
)
from dao.core.constants import MAX_INTEGER, MAX_TEXT, ROWS_DEPTH
from dao.core.errors import RuleError
from dao.core.formats.abi import encode
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Absent, Account, Manifest, Memory, Node, Roots, Shard
from dao.core.keccak import keccak256
from dao.core.merkle import Tree
from dao.core.payout import Pay, Payout, compute_payout
from dao.core.reward_tree import compute_reward_root
from dao.core.types import (
    Address,
    Codec,
    Digest,
    Domain,
    MicroScore,
    Result,
    RoundId,
    Status,
    TaskId,
    Wei,
    hex_of,
)
from dao.core.weigh import NodeWeight, compute_gate_threshold


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """What chain, content and arithmetic say of a round as a whole; the CIDs of gradients are None when it has none.

    `forced` are the forced commits in the order of their events.
    """

    domain: Domain
    distributor: Address
    task: TaskId
    round: RoundId
    codec: Codec
    values: int
    seed: Digest
    budget: Wei
    base_model: Cid
    model: Cid
    gate_gradient: Cid | None
    gradient: Cid | None
    aggregate_root: Digest
    gradient_root: Digest
    shard: Shard
    weight_sum: int
    loss_before: int
    loss_after: int
    forced: Sequence[NodeCommitment]


def compute_inputs_root(inputs: Iterable[tuple[Address, Digest, int]]) -> Digest:
    """Root over (node, body root, weight), in any order: what the aggregate is the sum of."""
    return _rows_root(root + node + weight.to_bytes(4, "big") for node, root, weight in sorted(inputs))


def compute_scores_root(scores: Iterable[tuple[Address, MicroScore]]) -> Digest:
    """Root over (node, score), in any order; RuleError for a score outside int64."""
    return _rows_root(node + _int64(node, score) for node, score in sorted(scores))


def compute_loss_micros(loss: float) -> int:
    """A mean loss in whole millionths, the largest number of a manifest where it is not finite or larger."""
    return max(-MAX_INTEGER, min(round(loss * 10**6), MAX_INTEGER)) if isfinite(loss) else MAX_INTEGER


def settle_round(
    facts: RoundFacts,
    previous: Manifest | None,
    commits: Sequence[CommitRecord],
    weighed: Mapping[Address, NodeWeight],
    scores: Mapping[Address, MicroScore],
    absent: Mapping[Address, Address],
) -> Manifest:
    """Settle a round: pay its budget, carry accounts and memories on from `previous` (None: no parent), bind all.

    `weighed` and `scores` are by node, for all whose commit did not fail; `absent` is node to owner. RuleError where
    commits, weights and scores do not fit together.
    """
    rows = sorted(commits, key=lambda commit: commit.node)
    _check(rows, weighed, scores)
    if previous and (previous.task != facts.task or previous.round >= facts.round):
        raise RuleError(f"previous manifest: expected an earlier round of task {facts.task}")
    before = {account.owner: account for account in previous.accounts} if previous else {}
    owed = {owner: MicroScore(account.debt) for owner, account in before.items()}
    payout = compute_payout(
        facts.budget, {row.member.owner: scores.get(row.node, MicroScore(0)) for row in rows}, owed
    )
    needed = compute_gate_threshold(facts.values)
    nodes = tuple(
        _node(
            row,
            weighed.get(row.node),
            scores.get(row.node, MicroScore(0)),
            owed.get(row.member.owner, MicroScore(0)),
            payout.owners[row.member.owner],
            needed,
        )
        for row in rows
    )
    inputs = [node for node in nodes if node.status not in FAILED]
    accounts = _next_accounts(before, payout)
    cumulative = {owner: account.cumulative_wei for owner, account in accounts.items()}
    return Manifest(
        chain_id=facts.domain.chain_id,
        coordinator=facts.domain.coordinator,
        task=facts.task,
        round=facts.round,
        parent=previous.round if previous else RoundId(0),
        codec=facts.codec,
        values=facts.values,
        seed=facts.seed,
        base_model=facts.base_model,
        model=facts.model,
        gate_gradient=facts.gate_gradient,
        gradient=facts.gradient,
        shard=facts.shard,
        used_shards=tuple(sorted({*(previous.used_shards if previous else ()), facts.shard.index})),
        nodes=nodes,
        absent=tuple(Absent(node, owner, reasons.ABSENT) for node, owner in sorted(absent.items())),
        weight_sum=facts.weight_sum,
        loss_before=facts.loss_before,
        loss_after=facts.loss_after,
        budget_wei=facts.budget,
        refunded_wei=payout.refunded,
        accounts=tuple(accounts[owner] for owner in sorted(accounts)),
        memories=_next_memories(previous, weighed),
        roots=Roots(
            commits=compute_commits_root(node for node in nodes if not node.forced),
            inputs=compute_inputs_root((node.node, _body_root(node), node.weight) for node in inputs),
            aggregate=facts.aggregate_root,
            gradient=facts.gradient_root,
            scores=compute_scores_root((node.node, node.score) for node in inputs),
            rewards=compute_reward_root(facts.domain.chain_id, facts.distributor, facts.task, cumulative),
        ),
        reward_total_wei=Wei(sum(cumulative.values())),
        forced_hash=compute_forced_hash(facts.forced),
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
        # a node that is in the tree and forced its commit as well has two commits in the coordinator's count
        revealed=sum((not node.forced) + (node.node in forced_nodes) for node in arrived),
        weight_sum=manifest.weight_sum,
        reward_total=manifest.reward_total_wei,
    )


def compute_result_hash(result: Result) -> Digest:
    """Return what the coordinator stores of a result: keccak256(abi.encode(Result))."""
    return keccak256(encode(*astuple(result)))


def _check(
    rows: Sequence[CommitRecord], weighed: Mapping[Address, NodeWeight], scores: Mapping[Address, MicroScore]
) -> None:
    for name, keys in ("node", {row.node for row in rows}), ("owner", {row.member.owner for row in rows}):
        if len(keys) != len(rows):
            raise RuleError(f"commits: expected one for each {name}; drop what is not of this round")
    if strangers := (weighed.keys() | scores.keys()) - {row.node for row in rows}:
        raise RuleError(f"node {hex_of(min(strangers))}: expected a commit beside its weight or score")
    for row in rows:
        counts = row.failure is None
        if counts != (row.node in weighed) or counts != (row.node in scores):
            raise RuleError(f"node {hex_of(row.node)}: expected a failure, or a weight and a score")
        if counts and row.reveal is None:
            raise RuleError(f"node {hex_of(row.node)}: expected content, body root and salt beside a weight")


def _node(
    row: CommitRecord,
    weighed: NodeWeight | None,
    score: MicroScore,
    owed: MicroScore,
    money: Pay,
    needed: int,
) -> Node:
    failure, reveal = row.failure or Failure(Status.INVALID), row.reveal
    node = Node(
        node=row.node,
        owner=row.member.owner,
        stake=row.member.stake,
        commitment=row.commit.commitment,
        signature=row.commit.signature,
        forced=row.forced,
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
        debt=money.debt,
        share=money.share,
        reward_wei=money.reward,
        reason=reasons.explain_failure(failure.status, failure.detail)[:MAX_TEXT],
    )
    if weighed is None:
        return node
    return replace(
        node,
        status=weighed.status,
        unit_weight=weighed.unit_weight,
        weight=weighed.weight,
        norm=weighed.norm,
        cosine=weighed.cosine,
        memory=weighed.memory,
        reason=_reason(weighed, score, owed, money, needed),
    )


def _reason(weighed: NodeWeight, score: MicroScore, owed: MicroScore, money: Pay, needed: int) -> str:
    counted = reasons.explain_weight(
        weighed.status, weighed.unit_weight, weighed.weight, weighed.cosine, weighed.memory, needed
    )
    if weighed.weight == 0:
        return counted
    return f"{counted}; {reasons.explain_pay(score, money.share, owed, money.debt, money.reward)}"


def _next_accounts(accounts: Mapping[Address, Account], payout: Payout) -> dict[Address, Account]:
    """Accounts after the round; those that would be all zero are left out."""
    cumulative = {owner: account.cumulative_wei for owner, account in accounts.items()}
    paid = {
        owner: Account(owner, Wei(cumulative.get(owner, 0) + money.reward), money.debt)
        for owner, money in payout.owners.items()
    }
    both = {**accounts, **paid}
    return {owner: account for owner, account in both.items() if account.cumulative_wei or account.debt}


def _next_memories(previous: Manifest | None, weighed: Mapping[Address, NodeWeight]) -> tuple[Memory, ...]:
    """Memories after the round; those that are zero are left out."""
    memories = {memory.node: memory.memory for memory in previous.memories} if previous else {}
    memories |= {node: weight.memory for node, weight in weighed.items()}
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
