"""A member that says nothing is put to sleep after three rounds, so that the fourth waits for nobody."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dao.app.gradient_client import GradientClient
from dao.audit.sleepers import find_sleepers
from dao.chain.contracts import Coordinator
from dao.chain.disputes import Disputes
from dao.chain.events import Left
from dao.chain.final_reader import FinalReader
from dao.errors import Reverted
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.absence_watch import AbsenceWatch
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.support import Network, count_sent

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_absentees__silent_for_three_rounds__is_put_to_sleep_and_nobody_waits_for_it(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, result_period=10_000)
    silent, counted, status = world.nodes[1], len(world.nodes) - 1, world.home / "status.jsonl"
    silent.commits = False
    async with world.superlink() as running, network.chain() as chain:
        source = LayeredStore(DiskStore(world.home / "store"), attempts=1)
        watching = asyncio.create_task(running.absentees.run())
        try:
            for round_id in (1, 2, 3):
                assert await Coordinator(chain).is_joined(world.task, silent.signer.address, chain.head())
                async with asyncio.TaskGroup() as group:
                    group.create_task(world.play(running))
                    group.create_task(world.hasten(running, round_id, counted, counted))
            async with asyncio.timeout(60):
                while '"event": "slept"' not in status.read_text(encoding="utf-8") or not (
                    left := await chain.past(Left, task=world.task)  # which may not have that block yet
                ):
                    await chain.changed(1)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        assert [event.operator for event in left] == [silent.signer.address]
        assert await Disputes(chain).slept_after(world.task, silent.signer.address, chain.head()) == 3
        assert not await find_sleepers(chain, source, world.task)
        world.nodes.remove(silent)
        await world.play(running)  # without a period that passes
        assert (await world.state(4)).eligible == counted


async def test_absence_watch__the_superlink_puts_nobody_to_sleep__members_do_in_their_turn(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    """Of the two that are there one has its turn after the fourth round, or the second after the fifth."""
    world = await World.make(network, assignment, tmp_path, evaluator, result_period=10_000)
    silent, *others = world.nodes
    silent.commits, counted = False, len(others)
    async with world.superlink() as running, network.chain() as chain, AsyncExitStack() as stack:
        source, reader = (
            LayeredStore(DiskStore(world.home / "store"), attempts=1),
            FinalReader(chain, world.task),
        )
        watches = []
        for node in others:
            sender = await stack.enter_async_context(network.sender(chain, node.signer))
            place = world.task, node.signer.address
            watches.append(AbsenceWatch(chain, sender, reader, source, *place, 1_000_000))
        rounds = 0
        while not (left := await chain.past(Left, task=world.task)):
            rounds += 1
            async with asyncio.TaskGroup() as group:
                group.create_task(world.play(running))
                group.create_task(world.hasten(running, rounds, counted, counted))
            await chain.reach(chain.head().number, limit=10)
            for watch in (*watches, *watches):  # a second look at the same result is no second result
                await watch.look()
        assert [event.operator for event in left] == [silent.signer.address]
        assert rounds in (4, 5)
        assert sum(count_sent(network.anvil, node.signer.address) for node in others) == 1


async def test_sleep__of_a_member_that_was_there__is_refused(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    """By the proof of another that was absent: the chain looks for the node itself."""
    world = await World.make(network, assignment, tmp_path, evaluator, result_period=10_000)
    silent, present, counted = world.nodes[0], world.nodes[1], len(world.nodes) - 1
    silent.commits = False
    async with world.superlink() as running, network.chain() as chain:
        source = LayeredStore(DiskStore(world.home / "store"), attempts=1)
        for round_id in (1, 2, 3):
            assert not await find_sleepers(chain, source, world.task)
            async with asyncio.TaskGroup() as group:
                group.create_task(world.play(running))
                group.create_task(world.hasten(running, round_id, counted, counted))
        await chain.reach(chain.head().number, limit=10)
        (sleeper,) = await find_sleepers(chain, source, world.task)
        assert sleeper.node == silent.signer.address
        network.anvil.fund(present.signer.address, 10**20)  # type: ignore[arg-type]
        async with network.sender(chain, present.signer) as sender:
            call = Disputes(chain).sleep(world.task, sleeper.round, present.signer.address, sleeper.proof)
            with pytest.raises(Reverted, match="BadProof"):
                await sender.send(call)
            receipt = await sender.send(
                Disputes(chain).sleep(world.task, sleeper.round, sleeper.node, sleeper.proof)
            )
        assert receipt.gas_used < 600_000
