"""Computes a round by the protocol's transition, and takes gradients and publishes content while it does."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aggregator.publisher import Publisher
from dao.app.gradient_client import GradientClient
from dao.content import tensor_files
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Layout, Model
from dao.core.formats.manifest import (
    Manifest,
    MeasuredMetric,
    compute_loss_micros,
    compute_metric_micros,
    dump_manifest,
)
from dao.core.formats.update import Update
from dao.core.score import Scoring
from dao.core.transition import (
    RoundInputs,
    RoundOutcome,
    compute_gradient_root,
    compute_result,
    compute_round_scores,
    compute_round_weights,
    get_entries,
    settle_round,
)
from dao.core.types import ZERO_DIGEST, Address, Digest, Result
from dao.core.weigh import UpdateEntry, Weighing
from dao.errors import AppCrashed, AppError, AppTimeout, DecodeError

LOSSES = 4  # that a metric may take as long as, beyond PATIENCE
PATIENCE, MOST_PATIENCE = 5.0, 30.0  # seconds


@dataclass(frozen=True)
class RoundBase:
    """What a round starts from: the manifest of its parent (None: there is none), the model, and the one before it."""

    previous: Manifest | None
    cid: Cid
    path: Path
    model: Model
    before: Model | None  # the parent's base model

    @property
    def contents(self) -> tuple[Cid, ...]:
        """The models that a round inherits: its base model, and the parent's."""
        return (self.cid,) if self.previous is None else (self.cid, self.previous.base_model)


@dataclass(frozen=True)
class GateGradient:
    """The gate gradient, and the mean loss at the base model; and the last step (None: there is none), which scores ask for later."""

    cid: Cid
    gradient: Gradient
    root: Digest
    loss: float
    last_step: Gradient | None
    step_root: Digest


@dataclass(frozen=True)
class RoundJob:
    """A round to compute: its inputs, and the content that they name."""

    inputs: RoundInputs
    base: RoundBase
    updates: Mapping[Address, Update]  # of the valid reveals, decoded
    shard: Path


@dataclass(frozen=True)
class Settlement:
    """A round's outcome, ready to be posted, and what the next round starts from."""

    manifest: Manifest
    manifest_cid: Cid
    result: Result
    base: RoundBase


class RoundComputer:
    """Computes rounds with one evaluator; what comes out goes to the publisher."""

    def __init__(
        self,
        evaluator: GradientClient,
        publisher: Publisher,
        scratch: Path,
        report: Callable[..., None] = lambda _event, **_: None,
        metric: str | None = None,
    ) -> None:
        """`report` hears why a metric could not be had; `metric` is measured as long as no card names another, or none."""
        scratch.mkdir(parents=True, exist_ok=True)
        self._evaluator, self._publisher, self._scratch = evaluator, publisher, scratch
        self._report, self._metric = report, metric
        self._card: Digest | None = None  # that the app runs with

    async def gate(
        self, base: RoundBase, shard: Path, depth: int, card: Digest | None = None
    ) -> GateGradient:
        """Take the gate gradient of a round at its base model, and the last step, with roots of this depth.

        All that is known before updates come, so that it is done while they do.

        From here on the app runs with the settings and the frozen base of this card, if there is one.
        """
        if card is not None and card != self._card:
            stated = await self._publisher.fetch_card(card)
            await self._evaluator.configure(stated.settings, await self._publisher.fetch_frozen_base(stated))
            self._card, self._metric = card, stated.metric.name if stated.metric else None
        evaluated, (step, step_root) = await asyncio.gather(
            self._evaluator.gate_gradient(base.path, shard),
            asyncio.to_thread(self._write_last_step, base, depth),
        )
        path, gradient = await self._quantise(evaluated.path, base.model.layout, "gate.cwg")
        cid, root = await asyncio.gather(
            self._publisher.put_file(path), asyncio.to_thread(compute_body_root, gradient.body, depth)
        )
        return GateGradient(cid, gradient, root, evaluated.loss, step, step_root)

    async def settle(
        self, job: RoundJob, gate: GateGradient, announce: Callable[[Digest, Digest], None]
    ) -> Settlement:
        """Compute and publish all of a round but its chain's part.

        `announce` hears of the new model and the step to it, by digest, once they can be had.
        """
        inputs, entries = job.inputs, get_entries(job.inputs, job.updates)
        weighing = await asyncio.to_thread(
            compute_round_weights, inputs, entries, gate.gradient, tensor_files.each
        )
        scratch_step, scratch_model = self._scratch / "step", self._scratch / "model"
        aggregate = await asyncio.to_thread(
            tensor_files.write_new_model,
            *(inputs, entries, weighing, job.base.model, scratch_step, scratch_model),
        )
        try:
            (step, new), graded = await asyncio.gather(
                self._keep_model(job, scratch_step, scratch_model, announce),
                self._grade(job, gate, entries, weighing, scratch_model),
            )
        finally:
            scratch_model.unlink()
        outcome = RoundOutcome(
            weighing=weighing,
            scoring=graded.scoring,
            aggregate=aggregate,
            gate_root=gate.root if graded.cid else ZERO_DIGEST,
            gradient_root=graded.root,
            step_root=gate.step_root if graded.cid else ZERO_DIGEST,
            model=new.cid,
            step=step,
            gate_gradient=gate.cid if graded.cid else None,
            gradient=graded.cid,
            loss_before=compute_loss_micros(gate.loss),
            loss_after=compute_loss_micros(graded.loss),
            metric=graded.metric,
        )
        manifest = settle_round(inputs, outcome)
        manifest_cid = await self._publisher.put_for_good(dump_manifest(manifest))
        result = compute_result(manifest, inputs.forced, new.cid.digest, manifest_cid.digest)
        return Settlement(manifest, manifest_cid, result, replace(new, previous=manifest))

    async def _keep_model(
        self, job: RoundJob, step: Path, path: Path, announce: Callable[[Digest, Digest], None]
    ) -> tuple[Cid, RoundBase]:
        """Store step and model, this under another name of the same file, which the evaluator has open meanwhile."""
        link = path.with_name("model.store")
        link.unlink(missing_ok=True)
        os.link(path, link)
        step_cid, cid = await asyncio.gather(self._publisher.put_file(step), self._publisher.put_file(link))
        announce(cid.digest, step_cid.digest)
        stored = self._publisher.path_of(cid)
        model = await asyncio.to_thread(tensor_files.open_model, stored)
        return step_cid, RoundBase(job.base.previous, cid, stored, model, job.base.model)

    async def _grade(
        self,
        job: RoundJob,
        gate: GateGradient,
        entries: Sequence[UpdateEntry],
        weighing: Weighing,
        model: Path,
    ) -> "_Graded":
        """Take the reference gradient, loss and metric after the round; compute the gradient's root and the scores."""
        if not entries:
            loss, metric = await self._measure(job, model)
            return _Graded(None, ZERO_DIGEST, loss, metric, Scoring(()))
        evaluated = await self._evaluator.reference_gradient(job.base.path, model, job.shard)

        async def score() -> tuple[Cid, Digest, Scoring]:
            path, gradient = await self._quantise(evaluated.path, job.base.model.layout, "reference.cwg")
            return await asyncio.gather(
                self._publisher.put_file(path),
                asyncio.to_thread(compute_gradient_root, gradient, job.inputs.rules.body_depth),
                asyncio.to_thread(
                    compute_round_scores,
                    *(job.inputs, entries, weighing, gradient, gate.last_step, tensor_files.each),
                ),
            )

        (loss, metric), (cid, root, scoring) = await asyncio.gather(self._measure(job, model), score())
        return _Graded(cid, root, loss, metric, scoring)

    async def _measure(self, job: RoundJob, model: Path) -> tuple[float, MeasuredMetric | None]:
        """Take the loss at the new model, and the metric that people read, without which a round is good too."""
        began = time.monotonic()
        loss = await self._evaluator.loss(model, job.shard)
        if (name := self._metric) is None:
            return loss, None
        limit = min(PATIENCE + LOSSES * (time.monotonic() - began), MOST_PATIENCE)
        try:
            value = await self._evaluator.metric(name, model, job.shard, limit)
            return loss, MeasuredMetric(name, compute_metric_micros(value))
        except (AppError, DecodeError) as error:
            ending = ""
            # the process starts anew, which each round would wait for
            if isinstance(error, AppCrashed | AppTimeout):
                self._metric, ending = None, "; it is not measured again before the card changes"
            self._report("trouble", round=job.inputs.round, error=f"{error}{ending}")
        return loss, None

    def _write_last_step(self, base: RoundBase, depth: int) -> tuple[Gradient | None, Digest]:
        step = None
        if base.before is not None:
            step = tensor_files.write_step(base.before, base.model, self._scratch / "step.cwg")
        return step, compute_gradient_root(step, depth)

    async def _quantise(self, floats: Path, layout: Layout, name: str) -> tuple[Path, Gradient]:
        path = self._scratch / name
        return path, await asyncio.to_thread(tensor_files.write_gradient, floats, layout, path)


@dataclass(frozen=True)
class _Graded:
    cid: Cid | None
    root: Digest
    loss: float
    metric: MeasuredMetric | None
    scoring: Scoring
