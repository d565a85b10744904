"""A task that its card ends: the Superlink opens no further round, until members vote for another card."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dao.app.gradient_client import GradientClient
from dao.chain.contracts import Coordinator
from dao.chain.deploy import timelock_execute
from dao.core.formats.card import Card, Metric, Stop, write_card
from dao.core.types import Phase
from dao.store.disk import DiskStore
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="session")
METRIC = Metric("accuracy", higher_is_better=True)


async def test_run__rounds_bring_too_little__ends_with_the_second_and_goes_on_with_another_card(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    store = DiskStore(assignment.store)
    ending, endless = [
        (await store.put_bytes(write_card(Card("Lines", metric=METRIC, stop=stop)))).digest
        for stop in (Stop(1, 10**9), None)
    ]
    world = await World.make(network, assignment, tmp_path, evaluator, card=ending)
    status = world.home / "status.jsonl"
    async with world.superlink() as running, network.chain() as chain:
        coordinator = Coordinator(chain)
        async with asyncio.timeout(90), asyncio.TaskGroup() as group:
            for node in world.nodes:
                group.create_task(node.take_part(chain, running.service.address, range(1, 3)))
            await running.superlink.run(5)
        assert (await coordinator.task_of(world.task, chain.head())).last_round == 2
        assert (await world.state(2)).phase is Phase.POSTED
        [over] = [
            event for event in map(json.loads, status.read_text().splitlines()) if event["event"] == "over"
        ]
        assert "its card ends it: the best accuracy of its last round (" in over["reason"]
        other = coordinator.change_rules(world.task, replace(world.rules, card=endless))
        async with network.dao(chain) as dao:
            await timelock_execute(chain, dao, [other])
        await running.superlink._deps.chain.reach(chain.head().number, limit=10)  # or it ends by the old card
        await world.play(running, 1)
        assert (await coordinator.task_of(world.task, chain.head())).last_round == 3


async def test_run__members_vote_for_a_card_that_is_none__the_result_is_posted_all_the_same(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    none = (await DiskStore(assignment.store).put_bytes(b"no card")).digest
    world = await World.make(network, assignment, tmp_path, evaluator)
    async with world.superlink() as running, network.chain() as chain, network.dao(chain) as dao:
        coordinator = Coordinator(chain)
        await dao.send(coordinator.open_round(world.task))
        voted = coordinator.change_rules(world.task, replace(world.rules, card=none))
        await timelock_execute(chain, dao, [voted])
        playing = asyncio.create_task(running.superlink.run(2))
        try:
            async with asyncio.timeout(90), asyncio.TaskGroup() as group:
                for node in world.nodes:
                    group.create_task(node.take_part(chain, running.service.address, range(1, 2)))
                await world.reaches(1, Phase.POSTED)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        assert (await coordinator.task_of(world.task, chain.head())).last_round == 1
    assert "card: expected" in (world.home / "status.jsonl").read_text()
