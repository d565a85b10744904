"""A round that cannot open yet: what is missing is told once, and the round opens when it is there."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aggregator import readiness
from dao.app.gradient_client import GradientClient
from dao.chain.contracts import Registry, Token
from dao.chain.deploy import TOKEN
from dao.core.types import Phase, Wei
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World, enlisted
from tests.support import RULES, Network

pytestmark = pytest.mark.asyncio(loop_scope="session")


class StatusLog:
    """What the Superlink's `status.jsonl` says."""

    def __init__(self, home: Path) -> None:
        self._path = home / "status.jsonl"

    def events(self, *names: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [event for event in events if event["event"] in names]

    async def waits(self, times: int) -> str:
        """Wait until it has told so often that it waits; the newest reason."""
        async with asyncio.timeout(60):
            while len(found := self.events("waiting")) < times:  # noqa: ASYNC110  (a file)
                await asyncio.sleep(0.02)
        return str(found[-1]["reason"])


async def test_round__members_missing__told_once_a_change_and_opens_when_the_last_one_joins(
    network: Network,
    assignment: Assignment,
    evaluator: GradientClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "PAUSES", (86_400,))  # what wakes it is the chain
    world = await World.make(network, assignment, tmp_path, evaluator, members=0, quorum=2)
    told = StatusLog(tmp_path)
    async with world.superlink() as running, asyncio.timeout(90):
        playing = asyncio.create_task(running.superlink.run(1))
        assert await told.waits(1) == "0 of the 2 Supernodes of a quorum have joined"
        await enlisted(network, world.task, 1)
        assert await told.waits(2) == "1 of the 2 Supernodes of a quorum have joined"
        await enlisted(network, world.task, 1)
        await world.reaches(1, Phase.OPEN)
        playing.cancel()
    assert len(told.events("waiting")) == 2
    assert not told.events("trouble")


async def test_round__bond_and_member_missing__both_are_told_and_it_opens_when_the_bond_is_there(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(
        network, assignment, tmp_path, evaluator, members=0, superlink_bond=Wei(RULES.superlink_bond + TOKEN)
    )
    told = StatusLog(tmp_path)
    async with world.superlink() as running, network.chain() as chain, asyncio.timeout(90):
        playing = asyncio.create_task(running.superlink.run(1))
        bond = "the bond is 5 tokens of 6; its owner adds the rest: dao superlink register"
        assert await told.waits(1) == f"0 of the 1 Supernodes of a quorum have joined; {bond}"
        await enlisted(network, world.task, 1)
        assert await told.waits(2) == bond
        async with network.sender(chain, world.bonded.owner) as owner:
            await owner.send(Token(chain).approve(network.deployment.registry, TOKEN))
            await owner.send(Registry(chain).add_stake(world.bonded.operator.address, TOKEN))
        world.skip(readiness.LONGEST)
        await world.reaches(1, Phase.OPEN)
        playing.cancel()
    assert len(told.events("waiting")) == 2
    assert not told.events("trouble")


async def test_start__operator_without_gas__told(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, members=1)
    async with world.superlink() as running:
        network.anvil.fund(world.bonded.operator.address, Wei(1000))
        await running.superlink._deps.readiness.check()
    (event,) = StatusLog(tmp_path).events("waiting")
    assert event["reason"].startswith("the operator has 0.000000000000001 ether")
