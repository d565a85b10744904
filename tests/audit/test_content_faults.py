"""Lies about content: the finder shows them by what is published, and by what demands brought to light."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dao.audit.accusing import Proof, build_stated_trees, find_proof
from dao.audit.posted_round import read_stated
from dao.audit.round_content import RoundContent
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.convictions import convict_result
from dao.chain.demanding import demand_leaf, encode_leaf_place
from dao.chain.disputes import Disputes
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.engine.merkle import compute_root
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.types import Digest, Phase, RoundId, Status
from dao.errors import NotFound
from dao.proofs.leaf_places import DemandTree, LeafPlace, get_depth, show_outer
from dao.proofs.openings import Rows, compute_siblings, hash_rows
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT
from tests.audit.cheats import node_of, with_node
from tests.audit.stage import TAMPERED, Stage
from tests.audit.test_accusing import restate
from tests.support import RULES, mining

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROUND = RoundId(TAMPERED)


def source_of(stage: Stage) -> LayeredStore:
    stores = [DiskStore(stage.folder), DiskStore(stage.world.assignment.store)]
    return LayeredStore(DiskStore(stage.cache), stores, attempts=1)


def content_of(stage: Stage) -> RoundContent:
    return RoundContent(stage.manifest, stage.previous, RULES.codec, source_of(stage), stage.cache)


def index_of(manifest: Manifest, status: Status) -> int:
    return next(i for i, node in enumerate(manifest.nodes) if node.status is status)


async def find(stage: Stage, manifest: Manifest) -> Proof | None:
    stated = stage.stated(manifest), dump_manifest(manifest)
    async with stage.posted(*stated), stage.world.network.chain() as chain:
        return await find_proof(chain, source_of(stage), stage.world.task, ROUND)


@pytest.mark.parametrize("field", ["gate_dot", "square", "dot", "step_dot"])
async def test_find_proof__product_of_a_row_raised__is_found(stage: Stage, field: str) -> None:
    node = node_of(stage.manifest, Status.OK)
    changes: dict[str, Any] = {field: getattr(node, field) + 1}
    proof = await find(stage, restate(with_node(stage.manifest, Status.OK, **changes)))
    assert proof is not None
    assert proof.prover == "ProductsProver", proof.words
    assert field.replace("_", " ") in proof.words


@pytest.mark.parametrize("field", ["gate_square", "gradient_along", "step_square"])
async def test_find_proof__product_of_the_round_raised__is_found(stage: Stage, field: str) -> None:
    changes: dict[str, Any] = {field: getattr(stage.manifest, field) + 1}
    proof = await find(stage, replace(stage.manifest, **changes))
    assert proof is not None
    assert proof.prover in ("ProductsProver", "WeightsProver"), proof.words


async def test_find_proof__value_of_the_model_changed__is_found(stage: Stage) -> None:
    content = await stage.content(stage.manifest.model)
    content[-3] ^= 1
    rows = np.array(await content_of(stage).open_model_rows())
    layout = (await content_of(stage).open_base()).layout
    last = layout.runs[-1]
    place = 4 * (last.padded + last.size - 1) + 1  # of the byte, among the padded values
    flat = rows.reshape(-1)
    flat[place] ^= 1
    root = Digest(compute_root(hash_rows(rows), RULES.body_depth))
    roots = replace(stage.manifest.roots, model=root)
    proof = await find(stage, replace(stage.manifest, model=await stage.put(content), roots=roots))
    assert proof is not None
    assert proof.prover == "ModelProver", proof.words


Leaves = Sequence[bytes] | Rows


def root_of(leaves: Leaves, tree: DemandTree) -> Digest:
    depth = get_depth(tree, RULES.body_depth)
    return Digest(compute_root(b"".join(sha256(bytes(leaf)).digest() for leaf in leaves), depth))


def show_any(leaves: Leaves, place: LeafPlace) -> bytes:
    """The leaf of a tree whose leaves may have any length, and its siblings."""
    hashes = b"".join(sha256(bytes(leaf)).digest() for leaf in leaves)
    leaf = bytes(leaves[place.index]) if place.index < len(leaves) else b""
    return leaf + compute_siblings(hashes, place.index, get_depth(place.tree, RULES.body_depth))


async def show(
    stage: Stage, chain: Chain, sender: Sender, place: LeafPlace, leaves: Leaves, *, nested: bool
) -> None:
    """Demand a leaf of a liar's tree, and have the liar show it."""
    await demand_leaf(chain, sender, stage.world.task, ROUND, place)
    posted = await read_stated(chain, source_of(stage), (stage.world.task, ROUND), everyone=False)
    trees = build_stated_trees(*posted)
    content = show_any(leaves, place)
    content = show_outer(trees.rows, place) + content if nested else content
    stated = trees.result, trees.statement
    await sender.send(
        Disputes(chain).answer(stage.world.task, ROUND, encode_leaf_place(place), *stated, content)
    )


async def convict(stage: Stage, manifest: Manifest, place: LeafPlace, leaves: Leaves, *, nested: bool) -> str:
    """Post a lie, have a leaf of it shown, find the proof and send it; return what the prover is called."""
    world, signer = stage.world, Signer.ephemeral()
    stated = stage.stated(manifest), dump_manifest(manifest)
    async with (
        stage.posted(*stated),
        world.network.chain() as chain,
        mining(stage.world.network.anvil),
        world.network.sender(chain, signer) as sender,
    ):
        assert await find_proof(chain, source_of(stage), world.task, ROUND) is None
        await show(stage, chain, sender, place, leaves, nested=nested)
        proof = await find_proof(chain, source_of(stage), world.task, ROUND)
        assert proof is not None
        await convict_result(chain, sender, proof.accusation, proof.result, proof.statement, proof.records)
        state = await Coordinator(chain).round_of(world.task, ROUND, chain.head())
        assert state.phase is Phase.VOID
    return proof.prover


async def test_convict__aggregate_that_nobody_has__a_demanded_chunk_is_wrong(stage: Stage) -> None:
    sums = np.array(await content_of(stage).open_all_sums())
    sums[0, 3] += 1
    rows = np.ascontiguousarray(sums, ">i8").view(np.uint8)
    root = Digest(compute_root(hash_rows(rows), RULES.body_depth))
    manifest = replace(stage.manifest, roots=replace(stage.manifest.roots, aggregate=root))
    place = LeafPlace(DemandTree.AGGREGATE, 0, 0)
    assert await convict(stage, manifest, place, rows, nested=False) == "SumProver"


async def test_convict__totals_that_nobody_has__a_demanded_step_is_wrong(stage: Stage) -> None:
    node = node_of(stage.manifest, Status.OK)
    totals = np.array(await content_of(stage).open_gate_totals(node))
    square = node.square + 1
    totals[0, 32:] = np.frombuffer(square.to_bytes(32, "big"), np.uint8)
    assert len(totals) == 1
    depth = get_depth(DemandTree.ROW_GATE_TOTALS, RULES.body_depth)
    root = Digest(compute_root(hash_rows(totals), depth))
    manifest = restate(with_node(stage.manifest, Status.OK, square=square, gate_totals=root))
    place = LeafPlace(DemandTree.ROW_GATE_TOTALS, index_of(manifest, Status.OK), 0)
    assert await convict(stage, manifest, place, totals, nested=True) == "ProductsProver"


@pytest.mark.parametrize("length", [2047, 2040, 0, 2056])
async def test_convict__chunk_of_the_aggregate_of_another_length__is_shown(stage: Stage, length: int) -> None:
    sums = await content_of(stage).open_all_sums()
    leaves = [bytes(leaf) for leaf in np.ascontiguousarray(sums, ">i8").view(np.uint8)]
    leaves[0] = (leaves[0] + bytes(8))[:length]
    kept = leaves[:-1] if length == 0 else leaves  # the last leaf is missing
    index = len(leaves) - 1 if length == 0 else 0
    root = root_of(kept, DemandTree.AGGREGATE)
    manifest = replace(stage.manifest, roots=replace(stage.manifest.roots, aggregate=root))
    place = LeafPlace(DemandTree.AGGREGATE, 0, index)
    assert await convict(stage, manifest, place, kept, nested=False) == "ShapeProver"


@pytest.mark.parametrize("length", [63, 32])
async def test_convict__leaf_of_totals_of_another_length__is_shown(stage: Stage, length: int) -> None:
    node = node_of(stage.manifest, Status.OK)
    leaves = [bytes(leaf)[:length] for leaf in await content_of(stage).open_gate_totals(node)]
    root = root_of(leaves, DemandTree.ROW_GATE_TOTALS)
    manifest = restate(with_node(stage.manifest, Status.OK, gate_totals=root))
    place = LeafPlace(DemandTree.ROW_GATE_TOTALS, index_of(manifest, Status.OK), 0)
    assert await convict(stage, manifest, place, leaves, nested=True) == "ProductsProver"


async def test_find_proof__an_update_cannot_be_had__the_model_is_looked_at_all_the_same(stage: Stage) -> None:
    """The search among updates and products ends there; that of base, step and model needs no update of a gated node."""
    content = await stage.content(stage.manifest.model)
    content[-3] ^= 1
    rows = np.array(await content_of(stage).open_model_rows())
    last = (await content_of(stage).open_base()).layout.runs[-1]
    rows.reshape(-1)[4 * (last.padded + last.size - 1) + 1] ^= 1
    roots = replace(stage.manifest.roots, model=Digest(compute_root(hash_rows(rows), RULES.body_depth)))
    manifest = replace(stage.manifest, model=await stage.put(content), roots=roots)
    gated = node_of(manifest, Status.GATED)
    assert gated.cid is not None
    stated = stage.stated(manifest), dump_manifest(manifest)
    async with stage.posted(*stated), stage.world.network.chain() as chain:
        stores = [DiskStore(stage.folder), DiskStore(stage.world.assignment.store)]
        without = Without(DiskStore(stage.cache), stores, attempts=1)
        without.lacking = gated.cid.digest
        proof = await find_proof(chain, without, stage.world.task, ROUND)
    assert proof is not None
    assert proof.prover == "ModelProver", proof.words


class Without(LayeredStore):
    """A store that lacks one content."""

    lacking: Digest

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        if (content.digest if isinstance(content, Cid) else content) == self.lacking:
            raise NotFound(f"{content!r}: not here")
        return await super().get(content, max_bytes)
