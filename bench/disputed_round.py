"""A round to lie about: real trees over made-up updates of any number of nodes, which all commit to the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dao.chain.signer import Signer
from dao.content import tensor_files
from dao.core.commits import CommitRecord, Reveal, SignedCommit
from dao.core.constants import CHUNK, SHARDS_DEPTH
from dao.core.engine.chunking import Scratch
from dao.core.engine.merkle import Tree, compute_body_root
from dao.core.engine.products import compute_dots, compute_update_square, compute_weighted_sum
from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import FLOAT, Layout, Model
from dao.core.formats.manifest import Shard
from dao.core.formats.round_rows import encode_shards
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.formats.update import Update, encode_update_rows
from dao.core.round_machine import draw_shard
from dao.core.statement import compute_statement_hash
from dao.core.transition import (
    PreState,
    RoundInputs,
    RoundOutcome,
    compute_gradient_root,
    compute_result,
    compute_round_model,
    compute_round_scores,
    compute_round_weights,
    get_entries,
    settle_round,
)
from dao.core.types import (
    Address,
    Codec,
    Digest,
    Domain,
    Member,
    Result,
    RoundId,
    Rules,
    Signature,
    Statement,
    TaskId,
    Wei,
)
from dao.proofs.openings import Rows
from dao.proofs.round_trees import RoundTrees, build_tree, build_trees
from dao.proofs.sums import SumInput
from dao.store.cid import cid_of_bytes

Leaves = Sequence[bytes]
TOKEN = 10**18
STAKE = Wei(100 * TOKEN)
CONTENT = cid_of_bytes(b"made up")  # no content is fetched
SHARD_COUNT = 100
SHARDS = Tree([CONTENT.digest] * SHARD_COUNT, SHARDS_DEPTH)


@dataclass(frozen=True)
class MadeUp:
    """What a round is computed from: base model, the update that all send, and a gradient that it follows."""

    base: Model
    update: Update
    gradient: Gradient

    @classmethod
    def make(cls, mb: int) -> MadeUp:
        """Make a model of `mb` million bytes of float32."""
        layout = Layout.of({"weights": (mb * 250_000,)})
        dice = np.random.Generator(np.random.Philox(7))
        base = dice.standard_normal(layout.size, np.float32)
        way = dice.standard_normal(layout.size, np.float32)
        trained = base + np.float32(0.001) * way
        body = encode_update_rows(
            Model(layout, base.astype(FLOAT)),
            Model(layout, trained.astype(FLOAT)),
            Codec.INT8,
            tensor_files.each,
        )
        slope = quantise_gradient(Model(layout, (np.float32(0.001) * way).astype(FLOAT)), tensor_files.each)
        return cls(Model(layout, base.astype(FLOAT)), Update(layout, Codec.INT8, body), Gradient(slope))

    @property
    def depth(self) -> int:
        """The least depth of trees over its chunks."""
        return max(1, (self.base.layout.chunks - 1).bit_length())


def make_key(name: str, number: int) -> Signer:
    """A key of its own for each node."""
    return Signer(sha256(f"{name} {number}".encode()).digest())


def make_owner(number: int) -> Address:
    """An owner that signs nothing."""
    return Address(sha256(f"owner {number}".encode()).digest()[:20])


@dataclass(frozen=True)
class DisputedRound:
    """An honest round, and what its proofs are made of."""

    contents: MadeUp
    rules: Rules
    trees: RoundTrees
    signers: Sequence[Signer]  # in the order of the rows
    step: Rows  # the new one, (chunks, leaf)
    model: NDArray[np.float32]  # the new one, (chunks, CHUNK)
    domain: Domain
    place: tuple[TaskId, RoundId, Digest]  # task, round, opening

    @classmethod
    def make(
        cls, contents: MadeUp, rules: Rules, domain: Domain, opening: Digest, count: int
    ) -> DisputedRound:
        """Settle the first round of the first task, in which so many nodes commit to the same update."""
        place = TaskId(1), RoundId(1), opening
        signers = sorted((make_key("node", i) for i in range(count)), key=lambda one: one.address)
        owners = {make_key("node", i).address: make_owner(i) for i in range(count)}
        root = compute_body_root(contents.update.body, rules.body_depth)
        records = []
        for number, signer in enumerate(signers):
            reveal = Reveal(CONTENT, root, Digest(sha256(str(number).encode()).digest()))
            digest = compute_commit_digest(domain, *place, signer.address, reveal.commitment)
            commit = SignedCommit(*place, signer.address, reveal.commitment, Signature(signer.sign(digest)))
            member = Member(owners[signer.address], STAKE)
            records.append(CommitRecord(member, commit, False, reveal, None))
        inputs = RoundInputs(
            domain=domain,
            task=place[0],
            round=place[1],
            opening=opening,
            rules=rules,
            state=PreState(),
            base_model=CONTENT,
            values=contents.base.layout.values,
            seed=Digest(bytes(32)),
            shard=Shard(0, CONTENT, tuple(SHARDS.proof(0))),
            commits=records,
            passes=[],
            absent={},
            forced=[],
        )
        return cls._settle(inputs, contents, signers)

    @classmethod
    def _settle(cls, inputs: RoundInputs, contents: MadeUp, signers: Sequence[Signer]) -> DisputedRound:
        entries = get_entries(inputs, {record.node: contents.update for record in inputs.commits})
        weighing = compute_round_weights(inputs, entries, contents.gradient, tensor_files.each)
        new, step = np.empty(contents.base.layout.size, FLOAT), np.empty_like(contents.update.body)
        roots = compute_round_model(inputs, entries, weighing, contents.base, step, new, tensor_files.each)
        slope = compute_gradient_root(contents.gradient, inputs.rules.body_depth)
        outcome = RoundOutcome(
            weighing=weighing,
            scoring=compute_round_scores(
                inputs, entries, weighing, contents.gradient, None, tensor_files.each
            ),
            aggregate=roots,
            gate_root=slope,
            gradient_root=slope,
            step_root=Digest(bytes(32)),
            model=CONTENT,
            step=CONTENT,
            gate_gradient=CONTENT,
            gradient=CONTENT,
            loss_before=2_000_000,
            loss_after=1_900_000,
            metric=None,
        )
        manifest = settle_round(inputs, outcome)
        result = compute_result(manifest, inputs.forced, CONTENT.digest, CONTENT.digest)
        values = Model(contents.base.layout, new).span(0, contents.base.layout.chunks)
        place = inputs.task, inputs.round, inputs.opening
        trees = build_trees(manifest, result, (), None)
        return cls(contents, inputs.rules, trees, signers, step, values, inputs.domain, place)

    @cached_property
    def sums(self) -> NDArray[np.int64]:
        """The aggregate, (chunks, CHUNK)."""
        chunks = self.contents.base.layout.chunks
        weights = [entry.weight for entry in self.inputs]
        one = compute_weighted_sum([self.contents.update], [sum(weights)], (0, chunks), Scratch())
        return np.array(one).reshape(chunks, CHUNK)

    @property
    def inputs(self) -> list[SumInput]:
        """What the aggregate is the sum of, in order."""
        body = self.contents.update.body
        return [
            SumInput(Address(leaf[32:52]), int.from_bytes(leaf[52:], "big"), body)
            for leaf in self.trees.inputs
        ]

    @cached_property
    def base_rows(self) -> NDArray[np.float32]:
        """The base model, (chunks, CHUNK)."""
        return self.contents.base.span(0, self.contents.base.layout.chunks)

    def compute_gate_totals(self) -> Rows:
        """The running totals of `<g0, u>` and `<u, u>`, which are those of all rows."""
        contents, each = self.contents, tensor_files.each
        dot = compute_dots(contents.gradient, [contents.update], each)[0]
        return np.concatenate([dot.words, compute_update_square(contents.update, each).words], axis=1)


def restate(trees: RoundTrees, **changes: Any) -> RoundTrees:
    """Change leaves, and state the roots and hashes of what is there then."""
    changed = replace(trees, **changes)
    statement: Statement = replace(
        changed.statement,
        rows_root=build_tree(tuple(changed.rows)).root,
        inputs_root=build_tree(tuple(changed.inputs)).root,
        medians_hash=Digest(sha256(changed.medians).digest()),
        rows=len(changed.rows),
        accounts=len(changed.accounts),
    )
    result: Result = replace(
        changed.result,
        commits_root=build_tree(tuple(changed.commits)).root,
        accounts_root=build_tree(tuple(changed.accounts)).root,
    )
    return replace(changed, statement=statement, result=result)


def state(trees: RoundTrees, **changes: Any) -> RoundTrees:
    """Change numbers or roots of the statement."""
    return replace(trees, statement=replace(trees.statement, **changes))


def finish(trees: RoundTrees, seed: Digest, past: int = 0) -> RoundTrees:
    """State the seed that the commits were closed with, its shard or one so many past it, and the statement's hash."""
    index = (draw_shard(seed, SHARD_COUNT, ()) + past) % SHARD_COUNT
    shards = encode_shards((index,), Shard(index, CONTENT, tuple(SHARDS.proof(index))))
    stated = state(trees, used_shards=Digest(sha256(shards).digest()))
    result = replace(stated.result, seed=seed, statement=compute_statement_hash(stated.statement))
    return replace(stated, result=result, shards=shards)


def add(leaves: Leaves, index: int, place: int, size: int, by: int = 1) -> list[bytes]:
    """Return leaves of which one has another number at a place."""
    leaf = leaves[index]
    number = (int.from_bytes(leaf[place : place + size], "big") + by) % (1 << 8 * size)
    changed = leaf[:place] + number.to_bytes(size, "big") + leaf[place + size :]
    return [*leaves[:index], changed, *leaves[index + 1 :]]
