"""Looks for what `ModelProver` can be shown of a round: a step that is not the aggregate's, a model that is not base and step."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dao.audit.evidence import fetch
from dao.content.tensor_files import compute_update_limit, map_file, open_update
from dao.core.constants import BLOCK, CHUNK
from dao.core.engine.backend import get_codec_loops, get_step_codec
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_base import Rows
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.products import compute_sums
from dao.core.formats.cid import Cid
from dao.core.formats.layout import Model, compute_model_root, compute_model_size, parse_model
from dao.core.formats.manifest import Manifest, Node
from dao.core.formats.update import Update, read_body
from dao.core.types import Codec, Rules, hex_of
from dao.errors import DecodeError
from dao.proofs.models import MODEL, STEP, prove_model, prove_step
from dao.proofs.openings import view_rows
from dao.proofs.round_trees import RoundTrees
from dao.proofs.sums import AGGREGATE_VALUE
from dao.proofs.suspicions import Suspicion
from dao.store.source import Source

PROVER = "ModelProver"


@dataclass(frozen=True)
class ModelContents:
    """What was published of a round's way from its base model to the new one."""

    base: Model
    model: Model
    step: Rows  # of whatever bytes
    updates: Sequence[Update]  # that weigh something
    weights: Sequence[int]


async def find_model_suspicions(
    source: Source, manifest: Manifest, trees: RoundTrees, rules: Rules
) -> list[Suspicion]:
    """Return the claims about step and model that the published content gives reason for, none where it is all as it should be.

    Missing when a content cannot be had; DecodeError when one is none, so that nothing of it can be opened.
    """
    base = parse_model(await _map(source, "base model", manifest.base_model))
    size = compute_model_size(base.layout)
    model = parse_model(await _map(source, "new model", manifest.model, size))
    layout, codec = base.layout, rules.codec
    if model.layout != layout:
        raise DecodeError("new model: expected the tensors of the base model")
    limit = compute_update_limit(layout, get_step_codec(codec))
    step = read_body(await _map(source, "step", manifest.step, limit), get_step_codec(codec))
    if len(step) != layout.chunks:
        raise DecodeError(f"step: expected {layout.chunks} chunks, as the model has, got {len(step)}")
    weighed = [node for node in manifest.nodes if node.weight]
    updates = [await _read_update(source, node, base, codec) for node in weighed]
    contents = ModelContents(base, model, step, updates, [node.weight for node in weighed])
    return await asyncio.to_thread(lambda: list(list_model_suspicions(contents, trees, rules)))


def list_model_suspicions(contents: ModelContents, trees: RoundTrees, rules: Rules) -> Iterator[Suspicion]:
    """Yield a claim about the step, and one about the model, each where the roots stated are those of what was published."""
    base, step, depth, stated = contents.base, contents.step, rules.body_depth, trees.statement
    chunks, scratch = base.layout.chunks, Scratch()
    loops = get_codec_loops(get_step_codec(rules.codec), chunks)
    if compute_body_root(step, depth) != stated.new_step_root:
        return
    total = compute_sums(contents.updates, contents.weights, trees.result.weight_sum, (0, chunks), scratch)
    if compute_body_root(view_rows(total, AGGREGATE_VALUE), depth) == stated.aggregate_root:
        honest = np.empty_like(step)
        loops.quantise(total, max(trees.result.weight_sum, 1), honest, Scratch())
        place = _find_difference(step, honest, loops.leaf // CHUNK)
        if place is not None:
            words = f"the step is not the aggregate's at chunk {place[0]}, value {place[1]}"
            yield Suspicion(PROVER, STEP, words, partial(prove_step, *place, total, step, depth))
    if compute_model_root(contents.model, depth) != stated.model_root:
        return
    before, after = (model.span(0, chunks) for model in (base, contents.model))
    bad = loops.first_bad(step)
    if bad is not None:
        place = divmod(bad[0], CHUNK)
    else:
        moved = loops.move(step, before, Scratch()).astype("<f4")
        place = _find_difference(after.view(np.uint8), moved.view(np.uint8), moved.itemsize)
    if place is not None:
        words = f"the model is not base and step at chunk {place[0]}, value {place[1]}"
        parent = trees.show_parent()
        yield Suspicion(
            PROVER, MODEL, words, partial(prove_model, *place, step, after, before, depth, parent)
        )


def _find_difference(one: Rows, other: Rows, width: int) -> tuple[int, int] | None:
    """Return chunk and value of the first byte that differs; values have `width` bytes, what follows them is for blocks."""
    differs: NDArray[np.bool_] = one != other
    if not differs.any():
        return None
    chunk = int(differs.any(axis=1).argmax())
    place = int(differs[chunk].argmax())
    past = place - CHUNK * width
    return chunk, place // width if past < 0 else past * BLOCK


async def _map(source: Source, what: str, content: Cid, limit: int | None = None) -> memoryview:
    path = await fetch(source, what, content, limit)
    return memoryview(await asyncio.to_thread(map_file, path))


async def _read_update(source: Source, node: Node, base: Model, codec: Codec) -> Update:
    what = f"node {hex_of(node.node)}: update"
    if node.cid is None:
        raise DecodeError(f"{what}: it weighs something, and was not revealed")
    path = await fetch(source, what, node.cid, compute_update_limit(base.layout, codec))
    return await asyncio.to_thread(open_update, path, base.layout, codec)
