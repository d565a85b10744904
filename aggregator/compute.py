"""The arithmetic of a round, step by step: gate gradient, weights, new model, reference gradient, scores, settlement."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.publisher import Publisher
from dao.app.gradient_client import GradientClient
from dao.content import tensor_files
from dao.core.commits import CommitRecord, NodeCommitment
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Layout, Model
from dao.core.formats.manifest import Manifest, Shard, dump_manifest
from dao.core.formats.update import Update
from dao.core.merkle import compute_body_root
from dao.core.round_machine import compute_counted_stake
from dao.core.score import compute_scores
from dao.core.settle import RoundFacts, compute_loss_micros, compute_result, settle_round
from dao.core.types import ZERO_DIGEST, Address, Digest, Domain, MicroScore, Result, RoundId, Rules, TaskId
from dao.core.weigh import UpdateEntry, Weighing, compute_weights


@dataclass(frozen=True)
class BaseModel:
    """What a round starts from: the manifest of its parent (None: there is none) and the model."""

    previous: Manifest | None
    cid: Cid
    path: Path
    model: Model


@dataclass(frozen=True)
class GateGradient:
    """The gate gradient, and the mean loss at the base model."""

    cid: Cid
    gradient: Gradient
    loss: float


@dataclass(frozen=True)
class RoundInputs:
    """All that chain, nodes and shards say of a round before its arithmetic begins."""

    domain: Domain
    distributor: Address
    task: TaskId
    round: RoundId
    rules: Rules
    base: BaseModel
    seed: Digest
    shard: Shard
    shard_path: Path
    commits: Sequence[CommitRecord]
    updates: Mapping[Address, Update]  # of the valid reveals, decoded
    absent: dict[Address, Address]  # node → owner
    forced: Sequence[NodeCommitment]


@dataclass(frozen=True)
class Settlement:
    """A round's outcome, ready to be posted, and what the next round starts from."""

    manifest: Manifest
    manifest_cid: Cid
    result: Result
    base: BaseModel


class RoundComputer:
    """Computes rounds with one evaluator; what comes out goes to the publisher."""

    def __init__(self, evaluator: GradientClient, publisher: Publisher, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._evaluator, self._publisher, self._scratch = evaluator, publisher, scratch

    async def gate(self, base: BaseModel, shard: Path) -> GateGradient:
        """Take the gate gradient of a round at its base model."""
        evaluated = await self._evaluator.gate_gradient(base.path, shard)
        path, gradient = await self._quantise(evaluated.path, base.model.layout, "gate.cwg")
        return GateGradient(await self._publisher.put_file(path), gradient, evaluated.loss)

    async def settle(
        self, inputs: RoundInputs, gate: GateGradient, announce: Callable[[Digest], None]
    ) -> Settlement:
        """Compute and publish all of a round but its chain's part; `announce` the new model once it can be had."""
        entries = _build_entries(inputs)
        weighing = await asyncio.to_thread(_weigh, inputs, entries, gate)
        aggregate_root, scratch_model = await self._aggregate(inputs, entries, weighing)
        try:
            new, graded = await asyncio.gather(
                self._keep_model(inputs, scratch_model, announce),
                self._grade(inputs, entries, weighing, scratch_model),
            )
        finally:
            scratch_model.unlink()
        return await self._close(inputs, gate, weighing, aggregate_root, new, graded)

    async def _aggregate(
        self, inputs: RoundInputs, entries: Sequence[UpdateEntry], weighing: Weighing
    ) -> tuple[Digest, Path]:
        path = self._scratch / "model"
        root = await asyncio.to_thread(
            tensor_files.write_model, entries, weighing, inputs.base.model, path, inputs.rules.body_depth
        )
        return root, path

    async def _keep_model(
        self, inputs: RoundInputs, path: Path, announce: Callable[[Digest], None]
    ) -> BaseModel:
        """Store the new model under another name of the same file, which the evaluator has open meanwhile."""
        link = path.with_name("model.store")
        link.unlink(missing_ok=True)
        os.link(path, link)
        cid = await self._publisher.put_file(link)
        announce(cid.digest)
        stored = self._publisher.path_of(cid)
        return BaseModel(
            inputs.base.previous, cid, stored, await asyncio.to_thread(tensor_files.open_model, stored)
        )

    async def _grade(
        self, inputs: RoundInputs, entries: Sequence[UpdateEntry], weighing: Weighing, model: Path
    ) -> "_Graded":
        """Reference gradient, its root, the loss after the round, scores."""
        if not entries:
            loss = await self._evaluator.loss(model, inputs.shard_path)
            return _Graded(None, ZERO_DIGEST, loss, {})
        evaluated = await self._evaluator.reference_gradient(inputs.base.path, model, inputs.shard_path)

        async def score() -> tuple[Cid, Digest, list[MicroScore]]:
            path, gradient = await self._quantise(evaluated.path, inputs.base.model.layout, "reference.cwg")
            weights = weighing.weights, weighing.weight_sum
            return await asyncio.gather(
                self._publisher.put_file(path),
                asyncio.to_thread(compute_body_root, gradient.body, inputs.rules.body_depth),
                asyncio.to_thread(compute_scores, entries, *weights, gradient, tensor_files.each),
            )

        loss, (cid, root, micros) = await asyncio.gather(
            self._evaluator.loss(model, inputs.shard_path), score()
        )
        return _Graded(cid, root, loss, dict(zip([entry.node for entry in entries], micros, strict=True)))

    async def _close(
        self,
        inputs: RoundInputs,
        gate: GateGradient,
        weighing: Weighing,
        aggregate_root: Digest,
        new: BaseModel,
        graded: "_Graded",
    ) -> Settlement:
        facts = RoundFacts(
            domain=inputs.domain,
            distributor=inputs.distributor,
            task=inputs.task,
            round=inputs.round,
            codec=inputs.rules.codec,
            values=inputs.base.model.layout.values,
            seed=inputs.seed,
            budget=inputs.rules.round_budget,
            base_model=inputs.base.cid,
            model=new.cid,
            gate_gradient=gate.cid if graded.cid else None,
            gradient=graded.cid,
            aggregate_root=aggregate_root,
            gradient_root=graded.root,
            shard=inputs.shard,
            weight_sum=weighing.weight_sum,
            loss_before=compute_loss_micros(gate.loss),
            loss_after=compute_loss_micros(graded.loss),
            forced=inputs.forced,
        )
        weighed = {node.node: node for node in weighing.nodes}
        manifest = settle_round(
            facts, inputs.base.previous, inputs.commits, weighed, graded.scores, inputs.absent
        )
        manifest_cid = await self._publisher.put_bytes(dump_manifest(manifest))
        return Settlement(
            manifest,
            manifest_cid,
            compute_result(manifest, inputs.forced, new.cid.digest, manifest_cid.digest),
            BaseModel(manifest, new.cid, new.path, new.model),
        )

    async def _quantise(self, floats: Path, layout: Layout, name: str) -> tuple[Path, Gradient]:
        path = self._scratch / name
        return path, await asyncio.to_thread(tensor_files.write_gradient, floats, layout, path)


@dataclass(frozen=True)
class _Graded:
    cid: Cid | None
    root: Digest
    loss: float
    scores: dict[Address, MicroScore]


def _build_entries(inputs: RoundInputs) -> list[UpdateEntry]:
    """Return the updates that count, with the stake behind each."""
    return [
        UpdateEntry(
            commit.node, compute_counted_stake(inputs.rules, commit.member.stake), inputs.updates[commit.node]
        )
        for commit in inputs.commits
        if commit.failure is None
    ]


def _weigh(inputs: RoundInputs, entries: Sequence[UpdateEntry], gate: GateGradient) -> Weighing:
    previous = inputs.base.previous
    memories = {memory.node: memory.memory for memory in previous.memories} if previous else {}
    return compute_weights(entries, gate.gradient, memories, tensor_files.each)
