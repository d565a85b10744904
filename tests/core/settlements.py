"""Rounds to settle: commits, weights and scores of nodes with numbers for names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from dao.core.aggregate import AggregateRoots
from dao.core.commits import (
    CommitRecord,
    Failure,
    PassRecord,
    Reveal,
    SignedCommit,
    SignedPass,
)
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.formats.manifest import Manifest, Node, Shard
from dao.core.score import NodeScore, Scoring
from dao.core.settle import settle_round
from dao.core.transition import PreState, RoundInputs, RoundOutcome, get_post_state
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    Codec,
    Digest,
    Domain,
    Member,
    MicroScore,
    PassReason,
    RoundId,
    Rules,
    Signature,
    Status,
    TaskId,
    Wei,
)
from dao.core.weigh import NodeWeight, Weighing

CID = Cid(ContentCodec.RAW, Digest(b"\x0c" * 32))
OPENING = Digest(b"\x0a" * 32)
BUDGET = Wei(1_000)
RULES = Rules(
    superlink=Address(bytes(20)),
    commit_period=1,
    reveal_period=1,
    result_period=1,
    challenge_period=1,
    resolve_period=1,
    quorum=1,
    shards=9,
    body_depth=7,
    codec=Codec.INT8,
    admitted_only=False,
    close_after=1,
    close_share=100,
    max_in_flight=64,
    min_stake=Wei(1),
    max_stake=Wei(10**24),
    round_budget=BUDGET,
    superlink_bond=Wei(0),
    challenge_bond=Wei(1),
    app_hash=ZERO_DIGEST,
    base_model=CID.digest,
    validation_root=ZERO_DIGEST,
    chunks=120,
    scored_chunks=100,
    card=ZERO_DIGEST,
    base_model_root=ZERO_DIGEST,
)
INPUTS = RoundInputs(
    domain=Domain(31337, Address(b"\xc0" * 20)),
    task=TaskId(1),
    round=RoundId(1),
    opening=OPENING,
    rules=RULES,
    state=PreState(),
    base_model=CID,
    values=30_720,
    seed=Digest(b"\x05" * 32),
    shard=Shard(3, CID, (ZERO_DIGEST,) * 16),
    commits=(),
    passes=(),
    absent={},
    forced=(),
)
OUTCOME = RoundOutcome(
    weighing=Weighing((), 2**20, 10**20, 10**6),
    scoring=Scoring((), -5, 10**20, 7),
    aggregate=AggregateRoots(*(Digest(bytes([0xA0 + i]) * 32) for i in range(3))),
    gate_root=Digest(b"\x61" * 32),
    gradient_root=Digest(b"\x60" * 32),
    step_root=Digest(b"\x62" * 32),
    model=CID,
    step=CID,
    gate_gradient=CID,
    gradient=CID,
    loss_before=2_300_000,
    loss_after=2_200_000,
    metric=None,
)


def settle(
    commits: Sequence[CommitRecord],
    weights: Mapping[Address, NodeWeight],
    scores: Mapping[Address, MicroScore],
    previous: Manifest | None = None,
    inputs: RoundInputs = INPUTS,
    outcome: RoundOutcome = OUTCOME,
) -> Manifest:
    """Settle a round of these commits, weights and scores on a parent."""
    weighing = replace(outcome.weighing, nodes=tuple(weights.values()))
    scoring = replace(
        outcome.scoring,
        nodes=tuple(
            NodeScore(node, 10 * score, 3 * score, ZERO_DIGEST, score) for node, score in scores.items()
        ),
    )
    return settle_round(
        replace(inputs, commits=commits, state=get_post_state(previous)),
        replace(outcome, weighing=weighing, scoring=scoring),
    )


def node_at(i: int) -> Address:
    return Address(bytes([i]) * 20)


def weight_at(
    i: int,
    weight: int = 100,
    cosine: int = 50_000,
    memory: int = 60_000,
    status: Status = Status.OK,
) -> NodeWeight:
    return NodeWeight(
        node_at(i),
        unit_weight=100,
        weight=weight,
        gate_dot=-i,
        square=10**24 + i,
        cosine=cosine,
        memory=memory,
        totals_root=Digest(bytes([i]) * 32),
        status=status,
    )


def owner_at(i: int) -> Address:
    return Address(bytes([0xF0 - i]) * 20)


def signed_at(i: int) -> SignedCommit:
    place = (TaskId(1), RoundId(1), OPENING, node_at(i))
    return SignedCommit(*place, Digest(bytes([i]) * 32), Signature(bytes([i]) * 65))


def pass_at(i: int, reason: PassReason = PassReason.NO_TIME) -> PassRecord:
    place = (TaskId(1), RoundId(1), OPENING, node_at(i))
    return PassRecord(Member(owner_at(i), Wei(1)), SignedPass(*place, Signature(bytes([i]) * 65), reason))


def commit_at(i: int, failure: Failure | None = None, *, forced: bool = False) -> CommitRecord:
    return CommitRecord(
        member=Member(owner_at(i), Wei(10**18 * i)),
        commit=signed_at(i),
        forced=forced,
        reveal=Reveal(CID, Digest(sha256(bytes([i])).digest()), ZERO_DIGEST),
        failure=failure,
    )


def settled(
    scores: dict[int, int],
    failures: dict[int, Failure] | None = None,
    previous: Manifest | None = None,
    **changes: object,
) -> Manifest:
    """Settle a round in which node i has scores[i], or failed."""
    commits = [commit_at(i) for i in scores]
    commits += [commit_at(i, failure) for i, failure in (failures or {}).items()]
    inputs = replace(INPUTS, round=RoundId(previous.round + 1 if previous else 1), **changes)  # type: ignore[arg-type]
    weights = {node_at(i): weight_at(i) for i in scores}
    micros = {node_at(i): MicroScore(score) for i, score in scores.items()}
    return settle(commits, weights, micros, previous, inputs)


def row(manifest: Manifest, i: int) -> Node:
    return next(node for node in manifest.nodes if node.node == node_at(i))


def accounts(manifest: Manifest) -> dict[int, tuple[int, int]]:
    return {0xF0 - a.owner[0]: (a.cumulative_wei, a.debt) for a in manifest.accounts}


def plain_root(rows: list[bytes]) -> bytes:
    """The root of a tree of depth 20, written down once more, as plainly as can be."""
    known = {index: sha256(row).digest() for index, row in enumerate(rows)}
    absent = bytes(32)
    for _ in range(20):
        parents = {index // 2 for index in known}
        known = {
            parent: sha256(known.get(2 * parent, absent) + known.get(2 * parent + 1, absent)).digest()
            for parent in parents
        }
        absent = sha256(absent + absent).digest()
    return known.get(0, absent)
