"""Commits that a Superlink does not take are counted by way of the chain; rounds without commits or result are redone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import RunningSuperlink
from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.core.commits import SignedCommit
from dao.core.formats.manifest import Manifest
from dao.core.types import PassReason, Phase, RoundId, Status
from dao.errors import NotFound, RuleError, WireError
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import Made, Node, World, reached
from tests.audit.stage import audit_of
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNTED = {Status.OK, Status.CLIPPED}
REFUNDED = 100  # budgets that a new task is funded with


class Stubborn(Node):
    """Commits on chain when the Superlink does not take its commit."""

    async def commit(self, chain: Chain, client: SuperlinkClient, made: Made) -> None:
        try:
            await super().commit(chain, client, made)
        except (WireError, NotFound):
            await self.force(chain, made)
            with pytest.raises(NotFound):
                await client.inclusion(self.world.task, made.round)


@pytest.fixture
def make(network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path) -> Any:
    async def make(**changes: Any) -> World:
        """Three nodes, of which the last is stubborn."""
        world = await World.make(network, assignment, tmp_path / "superlink", evaluator, **changes)
        world.nodes[2] = Stubborn(world, world.members[2], 2)
        return world

    return make


async def play(world: World, running: RunningSuperlink, *others: Any) -> Manifest:
    """Play one more round beside what else happens; its manifest."""
    round_id = (await world.task_state()).last_round + 1
    async with asyncio.TaskGroup() as group:
        group.create_task(world.play(running))
        for other in others:
            group.create_task(other)
    return await world.manifest(round_id)


def status_of(manifest: Manifest, node: Node) -> Any:
    row = next(row for row in manifest.nodes if row.node == node.signer.address)
    return row.status, row.forced


async def test_round__superlink_refuses_a_commit__is_forced_while_open_and_counted(
    make: Any, tmp_path: Path
) -> None:
    world = await make()
    async with world.superlink() as running:
        intake, ignored = running.superlink._deps.intake, world.nodes[2].signer.address
        honest = intake.on_commit

        async def deaf(commit: SignedCommit) -> bytes:
            if commit.node == ignored:
                raise RuleError("commit: not today")
            receipt: bytes = await honest(commit)
            return receipt

        intake.on_commit = deaf
        manifest = await play(world, running)
    assert status_of(manifest, world.nodes[2])[0] in COUNTED
    assert status_of(manifest, world.nodes[2])[1]
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks


@asynccontextmanager
async def cared_for(running: RunningSuperlink) -> AsyncIterator[None]:
    """The Superlink looks after its posted rounds."""
    caring = asyncio.create_task(running.finalizer.run())
    try:
        yield
    finally:
        caring.cancel()


async def escrow(world: World) -> tuple[int, int]:
    """What final rounds have promised, and how many rounds have their budget reserved."""
    async with world.network.chain() as chain:
        total = await Distributor(chain).total_of(world.task, chain.head())
    return total, (await world.task_state()).in_flight


async def test_round__a_node_says_nothing__waits_for_the_deadline_and_no_longer(make: Any) -> None:
    world = await make()
    world.nodes[2].commits = False
    async with world.superlink() as running, world.network.chain() as chain:
        collection = asyncio.create_task(world.collection(running, 1))
        rounds = asyncio.create_task(running.superlink.run(1))
        playing = [
            asyncio.create_task(node.take_part(chain, running.service.address, range(1, 2)))
            for node in world.nodes
        ]
        begun = await collection
        await reached(begun, lambda: len(begun.commits) == 2)
        assert (await world.state(1)).phase is Phase.OPEN
        world.skip(world.rules.commit_period)
        await rounds
        await asyncio.gather(*playing)
    manifest = await world.manifest(1)
    assert ([row.node for row in manifest.absent], manifest.passes) == ([world.nodes[2].signer.address], ())


async def test_round__a_node_passes__closes_without_waiting_and_lists_it(make: Any, tmp_path: Path) -> None:
    world = await make()
    world.nodes[2].passes = PassReason.FAILED
    async with world.superlink() as running:
        manifest = await play(world, running)
    opened, closed = (await world.state(1)).opened_at, (await world.state(1)).closed_at
    assert closed - opened < world.rules.commit_period
    (passed,) = manifest.passes
    assert (passed.node, passed.reason) == (
        world.nodes[2].signer.address,
        "the node passed this round: training failed",
    )
    assert (len(manifest.nodes), manifest.absent) == (2, ())
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks


@pytest.mark.parametrize("by", ["anyone", "its Superlink"])
async def test_round__no_result_in_time__is_aborted_and_the_next_starts_from_the_same_parent(
    make: Any, by: str
) -> None:
    world = await make()
    async with world.superlink() as running, world.network.chain() as chain:
        first = await play(world, running)
        playing = [
            asyncio.create_task(node.take_part(chain, running.service.address, range(2, 3)))
            for node in world.nodes
        ]
        for node in world.nodes:
            node.reveals = False
        rounds = asyncio.create_task(running.superlink.run(1))
        await (await world.collection(running, 2)).closed.wait()
        await asyncio.gather(*playing)
        rounds.cancel()
    world.skip(world.rules.reveal_period + world.rules.result_period + 1)
    if by == "anyone":
        async with (
            world.network.chain() as chain,
            world.network.sender(chain, world.members[0].owner) as sender,
        ):
            await sender.send(Coordinator(chain).abort(world.task, RoundId(2)))
        assert await escrow(world) == (0, 1)
    for node in world.nodes:
        node.reveals = True
    async with world.superlink() as running, world.network.chain() as chain, cared_for(running):
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(running.superlink.run(1))
            for node in world.nodes:
                group.create_task(node.take_part(chain, running.service.address, range(3, 4)))
        third = await world.manifest(3)
        assert (third.parent, third.base_model) == (1, first.model)
        # the aborted round drew one, which is public, and is drawn no more
        assert len(third.used_shards) == 3
        assert set(first.used_shards) < set(third.used_shards)
        world.skip(world.rules.challenge_period)
        await world.reaches(3, Phase.FINALIZED)
    assert (await world.state(2)).phase is Phase.ABORTED
    assert await escrow(world) == (2 * world.rules.round_budget, 0)
    assert third.reward_total_wei == 2 * world.rules.round_budget


async def test_round__fewer_commits_than_the_quorum__is_aborted_and_redone(make: Any) -> None:
    world = await make(quorum=3)
    world.nodes[2].commits = False
    async with world.superlink() as running, world.network.chain() as chain:
        rounds = asyncio.create_task(running.superlink.run(1))
        collection = await world.collection(running, 1)
        playing = [
            asyncio.create_task(node.take_part(chain, running.service.address, range(1, 2)))
            for node in world.nodes
        ]
        await reached(collection, lambda: len(collection.commits) == 2)
        world.skip(world.rules.commit_period)
        await world.reaches(1, Phase.ABORTED)
        for task in playing:
            task.cancel()
        world.nodes[2].commits = True
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for node in world.nodes:
                group.create_task(node.take_part(chain, running.service.address, range(2, 3)))
        await rounds
    second = await world.manifest(2)
    assert second.parent == 0
    assert len(second.nodes) == 3
    assert await escrow(world) == (0, 1)
