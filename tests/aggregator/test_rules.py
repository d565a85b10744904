"""Rules that change, and a Superlink that is replaced, while a round is open: the round ends as it began."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.daemon import RunningSuperlink, open_superlink
from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.chain.contracts import Call, Coordinator, Distributor
from dao.chain.deploy import TOKEN, timelock_execute
from dao.chain.events import Aborted, ResultPosted
from dao.core.types import Phase, RoundId, Wei
from dao.errors import ConfigError
from dao.store.disk import DiskStore
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.audit.stage import audit_of
from tests.support import RULES, Network

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def decide(world: World, *calls: Call) -> None:
    """Have the DAO do something."""
    async with world.network.chain() as chain, world.network.dao(chain) as dao:
        await timelock_execute(chain, dao, calls)


async def open_round(world: World) -> None:
    async with world.network.chain() as chain, world.network.dao(chain) as anyone:
        await anyone.send(Coordinator(chain).open_round(world.task))


async def test_rounds__rules_changed_while_one_is_open__each_by_its_own_and_audits_pass(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator)
    changed = replace(
        world.rules,
        commit_period=45,
        challenge_period=60,
        quorum=2,
        max_stake=Wei(TOKEN),
        round_budget=Wei(12 * TOKEN),
    )
    async with world.superlink() as running, network.chain() as chain, asyncio.timeout(150):
        coordinator = Coordinator(chain)
        await world.play(running)
        await open_round(world)
        await decide(world, coordinator.change_rules(world.task, changed))
        async with asyncio.TaskGroup() as group:
            for node in world.nodes:
                group.create_task(node.take_part(chain, running.service.address, range(2, 4)))
            playing = group.create_task(running.play(2))
            await world.reaches(3, Phase.POSTED)
            world.skip(changed.challenge_period)  # which is too early for the two rounds before it
            world.skip(world.rules.challenge_period)
            await playing
        assert (await coordinator.rules_of_round(world.task, RoundId(2), chain.head())).commit_period == 60
        assert (await coordinator.task_of(world.task, chain.head())).in_flight == 0
        manifests = [await world.manifest(number) for number in (1, 2, 3)]
        assert [made.budget_wei for made in manifests] == [10 * TOKEN, 10 * TOKEN, 12 * TOKEN]
        paid = sum(made.budget_wei - made.refunded_wei for made in manifests)
        assert await Distributor(chain).total_of(world.task, chain.head()) == paid
    for number in (1, 2, 3):
        checks = await audit_of(world, number, tmp_path / "cache")
        assert exit_code([*checks.values()]) == 0, checks


@asynccontextmanager
async def successor(world: World, home: Path) -> AsyncIterator[RunningSuperlink]:
    """Another Superlink, which the DAO has chosen; it can read what the first one stored."""
    other = await world.network.new_member(RULES.superlink_bond)
    call = None
    async with world.network.chain() as chain:
        call = Coordinator(chain).set_superlink(world.task, other.operator.address)
    first = DiskStore(world.home / "store")  # which may not have begun yet
    settings = world.settings(home=home, stores=(world.assignment.store, first.root))
    with pytest.raises(ConfigError, match="its Superlink is"):
        async with open_superlink(settings, other.operator, world.evaluator):
            pass
    await decide(world, call)
    world.network.anvil.fund(other.operator.address, 10**20)  # type: ignore[arg-type]
    async with open_superlink(settings, other.operator, world.evaluator) as running:
        yield running


async def test_superlink__replaced_while_its_round_is_open__ends_it_then_the_other_plays(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "first", evaluator)
    await open_round(world)
    async with (
        successor(world, tmp_path / "second") as second,
        world.superlink() as first,  # it was away, and is still needed
        network.chain() as chain,
        asyncio.timeout(150),
        asyncio.TaskGroup() as group,
    ):
        following = group.create_task(second.superlink.run(1))
        for node in world.nodes:
            group.create_task(node.take_part(chain, first.service.address, range(1, 2)))
        await first.superlink.run()  # to its end: the task is another's
        for node in world.nodes:
            group.create_task(node.take_part(chain, second.service.address, range(2, 3)))
        await following
    results = await world.past(ResultPosted)
    assert [event.round for event in results] == [1, 2]
    assert (await world.state(2)).parent == 1


async def test_superlink__replaced_and_gone__its_round_is_aborted_when_due_and_another_played(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "first", evaluator)
    await open_round(world)
    async with (
        successor(world, tmp_path / "second") as second,
        network.chain() as chain,
        asyncio.timeout(150),
        asyncio.TaskGroup() as group,
    ):
        playing = group.create_task(second.superlink.run(1))
        world.skip(world.rules.commit_period + world.rules.result_period)
        await world.reaches(1, Phase.ABORTED)
        for node in world.nodes:
            group.create_task(node.take_part(chain, second.service.address, range(2, 3)))
        await playing
    assert [event.round for event in await world.past(Aborted)] == [1]
    assert [event.round for event in await world.past(ResultPosted)] == [2]
