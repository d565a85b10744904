"""Looks for what `ModelProver` can be shown of the last step: one that is stated otherwise than models moved, or as none."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from dao.audit.evidence import fetch, read_manifest
from dao.chain.events import Answered
from dao.content.tensor_files import each, open_model
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import quantise_gradient
from dao.core.formats.layout import Model, StepModel
from dao.core.formats.manifest import Manifest
from dao.core.statement import compute_statement
from dao.core.types import ZERO_DIGEST, Result, Rules
from dao.errors import DecodeError
from dao.proofs.leaf_places import DemandTree
from dao.proofs.models import LAST_STEP, prove_last_step
from dao.proofs.round_trees import RoundTrees, encode_stated
from dao.proofs.suspicions import Suspicion
from dao.store.source import Source

WORDS = "the last step is not what its parent's base model moved by"


async def find_last_step_suspicions(
    source: Source,
    stated: tuple[Manifest, Manifest | None, Result | None],
    trees: RoundTrees,
    rules: Rules,
    answered: Sequence[Answered],
) -> list[Suspicion]:
    """Return the claims about the last step that models, and answers to demands of it, give reason for.

    `stated` is the round's manifest, its parent's, and the result of that one's parent. Missing when a content cannot be had.
    """
    (manifest, previous, before), depth = stated, rules.body_depth
    root, parents = trees.statement.step_root, trees.show_parent()
    if previous is None or not trees.result.inputs:
        if root == ZERO_DIGEST:
            return []
        return [_suspect(partial(prove_last_step, 0, parents, None, depth))]
    base, former = [
        await _open(source, what, cid)
        for what, cid in (
            ("base model", manifest.base_model),
            ("the parent's base model", previous.base_model),
        )
    ]
    if base.layout != former.layout:
        raise DecodeError("the parent's base model: expected the tensors of the base model")
    if before is not None:
        parents += encode_stated(
            before, compute_statement(await read_manifest(source, before.manifest_digest))
        )
    shown = {one.place[2]: one.content for one in answered if one.place[0] == DemandTree.STEP}
    wrong = await asyncio.to_thread(lambda: list(_list_wrong(base, former, root, shown, depth)))
    models = [model.span(0, model.layout.chunks) for model in (base, former)]
    return [
        _suspect(partial(prove_last_step, chunk, parents, (models[0], models[1]), depth, leaf))
        for chunk, leaf in wrong
    ]


def _list_wrong(
    base: Model, former: Model, root: bytes, shown: dict[int, bytes], depth: int
) -> Iterator[tuple[int, bytes]]:
    """Yield chunks of the last step that are others than stated, with what was shown of them. Blocks."""
    rows = quantise_gradient(StepModel(former, base), each)
    if root == ZERO_DIGEST:
        moved = rows[:, :-1].any(axis=1)
        if moved.any():
            yield int(np.argmax(moved)), b""
    elif compute_body_root(rows, depth) != root:
        for chunk, leaf in sorted(shown.items()):
            if chunk < len(rows) and leaf[: -32 * depth] != rows[chunk].tobytes():
                yield chunk, leaf


def _suspect(prove: partial[bytes]) -> Suspicion:
    return Suspicion("ModelProver", LAST_STEP, WORDS, prove)


async def _open(source: Source, what: str, content: Cid) -> Model:
    return await asyncio.to_thread(open_model, await fetch(source, what, content))
