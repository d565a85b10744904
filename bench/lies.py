"""The lies that a bench tells about a round, each with what proves it: each gets a row in `list_lies`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

import numpy as np

from bench.disputed_round import DisputedRound, add, make_key, restate, state
from dao.core.commits import SignedCommit
from dao.core.constants import BLOCKS
from dao.core.engine.merkle import compute_root
from dao.core.formats.commit_leaves import encode_commit_row
from dao.core.formats.round_rows import STATUSES
from dao.core.formats.signed_messages import (
    compute_commit_digest,
    compute_receipt_digest,
    compute_revealed_digest,
)
from dao.core.types import Address, Digest, Signature, Status
from dao.proofs import availability, commit_trees, draws, models
from dao.proofs.dots import ProductsClaim, prove_step, show_product_row
from dao.proofs.leaf_places import DemandTree, LeafPlace, get_depth, show_outer, show_row
from dao.proofs.models import MODEL, prove_model
from dao.proofs.openings import Rows, hash_rows, view_rows
from dao.proofs.round_trees import RoundTrees, build_tree
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
from dao.proofs.sums import (
    AGGREGATE,
    AGGREGATE_VALUE,
    BLOCK,
    CODEC,
    ONE_TRANSACTION,
    PARTS,
    SumInput,
    encode_input,
    prove_aggregate,
    prove_codec,
    prove_part,
    prove_parts,
)

OTHER = 1  # a node in the middle: its row has one before it


@dataclass(frozen=True)
class Lie:
    """A lie: the trees that state it, and the accusation. `demand`: a leaf that the liar must show first.

    `past`: the shard stated is so many past the one that the seed draws; `prove_drawn` takes the trees that state it.
    """

    name: str
    trees: RoundTrees
    prover: str
    claim: int
    prove: Callable[[], bytes] = bytes
    passes: int = 0  # that the closing counts
    demand: LeafPlace | None = None
    answer: Callable[[], bytes] = bytes
    parts: tuple[Callable[[], bytes], ...] = field(default=())  # recorded before the accusation
    past: int = 0
    prove_drawn: Callable[[RoundTrees], bytes] | None = None


def list_lies(case: DisputedRound, superlink: str) -> Iterator[Lie]:
    """Yield all lies; `superlink` names the key that signs receipts."""
    yield from _of_commits(case, superlink)
    yield from _of_content(case)
    yield from _of_availability(case, superlink)
    yield from _of_rows(case)
    yield from _of_sums(case)
    yield from _of_money(case)
    yield Lie("shard", case.trees, "ShardsProver", draws.DRAW, past=1, prove_drawn=draws.prove_draw)


def _of_commits(case: DisputedRound, superlink: str) -> Iterator[Lie]:
    honest = case.trees
    leaves, place = list(honest.commits), case.place
    node = Address(leaves[-1][:20])
    fewer = restate(honest, commits=leaves[:-1])
    commitment = Digest(leaves[-1][21:53])
    digest = compute_receipt_digest(case.domain, *place, node, commitment)
    receipt = Signature(make_key(superlink, 0).sign(digest))
    prove = partial(commit_trees.prove_receipt, node, commitment, receipt, leaves[:-1], ())
    yield Lie("commit left out", fewer, "CommitsProver", commit_trees.RECEIPT, prove, passes=1)
    early = partial(commit_trees.prove_early, node, leaves[:-1], ())
    yield Lie("closed early without all", fewer, "CommitsProver", commit_trees.EARLY, early, passes=1)
    unsigned = [*leaves[:-1], leaves[-1][:-65] + bytes(65)]
    last = len(leaves) - 1
    prove = partial(commit_trees.prove_leaf, last, unsigned)
    trees = restate(honest, commits=unsigned)
    yield Lie("commit unsigned", trees, "CommitsProver", commit_trees.SIGNATURE, prove)
    twice = [*leaves[:-1], leaves[-2]]
    prove = partial(commit_trees.prove_order, last - 1, last, twice)
    yield Lie("commit twice", restate(honest, commits=twice), "CommitsProver", commit_trees.ORDER, prove)
    stranger = make_key("stranger", 0)
    digest = compute_commit_digest(case.domain, *place, stranger.address, commitment)
    signed = SignedCommit(*place, stranger.address, commitment, Signature(stranger.sign(digest)))
    strange = sorted([*leaves[:-1], encode_commit_row(signed)])
    index = next(i for i, leaf in enumerate(strange) if leaf.startswith(stranger.address))
    prove = partial(commit_trees.prove_leaf, index, strange)
    trees = restate(honest, commits=strange)
    yield Lie("stranger counted", trees, "CommitsProver", commit_trees.MEMBER, prove)


def _of_content(case: DisputedRound) -> Iterator[Lie]:
    honest, depth = case.trees, case.rules.body_depth
    body = np.array(case.contents.update.body)
    body[0, 0] = 0x80
    inputs = case.inputs
    inputs[OTHER] = SumInput(inputs[OTHER].node, inputs[OTHER].weight, body)
    leaves = [*honest.inputs]
    leaves[OTHER] = encode_input(inputs[OTHER], depth)
    prove = partial(prove_codec, 0, 0, OTHER, inputs, depth)
    yield Lie("valid though invalid", restate(honest, inputs=leaves), "SumProver", CODEC, prove)
    trees = restate(honest, rows=add(honest.rows, OTHER, 120, 32))
    prove = partial(prove_row, trees, RowsClaim.REVEAL, OTHER)
    yield Lie("body root", trees, "RowsProver", RowsClaim.REVEAL, prove)


def _of_availability(case: DisputedRound, superlink: str) -> Iterator[Lie]:
    """Updates that were received or are valid, and are said not to be."""
    honest, row = case.trees, case.trees.rows[OTHER]
    commitment, body_root = Digest(row[56:88]), Digest(row[120:152])
    digest = compute_revealed_digest(case.domain, *case.place, Address(row[:20]), commitment, body_root)
    receipt = Signature(make_key(superlink, 0).sign(digest))

    def say(status: Status, fault: bytes = row[-5:]) -> RoundTrees:
        rows = [*honest.rows]
        rows[OTHER] = row[:184] + bytes([STATUSES.index(status)]) + row[185:-5] + fault
        return restate(honest, rows=rows)

    for status in (Status.WITHHELD, Status.LATE):
        trees = say(status)
        prove = partial(availability.prove_revealed, trees, OTHER, body_root, receipt)
        yield Lie(f"{status} though received", trees, "AvailabilityProver", availability.RECEIPT, prove)
    trees = say(Status.INVALID, bytes(5))
    body, depth = case.contents.update.body, case.rules.body_depth
    prove = partial(availability.prove_fault, trees, OTHER, body, 0, depth)
    yield Lie("invalid though valid", trees, "AvailabilityProver", availability.FAULT, prove)


def _of_rows(case: DisputedRound) -> Iterator[Lie]:
    honest = case.trees
    for name, claim, place, size in (
        ("unit weight", WeightsClaim.UNIT, 186, 4),
        ("memory", WeightsClaim.MEMORY, 258, 8),
        ("clip", WeightsClaim.CLIP, 190, 4),
    ):
        trees = restate(honest, rows=add(honest.rows, OTHER, place, size))
        yield Lie(name, trees, "WeightsProver", claim, partial(prove_weight, trees, claim, OTHER))
    gated = restate(honest, rows=add(honest.rows, OTHER, 184, 1, 5))
    prove = partial(prove_weight, gated, WeightsClaim.GATE, OTHER)
    yield Lie("gate", gated, "WeightsProver", WeightsClaim.GATE, prove)
    median = state(honest, norm_median=honest.statement.norm_median + 1)
    prove = partial(prove_weight, median, WeightsClaim.NORM_MEDIAN)
    yield Lie("median", median, "WeightsProver", WeightsClaim.NORM_MEDIAN, prove)
    result = replace(honest.result, weight_sum=honest.result.weight_sum - 1)
    heavy = replace(honest, result=result)
    yield Lie("weight sum", heavy, "RowsProver", RowsClaim.SUMS, partial(prove_row, heavy, RowsClaim.SUMS))
    trees = restate(honest, rows=add(honest.rows, OTHER, 330, 8))
    prove = partial(prove_score, trees, ScoresClaim.SCORE, OTHER)
    yield Lie("score", trees, "ScoresProver", ScoresClaim.SCORE, prove)
    yield _norm(case)


def _norm(case: DisputedRound) -> Lie:
    """A square that is too high in row and running totals, which nobody but the liar has: the last leaf is demanded."""
    depth, totals = case.rules.body_depth, np.array(case.compute_gate_totals())
    last = len(totals) - 1
    square = int.from_bytes(totals[last, 32:].tobytes(), "big") + 1
    totals[last, 32:] = np.frombuffer(square.to_bytes(32, "big"), np.uint8)
    height = get_depth(DemandTree.ROW_GATE_TOTALS, depth)
    root = compute_root(hash_rows(totals), height)
    rows = add(case.trees.rows, OTHER, 226, 32)
    rows[OTHER] = rows[OTHER][:386] + root + rows[OTHER][418:]
    trees = restate(case.trees, rows=rows)
    place = LeafPlace(DemandTree.ROW_GATE_TOTALS, OTHER, last)

    def answer() -> bytes:
        return show_outer(trees.rows, place) + show_row(totals, last, height)

    def prove() -> bytes:
        body: Rows = case.contents.update.body
        return show_product_row(trees, OTHER) + prove_step(last, totals, (body,), depth)

    claim = ProductsClaim.SQUARE
    return Lie("norm", trees, "ProductsProver", claim, prove, demand=place, answer=answer)


def _of_sums(case: DisputedRound) -> Iterator[Lie]:
    """A wrong value of the aggregate, whose leaf is demanded, for nobody publishes them; one of the model, which is there."""
    honest, depth, chunk = case.trees, case.rules.body_depth, len(case.sums) // 2
    wrong = np.array(case.sums)
    wrong[chunk, 3] += 1
    rows = view_rows(wrong, AGGREGATE_VALUE)
    root = compute_root(hash_rows(rows), depth)
    place = LeafPlace(DemandTree.AGGREGATE, 0, chunk)
    inputs = case.inputs
    trees = state(honest, aggregate_root=root)
    many = len(inputs) > ONE_TRANSACTION
    yield Lie(
        "aggregate",
        trees,
        "SumProver",
        PARTS if many else AGGREGATE,
        partial(prove_parts if many else prove_aggregate, chunk, 3, wrong, inputs, depth),
        demand=place,
        answer=partial(show_row, rows, chunk, depth),
        parts=tuple(
            partial(prove_part, chunk, 3, number, inputs, depth)
            for number in range(-(-len(inputs) // BLOCK) if many else 0)
        ),
    )
    model = np.array(case.model)
    model[chunk, BLOCKS] = np.nextafter(model[chunk, BLOCKS], np.float32(np.inf))
    trees = state(honest, model_root=compute_root(hash_rows(view_rows(model, "<f4")), depth))
    prove = partial(prove_model, chunk, BLOCKS, case.step, model, case.base_rows, depth)
    yield Lie("model", trees, "ModelProver", MODEL, prove)
    step = np.array(case.step)
    step[chunk, 3] ^= 1
    trees = state(honest, new_step_root=compute_root(hash_rows(step), depth))
    prove = partial(models.prove_step, chunk, 3, case.sums, step, depth)
    yield Lie("step", trees, "ModelProver", models.STEP, prove)


def _of_money(case: DisputedRound) -> Iterator[Lie]:
    honest = case.trees
    trees = restate(honest, rows=add(honest.rows, OTHER, 370, 16))
    prove = partial(prove_score, trees, ScoresClaim.SHARE, OTHER)
    yield Lie("share", trees, "ScoresProver", ScoresClaim.SHARE, prove)
    for name, claim, place, size in (
        ("debt", AccountsClaim.MOVED, 36, 8),
        ("reward", AccountsClaim.MOVED, 20, 16),
        ("ledger sum", AccountsClaim.TOTAL, 52, 16),
    ):
        trees = restate(honest, accounts=add(honest.accounts, OTHER, place, size))
        prove = partial(prove_account, trees, claim, OTHER)
        yield Lie(name, trees, "AccountsProver", claim, prove)
    total = int.from_bytes(honest.accounts[-1][52:68], "big")
    thief = sha256(b"thief").digest()[:20] + (1).to_bytes(16, "big") + bytes(16)
    thief += (total + 1).to_bytes(16, "big") + (2**32 - 1).to_bytes(4, "big")
    trees = restate(honest, accounts=[*honest.accounts, thief])
    prove = partial(prove_account, trees, AccountsClaim.UNMOVED, len(honest.accounts))
    yield Lie("ledger stranger", trees, "AccountsProver", AccountsClaim.UNMOVED, prove)
    trees = restate(honest, accounts=honest.accounts[:-1])
    index = next(
        i
        for i, row in enumerate(honest.rows)
        if int.from_bytes(row[338:342], "big") == len(honest.accounts) - 1
    )
    prove = partial(prove_row, trees, RowsClaim.ACCOUNT, index)
    yield Lie("ledger dropped", trees, "RowsProver", RowsClaim.ACCOUNT, prove)
    build_tree.cache_clear()
