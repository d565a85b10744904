"""Rounds as they should go: real chain, real wire, real gradients."""

import asyncio
from pathlib import Path

import pytest

from dao.app.gradient_client import GradientClient
from dao.chain.signer import Signer
from dao.core.types import Phase, RoundId, Status
from dao.devnet.kubo_daemon import start_kubo
from dao.errors import Refused
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import Patient, World
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_rounds__honest_nodes__are_posted_one_upon_the_other(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator)
    async with world.superlink() as running:
        await world.play(running, 3)
    first, second, third = [await world.manifest(number) for number in (1, 2, 3)]
    assert {node.status for node in first.nodes} <= {Status.OK, Status.CLIPPED}
    assert [second.parent, third.parent] == [1, 2]
    assert (second.base_model, third.base_model) == (first.model, second.model)
    assert third.loss_after < third.loss_before < first.loss_before
    assert len(third.used_shards) == 3
    assert sum(node.reward_wei for node in third.nodes) + third.refunded_wei == third.budget_wei


async def test_round__scores_not_computed_yet__members_can_have_the_new_model(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    patient = Patient(evaluator)
    patient.score.clear()
    world = await World.make(network, assignment, tmp_path, patient)
    async with world.superlink() as running, network.chain() as chain:
        playing = asyncio.create_task(world.play(running))
        member = SuperlinkClient(running.service.address, world.nodes[0].signer, chain.domain)
        told = await member.model(world.task, RoundId(1), 60)
        assert (await world.state(1)).phase is Phase.CLOSED
        await member.fetch(told.digest, tmp_path / "model")
        await member.fetch(told.step, tmp_path / "step")
        stranger = SuperlinkClient(running.service.address, Signer.ephemeral(), chain.domain)
        with pytest.raises(Refused):
            await stranger.model(world.task, RoundId(1), 1)
        patient.score.set()
        await playing
        for client in (member, stranger):
            await client.close()
    assert (await world.result(1)).model_digest == told.digest
    assert (await world.manifest(1)).step.digest == told.step


@pytest.mark.kubo
async def test_round__superlink_with_an_ipfs_node__all_that_an_auditor_needs_is_kept_there(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    kubo = await start_kubo(tmp_path / "kubo")
    store = KuboStore(kubo.api, DiskStore(tmp_path / "cache"))
    try:
        world = await World.make(network, assignment, tmp_path / "superlink", evaluator)
        async with world.superlink(ipfs=kubo.api) as running:
            await world.play(running, 1)
        manifest = await world.manifest(1)
        updates = [node.cid for node in manifest.nodes]
        for cid in (*updates, manifest.model, manifest.gate_gradient, manifest.gradient, manifest.shard.cid):
            assert cid is not None
            assert await store.has(cid), cid
    finally:
        store.close()
        await kubo.stop()
