"""A hundred members pass, force or drop at once, and one joins and leaves in every block: rounds go on in their own periods."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import ForcedCommit, Joined
from dao.core.types import PassReason, Phase, Status
from dao.errors import Reverted
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.audit.stage import audit_of
from tests.support import Member, Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]
PASSING, FORCING, DROPPING = 40, 30, 30


async def test_round__a_hundred_pass_force_or_drop_at_once__counts_each_and_is_audited(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    members = PASSING + FORCING + DROPPING
    world = await World.make(
        network, assignment, tmp_path / "superlink", evaluator, members, result_period=10_000
    )
    for node in world.nodes[:PASSING]:
        node.passes = PassReason.NOT_READY
    for node in world.nodes[PASSING : PASSING + FORCING]:
        node.forces = True
    for node in world.nodes[PASSING + FORCING :]:
        node.commits = False
    async with world.superlink() as running, asyncio.TaskGroup() as group:
        group.create_task(world.play(running))
        group.create_task(world.hasten(running, 1, PASSING + FORCING, FORCING))
    manifest, state = await world.manifest(1), await world.state(1)
    assert state.phase is Phase.POSTED
    assert (len(manifest.passes), len(manifest.absent), len(manifest.nodes)) == (PASSING, DROPPING, FORCING)
    assert len(await world.past(ForcedCommit)) == FORCING
    assert all(
        row.forced and row.status in (Status.OK, Status.CLIPPED, Status.GATED) for row in manifest.nodes
    )
    assert sum(row.reward_wei for row in manifest.nodes) + manifest.refunded_wei == manifest.budget_wei
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks


@asynccontextmanager
async def restless(network: Network, chain: Chain, world: World, member: Member) -> AsyncIterator[None]:
    """A member leaves and joins again, each in the next block, as long as the block is run."""

    async def run() -> None:
        coordinator = Coordinator(chain)
        async with network.sender(chain, member.owner) as sender:
            while True:
                for call in (coordinator.leave, coordinator.join):
                    with suppress(Reverted):
                        await sender.send(call(world.task, member.operator.address))

    running = asyncio.create_task(run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_rounds__a_member_joins_and_leaves_in_every_block__are_played_without_it(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator, 4, result_period=10_000)
    world.nodes[-1].commits = False
    present = len(world.nodes) - 1
    async with world.superlink() as running, network.chain() as chain:
        async with restless(network, chain, world, world.members[-1]):
            for round_id in (1, 2):
                async with asyncio.TaskGroup() as group:
                    group.create_task(world.play(running))
                    group.create_task(world.hasten(running, round_id, present, present))
        assert len(await chain.past(Joined, task=world.task)) > len(world.nodes)
        for round_id in (1, 2):
            state, manifest = await world.state(round_id), await world.manifest(round_id)
            assert state.phase is Phase.POSTED
            assert len(manifest.nodes) == present
            assert state.eligible == present + len(manifest.absent)
            checks = await audit_of(world, round_id, tmp_path / f"cache-{round_id}")
            assert exit_code([*checks.values()]) == 0, checks
