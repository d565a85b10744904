"""Checks that need the round's content: updates, shard, models, gradients. All arithmetic is the core's."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dao.app.gradient_client import GradientClient, GradientFile
from dao.audit.evidence import Evidence, fetch
from dao.audit.findings import Differs, Missing, expect
from dao.audit.replay import build_outcome
from dao.audit.statement_checks import get_inputs
from dao.content import tensor_files
from dao.core.commits import FAILED, MISSING
from dao.core.constants import GRADIENT_TOLERANCE, LOSS_TOLERANCE, METRIC_TOLERANCE, MILLION
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.products import compute_distance
from dao.core.formats.card import Card
from dao.core.formats.cid import Cid
from dao.core.formats.fault import find_fault
from dao.core.formats.gradient import Gradient, compute_gradient_size
from dao.core.formats.layout import Model, compute_model_root
from dao.core.formats.manifest import Manifest, Node, compute_loss_micros, compute_metric_micros
from dao.core.formats.update import Update
from dao.core.round_machine import compute_counted_stake
from dao.core.transition import (
    compute_gradient_root,
    compute_round_scores,
    compute_round_weights,
    get_entries,
)
from dao.core.types import Address, Digest, Phase, Status, hex_of
from dao.core.weigh import UpdateEntry
from dao.errors import AppError, DecodeError
from dao.gov.card_words import shorten
from dao.store.source import Source

T = TypeVar("T")

WEIGHT_FIELDS = {  # of a NodeWeight: as the manifest calls it
    **{name: name for name in ("unit_weight", "weight", "gate_dot", "square", "cosine", "memory", "status")},
    "totals_root": "gate_totals",
}
SCORE_FIELDS = {"score": "score", "dot": "dot", "step_dot": "step_dot", "totals_root": "score_totals"}


OLD = (
    "; the round is decided, and a Superlink keeps such content for its newest rounds alone: name one who kept more, "
    "by --store, --ipfs or --gateway"
)


class ContentChecks:
    """What the checks have fetched and opened so far; each check leaves here what the next ones need."""

    def __init__(
        self, record: Evidence, manifest: Manifest, previous: Manifest | None, source: Source, scratch: Path
    ) -> None:
        self.record, self.manifest = record, manifest
        self.inputs, self.outcome = get_inputs(record, manifest, previous), build_outcome(manifest)
        self.previous, self.source, self.scratch = previous, source, scratch
        self.evaluator: GradientClient | None = None
        self.card: Card | None = None
        self._base: tuple[Path, Model] | None = None
        self._model: Path | None = None
        self._shard: Path | None = None
        self._updates: dict[Address, Update] | None = None
        self._gate: Gradient | None = None
        self._reference: Gradient | None = None

    # fetching

    async def fetch(self, what: str, content: Cid | Digest, limit: int | None = None) -> Path:
        """A content's file, as `dao.audit.evidence.fetch` has it; Missing says where that of an old round may be."""
        try:
            return await fetch(self.source, what, content, limit)
        except Missing as error:
            is_old = self.record.state.phase in (Phase.FINALIZED, Phase.VOID)
            raise Missing(f"{error}{OLD if is_old else ''}") from None

    @property
    def base(self) -> tuple[Path, Model]:
        """The base model's file and values."""
        return _needed(self._base, "the base model")

    @property
    def updates(self) -> dict[Address, Update]:
        """Updates by node, of all that count."""
        return _needed(self._updates, "the updates")

    @property
    def counted(self) -> list[Node]:
        """Nodes whose update was weighed."""
        return [node for node in self.manifest.nodes if node.status not in FAILED]

    def entries(self) -> list[UpdateEntry]:
        """The updates as the arithmetic takes them."""
        return get_entries(self.inputs, self.updates)

    # checks, in order

    async def check_base(self) -> str:
        """The base model is there, and has the number of values stated."""
        path = await self.fetch("base model", self.manifest.base_model)
        model = await asyncio.to_thread(tensor_files.open_model, path)
        self._base = (path, model)
        values = model.layout.values
        expect(
            self.manifest.values == values, f"{self.manifest.values} values stated, the model has {values}"
        )
        rules, previous = self.record.rules, self.previous
        scored = model.layout.scored_chunks
        expect(
            scored == rules.scored_chunks,
            f"{scored} chunks of scored tensors, the task has {rules.scored_chunks}",
        )
        if previous or not self.record.parent:  # a parent without its manifest is unchecked as such
            stated = previous.roots.model if previous else rules.base_model_root
            root = await asyncio.to_thread(compute_model_root, model, rules.body_depth, tensor_files.each)
            expect(root == stated, f"root over its chunks {hex_of(root)}, another is stated")
        return f"{model.layout.size} values, {self.manifest.base_model}"

    async def check_updates(self) -> str:
        """Every update that counts is there, decodes, and has the body root stated; every invalid one is invalid."""
        layout, codec = self.base[1].layout, self.record.rules.codec
        limit, depth = tensor_files.compute_update_limit(layout, codec), self.record.rules.body_depth
        opened: dict[Address, Update] = {}
        for node in self.manifest.nodes:
            if node.cid is None or node.status in MISSING:
                continue
            who = f"node {hex_of(node.node)}"
            try:
                path = await self.fetch(f"{who}: update", node.cid, limit)
                update = await asyncio.to_thread(tensor_files.open_update, path, layout, codec)
                root = await asyncio.to_thread(compute_body_root, update.body, depth)
            except DecodeError as error:
                expect(
                    node.status is Status.INVALID,
                    f"{who}: is {node.status}, but its update is not valid: {error}",
                )
                is_too_small = compute_counted_stake(self.record.rules, node.stake) == 0
                fault = None if is_too_small else find_fault(error)
                expect(node.fault == fault, f"{who}: fault {node.fault} stated, it is {fault}")
                continue
            is_valid = root == node.body_root and compute_counted_stake(self.record.rules, node.stake) > 0
            expect(
                is_valid or node.status is Status.INVALID,
                f"{who}: body root {hex_of(root)}, another is stated",
            )
            expect(
                not is_valid or node.status is not Status.INVALID, f"{who}: stated as invalid, and is valid"
            )
            expect(node.fault is None, f"{who}: fault {node.fault} stated, the update has none")
            if is_valid:
                opened[node.node] = update
        missing = [node for node in self.counted if node.node not in opened]
        if missing:
            raise Differs(f"node {hex_of(missing[0].node)}: counted without a valid update")
        self._updates = opened
        return f"{len(opened)} updates, {len(self.manifest.nodes) - len(opened)} without{await self._find_available(limit)}"

    async def _find_available(self, limit: int) -> str:
        """Name the updates that are stated as unavailable, and can be had now: no proof, but a reason to ask."""
        found = []
        for node in self.manifest.nodes:
            if node.status is Status.UNAVAILABLE and node.cid is not None:
                with suppress(Missing, DecodeError):
                    await self.fetch("update", node.cid.digest, limit)
                    found.append(hex_of(node.node))
        return f"; stated as unavailable, and here now: {' '.join(found)}" if found else ""

    async def check_shard(self) -> str:
        """The shard is under the task's validation root, and there."""
        shard = self.manifest.shard
        is_known = shard.is_under(self.record.rules.validation_root)
        expect(is_known, f"shard {shard.index}: {shard.cid} is not under the task's validation root")
        self._shard = await self.fetch(f"shard {shard.index}", shard.cid)
        return f"shard {shard.index}, {shard.cid}"

    async def check_gate(self) -> str:
        """The gate gradient is the app's at the base model, within the tolerance."""
        published = await self._gradient("gate gradient", self.manifest.gate_gradient)
        await self._expect_root("gate gradient", published, self.manifest.roots.gate)
        if published is None:
            return "none, as there is no valid update"
        self._gate = published
        evaluator, shard = _needed(self.evaluator, "the app"), _needed(self._shard, "the shard")
        evaluated = await _evaluated(evaluator.gate_gradient(self.base[0], shard))
        return await self._compare("gate gradient", published, evaluated)

    async def check_weights(self) -> str:
        """Weights, gate and clip follow bit by bit from updates, stakes, memories and the gate gradient."""
        entries = self.entries()
        gate = _needed(self._gate, "the gate gradient") if entries else None
        computed = await asyncio.to_thread(
            compute_round_weights, self.inputs, entries, gate, tensor_files.each
        )
        stated = {weight.node: weight for weight in self.outcome.weighing.nodes}
        for weighed in computed.nodes:
            for name, shown in WEIGHT_FIELDS.items():
                said, true = getattr(stated[weighed.node], name), getattr(weighed, name)
                expect(said == true, _differ(f"node {hex_of(weighed.node)}: {shown}", said, true))
        said, true = self.manifest.roots.gate_totals, computed.gate_totals
        expect(said == true, _differ("gate totals", said, true))
        for name in ("weight_sum", "gate_square", "norm_median"):
            said, true = getattr(self.manifest, name), getattr(computed, name)
            expect(said == true, f"{name.replace('_', ' ')} {said} stated, computed {true}")
        return f"{len(stated)} weights, sum {computed.weight_sum}"

    async def check_model(self) -> str:
        """The step, the new model, their roots and the aggregate's follow bit by bit from weights and updates."""
        step, out = self.scratch / "new-step", self.scratch / "model"
        entries, weighing = self.entries(), self.outcome.weighing
        roots = await asyncio.to_thread(
            tensor_files.write_new_model, self.inputs, entries, weighing, self.base[1], step, out
        )
        cid, step_cid = [await asyncio.to_thread(tensor_files.compute_cid, path) for path in (out, step)]
        self._model = out
        stated = self.manifest.roots
        expect(roots.sums == stated.aggregate, f"aggregate root {hex_of(roots.sums)}, another is stated")
        expect(cid.digest == self.record.result.model_digest, f"the model is {cid}, another is stated")
        expect(roots.step == stated.new_step, f"step root {hex_of(roots.step)}, another is stated")
        expect(step_cid == self.manifest.step, f"the step is {step_cid}, {self.manifest.step} is stated")
        expect(roots.model == stated.model, f"model root {hex_of(roots.model)}, another is stated")
        return f"{cid}, aggregate {hex_of(roots.sums)}"

    async def check_reference(self) -> str:
        """The reference gradient is the app's between the two models, within the tolerance, and bound by its root."""
        published = await self._gradient("reference gradient", self.manifest.gradient)
        await self._expect_root("reference gradient", published, self.manifest.roots.gradient)
        if published is None:
            return "none, as there is no valid update"
        self._reference = published
        model, shard = _needed(self._model, "the new model"), _needed(self._shard, "the shard")
        evaluator = _needed(self.evaluator, "the app")
        evaluated = await _evaluated(evaluator.reference_gradient(self.base[0], model, shard))
        return await self._compare("reference gradient", published, evaluated)

    async def check_scores(self) -> str:
        """Scores follow bit by bit from updates, weights, the reference gradient and the last step."""
        entries = self.entries()
        reference = _needed(self._reference, "the reference gradient") if entries else None
        last_step = await self._write_last_step()
        await self._expect_root("last step", last_step if entries else None, self.manifest.roots.step)
        computed = await asyncio.to_thread(
            compute_round_scores,
            self.inputs,
            entries,
            self.outcome.weighing,
            reference,
            last_step,
            tensor_files.each,
        )
        stated = {node.node: node for node in self.counted}
        for scored in computed.nodes:
            for name, shown in SCORE_FIELDS.items():
                said, true = getattr(stated[scored.node], shown), getattr(scored, name)
                expect(said == true, _differ(f"node {hex_of(scored.node)}: {shown}", said, true))
        said, true = self.manifest.roots.step_totals, computed.step_totals
        expect(said == true, _differ("step totals", said, true))
        for name in ("gradient_along", "step_square", "along_median"):
            said, true = getattr(self.manifest, name), getattr(computed, name)
            expect(said == true, f"{name.replace('_', ' ')} {said} stated, computed {true}")
        total = sum(scored.score for scored in computed.nodes)
        return f"{len(computed.nodes)} scores, {total} millionths of loss"

    async def check_losses(self) -> str:
        """The losses before and after are the app's, within the tolerance."""
        evaluator, shard = _needed(self.evaluator, "the app"), _needed(self._shard, "the shard")
        model = _needed(self._model, "the new model")
        stated = (
            ("before", self.base[0], self.manifest.loss_before),
            ("after", model, self.manifest.loss_after),
        )
        for when, path, said in stated:
            loss = compute_loss_micros(await _evaluated(evaluator.loss(path, shard)))
            is_near = abs(said - loss) <= max(LOSS_TOLERANCE * abs(loss), 1)
            expect(is_near, f"loss {when} the round: {said} millionths stated, computed {loss}")
        return f"{self.manifest.loss_before} to {self.manifest.loss_after} millionths"

    async def check_metric(self) -> str:
        """The metric that is stated is the one that the card names, and the app's, within the tolerance.

        A round without is right, too: nobody but the Superlink knows how the app fared there.
        """
        named = _needed(self.card, "the card").metric
        if (stated := self.manifest.metric) is None:
            return "the card names none" if named is None else f"none is stated of {shorten(named.name)}"
        name = shorten(stated.name)
        expect(
            named is not None and named.name == stated.name, f"metric {name}: the card names another, or none"
        )
        evaluator, shard = _needed(self.evaluator, "the app"), _needed(self._shard, "the shard")
        model = _needed(self._model, "the new model")
        value = compute_metric_micros(await _evaluated(evaluator.metric(stated.name, model, shard)))
        expect(
            METRIC_TOLERANCE * abs(stated.value - value) <= max(abs(value), MILLION),
            f"metric {name}: {stated.value} millionths stated, computed {value}",
        )
        return f"{name} {stated.value} millionths"

    # parts

    async def _write_last_step(self) -> Gradient | None:
        if self.previous is None:
            return None
        path = await self.fetch("the parent's base model", self.previous.base_model)
        before = await asyncio.to_thread(tensor_files.open_model, path)
        return await asyncio.to_thread(tensor_files.write_step, before, self.base[1], self.scratch / "step")

    async def _gradient(self, what: str, cid: Cid | None) -> Gradient | None:
        expect((cid is None) == (not self.counted), f"{what}: expected one just when there is a valid update")
        if cid is None:
            return None
        layout = self.base[1].layout
        path = await self.fetch(what, cid, compute_gradient_size(layout.scored_values))
        return await asyncio.to_thread(tensor_files.open_gradient, path, layout)

    async def _expect_root(self, what: str, published: Gradient | None, stated: Digest) -> None:
        root = await asyncio.to_thread(compute_gradient_root, published, self.inputs.rules.body_depth)
        expect(root == stated, f"{what}: root {hex_of(root)}, another is stated")

    async def _compare(self, what: str, published: Gradient, evaluated: GradientFile) -> str:
        write, out = tensor_files.write_gradient, self.scratch / "gradient"
        computed = await asyncio.to_thread(write, evaluated.path, self.base[1].layout, out)
        distance = await asyncio.to_thread(compute_distance, published, computed, tensor_files.each)
        expect(
            distance <= GRADIENT_TOLERANCE,
            f"{what}: {distance:.2e} from the computed one, at most {GRADIENT_TOLERANCE:.0e} may be",
        )
        return f"{distance:.1e} from the computed one"


def _differ(what: str, stated: object, computed: object) -> str:
    said, true = (hex_of(value) if isinstance(value, bytes) else value for value in (stated, computed))
    return f"{what} {said} stated, computed {true}"


def _needed(value: T | None, what: str) -> T:
    if value is None:
        raise Missing(f"needs {what}, which an earlier check did not get")
    return value


async def _evaluated(work: Awaitable[T]) -> T:
    try:
        return await work
    except AppError as error:
        raise Missing(f"the app could not be evaluated here: {error}") from None
