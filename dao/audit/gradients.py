"""Judges the two gradients of a result, which no prover can: computes both again with the app, and compares."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dao.app.gradient_client import GradientClient
from dao.audit.evidence import TRIES, fetch, read_manifest
from dao.audit.findings import Missing
from dao.audit.posted_round import Place, PostedRound, read_posted, require_named
from dao.audit.round_content import RoundContent
from dao.chain.client import Chain
from dao.content import tensor_files
from dao.core.constants import GRADIENT_TOLERANCE
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.products import compute_distance
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Layout, compute_model_size
from dao.core.formats.manifest import Manifest
from dao.core.statement import compute_statement, compute_statement_hash
from dao.core.types import Digest, Domain, RoundId, TaskId
from dao.errors import AppError, ContentError, DecodeError, RuleError
from dao.runtime.file_links import link_or_copy
from dao.store.source import Source

NAMES = {True: "gate gradient", False: "reference gradient"}  # by whether it is that of the gate


@dataclass(frozen=True, slots=True)
class GradientJudgement:
    """Whether a gradient of a result is wrong, and why. `is_missing`: it, or what it follows from, cannot be had."""

    is_wrong: bool
    words: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a result says of its two gradients, and what they should follow from."""

    content: RoundContent
    roots: dict[bool, Digest]  # over each gradient's rows, in a tree of `depth`
    depth: int
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
    *,
    opens_all: bool,
) -> GradientJudgement:
    """Compute the gradients of a posted result again, on its shard, at its base model and along its step.

    A gradient that is computed to the very bytes that the result binds is right, unless other bytes are published for it; that it cannot
    be had counts only if `opens_all`: jurors of a case must agree on it. Missing where the chain's node hides the result, AppError
    where the app cannot be run here: neither says anything of the result.
    """
    place = task, round_id
    posted = await read_posted(chain, place, chain.final(), everyone=False)
    try:
        stated = await _read_stated(chain.domain, place, posted, source, scratch)
        if stated is None:
            return GradientJudgement(is_wrong=False, words="there is no valid update, and no gradient")
        if opens_all:  # all that is missing comes first
            for gate in stated.roots:
                await _open(stated, gate=gate)
        distances = {gate: await _measure(stated, evaluator, scratch, gate=gate) for gate in stated.roots}
    except (ContentError, Missing) as error:
        return GradientJudgement(is_wrong=True, words=str(error), is_missing=True)
    except (DecodeError, RuleError) as error:
        return GradientJudgement(is_wrong=True, words=str(error))
    except ArithmeticError as error:  # a manifest may state what no leaf holds
        return GradientJudgement(is_wrong=True, words=f"a number stated is out of range: {error}")
    words = ", ".join(f"{NAMES[gate]} {distance:.1e}" for gate, distance in distances.items())
    is_wrong = any(distance > GRADIENT_TOLERANCE for distance in distances.values())
    return GradientJudgement(
        is_wrong, f"{words} from the computed ones, at most {GRADIENT_TOLERANCE:.0e} may be"
    )


async def _measure(stated: _Stated, evaluator: GradientClient, scratch: Path, *, gate: bool) -> float:
    if gate:
        evaluated = await evaluator.gate_gradient(stated.base, stated.shard)
    else:
        evaluated = await evaluator.reference_gradient(stated.base, stated.model, stated.shard)
    path, named = scratch / "computed", stated.content.cid_of_gradient(gate=gate)
    computed = await asyncio.to_thread(tensor_files.write_gradient, evaluated.path, stated.layout, path)
    if await asyncio.to_thread(compute_body_root, computed.body, stated.depth) == stated.roots[gate]:
        # what is published is what proofs are made of; with this name it can be no other, and need not be fetched
        if await asyncio.to_thread(tensor_files.compute_cid, path) != named:
            with suppress(ContentError, Missing):
                await _open(stated, gate=gate)
        return 0.0
    published = await _open(stated, gate=gate)
    return await asyncio.to_thread(compute_distance, published, computed, tensor_files.each)


async def _open(stated: _Stated, *, gate: bool) -> Gradient:
    """Open a published gradient; RuleError where it is not the one that the result binds."""
    gradient = await stated.content.open_gradient(gate=gate)
    if await asyncio.to_thread(compute_body_root, gradient.body, stated.depth) != stated.roots[gate]:
        raise RuleError(
            f"{NAMES[gate]}: the content that is published has another root than the result states"
        )
    return gradient


async def _read_stated(
    domain: Domain, place: Place, posted: PostedRound, source: Source, scratch: Path
) -> _Stated | None:
    """Read what a result binds; None where it has no gradients. RuleError where its manifest is not what it binds."""
    result, rules = posted.result, posted.rules
    manifest = await read_manifest(source, result.manifest_digest)
    _require_stated(domain, place, posted, manifest)
    if not result.inputs:
        return None
    content, shard = RoundContent(manifest, None, rules.codec, source, scratch), manifest.shard
    if not shard.is_under(rules.validation_root):
        raise RuleError(f"shard {shard.index}: it is not under the task's validation root")
    layout = (await content.open_base()).layout
    return _Stated(
        content,
        {True: manifest.roots.gate, False: manifest.roots.gradient},
        rules.body_depth,
        layout,
        await _hold(source, "base model", manifest.base_model, scratch),
        await _hold(source, "model", manifest.model, scratch, compute_model_size(layout)),
        await _hold(source, f"shard {shard.index}", shard.cid, scratch),
    )


async def _hold(source: Source, what: str, content: Cid, scratch: Path, limit: int | None = None) -> Path:
    """Fetch a content, and have it in a folder of one's own, for a store drops the models of earlier rounds."""
    held = scratch / content.digest.hex()
    for tries_left in reversed(range(TRIES)):
        try:
            if not held.exists():
                await asyncio.to_thread(link_or_copy, await fetch(source, what, content, limit), held)
        except FileNotFoundError:  # dropped in this very moment
            if not tries_left:
                raise Missing(f"{what}: the store drops it again and again") from None
        except OSError as error:
            raise AppError(f"{what}: cannot be held in {scratch}: {error.strerror}") from None
    return held


def _require_stated(domain: Domain, place: Place, posted: PostedRound, manifest: Manifest) -> None:
    """Raise RuleError where a manifest states other roots than the result, or is of another round."""
    if compute_statement_hash(compute_statement(manifest)) != posted.result.statement:
        raise RuleError(f"round {place[1]}: its manifest has other roots than the result")
    require_named(domain, place, posted, manifest)
