"""Commits that a Superlink does not take: they are counted, or the result that lacks them is void and the round redone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import RunningSuperlink
from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.chain.events import Contested, Dismissed, Finalized, Voided
from dao.core.commits import SignedCommit
from dao.core.errors import NotFound, RuleError, WireError
from dao.core.formats.manifest import Manifest
from dao.core.types import Phase, RoundId, Status
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import Made, Node, Patient, World, holds, reached
from tests.audit.stage import audit_of, failed
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNTED = {Status.OK, Status.CLIPPED}
REFUNDED = 100  # budgets that a new task is funded with


class Stubborn(Node):
    """Commits on chain when the Superlink does not take its commit, or leaves it out."""

    async def commit(self, chain: Chain, client: SuperlinkClient, made: Made) -> None:
        try:
            await super().commit(chain, client, made)
        except (WireError, NotFound):
            await self.force(chain, made)
            await self.counted(made)
            with pytest.raises(NotFound):
                await client.inclusion(self.world.task, made.round)

    async def counted(self, made: Made) -> None:
        """Hook: the forced commit is on chain."""


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


def is_absent(manifest: Manifest, node: Node) -> bool:
    return node.signer.address in {row.node for row in manifest.absent}


async def wait_out(world: World, round_id: int) -> None:
    """Let the time for forced commits pass once a round is closed."""
    await world.reaches(round_id, Phase.CLOSED)
    world.skip(world.rules.force_period)


def leave_out(running: RunningSuperlink, node: Node) -> asyncio.Event:
    """Have the Superlink give this node a receipt and forget the commit; the event is set then."""
    intake, done = running.superlink._deps.intake, asyncio.Event()
    honest = intake.on_commit

    async def forgetful(commit: SignedCommit) -> bytes:
        signature = await honest(commit)
        if commit.node == node.signer.address:
            collection = intake.get_collection(commit.round)
            assert collection is not None
            collection.commits.pop(commit.node, None)
            done.set()
        return signature

    intake.on_commit = forgetful  # type: ignore[method-assign]
    return done


async def close_early(world: World, running: RunningSuperlink, left_out: asyncio.Event) -> None:
    """Let the commit period pass once two nodes have committed and the third was left out."""
    collection = await world.collection(running, (await world.task_state()).last_round + 1)
    await left_out.wait()
    await reached(collection, lambda: len(collection.commits) == 2)
    world.skip(world.rules.commit_period)


@pytest.mark.parametrize("moment", ["before the reveals", "before the result"])
async def test_round__superlink_leaves_a_commit_out__is_forced_while_closed_and_counted(
    make: Any, evaluator: GradientClient, tmp_path: Path, moment: str
) -> None:
    """The second moment finds a Superlink with a result, which the chain refuses."""
    world = await make()
    world.evaluator = patient = Patient(evaluator)
    *polite, stubborn = world.nodes
    forced = asyncio.Event()

    class Polite(Node):
        async def reveal(self, *args: Any) -> None:
            await forced.wait()
            await super().reveal(*args)

    async def counted(_: Made) -> None:
        forced.set()
        patient.go.set()

    stubborn.counted = counted
    if moment == "before the reveals":
        world.nodes[:2] = [Polite(world, node.member, node.index) for node in polite]
    async with world.superlink() as running:
        if moment == "before the result":
            patient.go.clear()
        left_out = leave_out(running, stubborn)
        manifest = await play(world, running, close_early(world, running, left_out))
    assert {status_of(manifest, node) for node in world.nodes[:2]} <= {(status, False) for status in COUNTED}
    assert status_of(manifest, stubborn) in {(status, True) for status in COUNTED}
    assert (await world.result(1)).revealed == 3
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


async def test_contest__commit_was_left_out__voids_the_round_and_what_follows_and_it_is_redone(
    make: Any, tmp_path: Path
) -> None:
    world = await make()
    *_, stubborn = world.nodes
    kept: list[Made] = []

    async def keep(chain: Chain, made: Made) -> None:
        kept.append(made)

    stubborn.force, honest_force = keep, stubborn.force
    stubborn.reveals = False
    async with world.superlink() as running, world.network.chain() as chain, cared_for(running):
        left_out = leave_out(running, stubborn)
        first = await play(world, running, close_early(world, running, left_out))
        assert is_absent(first, stubborn)
        del running.superlink._deps.intake.on_commit  # from now on it is honest
        stubborn.reveals = True
        second = await play(world, running)
        assert (second.parent, second.base_model) == (1, first.model)
        await honest_force(chain, kept[0])
        assert [event.round for event in await world.past(Contested)] == [1]
        world.skip(world.rules.challenge_period)
        await world.reaches(1, Phase.VOID)
        await world.reaches(2, Phase.VOID)
        assert await escrow(world) == (0, 0)
        assert (await world.task_state()).head == 0
        third = await play(world, running)
        assert (third.parent, third.base_model) == (0, first.base_model)
        assert {status_of(third, node)[0] for node in world.nodes} <= COUNTED
        world.skip(world.rules.challenge_period)
        await world.reaches(3, Phase.FINALIZED)
    assert [event.round for event in await world.past(Finalized)] == [3]
    assert await escrow(world) == (world.rules.round_budget, 0)
    checks = await audit_of(world, 3, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert "forced commits" in failed(checks)


async def test_contest__commit_is_in_the_tree__is_dismissed_and_the_round_becomes_final(make: Any) -> None:
    world = await make()
    *_, stubborn = world.nodes
    kept: list[Made] = []

    class Anxious(Node):
        async def commit(self, chain: Chain, client: SuperlinkClient, made: Made) -> None:
            kept.append(made)
            await super().commit(chain, client, made)

    world.nodes[2] = anxious = Anxious(world, stubborn.member, 2)
    async with world.superlink() as running, world.network.chain() as chain, cared_for(running):
        await play(world, running)
        await anxious.force(chain, kept[0])

        async def is_dismissed(at: BlockRef) -> bool:
            return bool(await chain.past(Dismissed, task=world.task, to_block=at.number))

        await holds(chain, is_dismissed)
        world.skip(world.rules.challenge_period)
        await world.reaches(1, Phase.FINALIZED)
    assert len(await world.past(Contested)) == 1
    assert not await world.past(Voided)
    assert await escrow(world) == (world.rules.round_budget, 0)


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
        assert third.used_shards[0] in first.used_shards or third.used_shards[1] in first.used_shards
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
