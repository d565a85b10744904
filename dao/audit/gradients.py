"""Judges the two gradients of a result, which no prover can: computes both again with the app, and compares."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from dao.app.gradient_client import GradientClient
from dao.audit.evidence import fetch, read_manifest
from dao.audit.findings import Missing
from dao.audit.posted_round import PostedRound, read_posted
from dao.audit.round_content import RoundContent
from dao.chain.client import Chain
from dao.content import tensor_files
from dao.core.constants import GRADIENT_TOLERANCE
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.products import compute_distance
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Layout
from dao.core.formats.manifest import Manifest
from dao.core.statement import compute_statement, compute_statement_hash
from dao.core.types import RoundId, TaskId
from dao.errors import AppError, ContentError, DecodeError, RuleError
from dao.runtime.file_links import link_or_copy
from dao.store.source import Source

TRIES = 3  # to hold a content that a store drops
NAMES = {True: "gate gradient", False: "reference gradient"}  # by whether it is that of the gate


@dataclass(frozen=True, slots=True)
class GradientJudgement:
    """Whether a gradient of a result is wrong, and why. `is_missing`: it, or what it follows from, cannot be had."""

    is_wrong: bool
    words: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class _Published:
    """What the two gradients were published as, and what they should follow from."""

    gradients: dict[bool, Gradient]
    layout: Layout
    base: Path
    model: Path
    shard: Path


async def judge_gradients(
    chain: Chain,
    source: Source,
    task: TaskId,
    round_id: RoundId,
    evaluator: GradientClient,
    scratch: Path,
) -> GradientJudgement:
    """Compute the gradients of a posted result again, on its shard, at its base model and along its step.

    Missing where the chain's node hides the result, AppError where the app cannot be run here: neither says anything of
    the result.
    """
    posted = await read_posted(chain, (task, round_id), chain.final(), everyone=False)
    try:
        published = await _open_published(posted, source, scratch)
        if published is None:
            return GradientJudgement(is_wrong=False, words="there is no valid update, and no gradient")
        distances = {
            gate: await _measure(published, evaluator, scratch, gate=gate) for gate in published.gradients
        }
    except (ContentError, Missing) as error:
        return GradientJudgement(is_wrong=True, words=str(error), is_missing=True)
    except (DecodeError, RuleError) as error:
        return GradientJudgement(is_wrong=True, words=str(error))
    words = ", ".join(f"{NAMES[gate]} {distance:.1e}" for gate, distance in distances.items())
    is_wrong = any(distance > GRADIENT_TOLERANCE for distance in distances.values())
    return GradientJudgement(
        is_wrong, f"{words} from the computed ones, at most {GRADIENT_TOLERANCE:.0e} may be"
    )


async def measure_distance(published: Gradient, floats: Path, layout: Layout, out: Path) -> float:
    """Return the relative L2 distance of a published gradient from one that an app wrote, quantised into `out`."""
    computed = await asyncio.to_thread(tensor_files.write_gradient, floats, layout, out)
    return await asyncio.to_thread(compute_distance, published, computed, tensor_files.each)


async def _measure(published: _Published, evaluator: GradientClient, scratch: Path, *, gate: bool) -> float:
    if gate:
        evaluated = await evaluator.gate_gradient(published.base, published.shard)
    else:
        evaluated = await evaluator.reference_gradient(published.base, published.model, published.shard)
    return await measure_distance(
        published.gradients[gate], evaluated.path, published.layout, scratch / "computed"
    )


async def _open_published(posted: PostedRound, source: Source, scratch: Path) -> _Published | None:
    """Open what a result binds; None where it has no gradients. RuleError where the content is not what it binds."""
    result, rules = posted.result, posted.rules
    manifest = await read_manifest(source, result.manifest_digest)
    _require_stated(posted, manifest)
    if not result.inputs:
        return None
    content = RoundContent(manifest, None, rules.codec, source, scratch)
    gradients = {gate: await content.open_gradient(gate=gate) for gate in (True, False)}
    for gate, root in ((True, manifest.roots.gate), (False, manifest.roots.gradient)):
        if await asyncio.to_thread(compute_body_root, gradients[gate].body, rules.body_depth) != root:
            raise RuleError(
                f"{NAMES[gate]}: the content that is published has another root than the result states"
            )
    shard = manifest.shard
    if not shard.is_under(rules.validation_root):
        raise RuleError(f"shard {shard.index}: it is not under the task's validation root")
    return _Published(
        gradients,
        (await content.open_base()).layout,
        await _hold(source, "base model", manifest.base_model, scratch),
        await _hold(source, "model", manifest.model, scratch),
        await _hold(source, f"shard {shard.index}", shard.cid, scratch),
    )


async def _hold(source: Source, what: str, content: Cid, scratch: Path) -> Path:
    """Fetch a content, and have it in a folder of one's own, for a store drops the models of earlier rounds."""
    held = scratch / content.digest.hex()
    for tries_left in reversed(range(TRIES)):
        try:
            if not held.exists():
                await asyncio.to_thread(link_or_copy, await fetch(source, what, content), held)
        except FileNotFoundError:  # dropped in this very moment
            if not tries_left:
                raise Missing(f"{what}: the store drops it again and again") from None
        except OSError as error:
            raise AppError(f"{what}: cannot be held in {scratch}: {error.strerror}") from None
    return held


def _require_stated(posted: PostedRound, manifest: Manifest) -> None:
    """Raise RuleError where a manifest states other roots or models than the result."""
    base = posted.parent.model_digest if posted.parent else posted.rules.base_model
    stated = (
        (compute_statement_hash(compute_statement(manifest)), posted.result.statement, "roots"),
        (manifest.model.digest, posted.result.model_digest, "new model"),
        (manifest.base_model.digest, base, "base model"),
    )
    for said, true, what in stated:
        if said != true:
            raise RuleError(f"round {manifest.round}: its manifest has another {what} than the result")
