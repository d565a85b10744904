"""A Superlink publishes a gradient that is not the app's: the members' daemons take its bond, and nobody helps them."""

import asyncio
from pathlib import Path

import pytest

from dao.chain.contracts import Registry
from dao.chain.event_types import RoundEvent
from dao.chain.vote_events import GradientAccused, GradientJudged, VoteCommitted, VoteRevealed
from dao.core.types import Phase, RoundId
from tests.faults.process import LIMIT
from tests.faults.world import World, open_node, open_world
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
LIES = Path(__file__).parent / "lies"


async def reach(world: World, kind: type[RoundEvent], round_id: RoundId, count: int) -> None:
    """Wait until there are so many events of a kind."""
    async with asyncio.timeout(2 * LIMIT):
        while len(await world.chain.past(kind, task=world.task, round=round_id)) < count:
            await world.chain.changed(1)


async def test_gradient__not_the_apps__superlink_loses_its_bond_by_the_daemons_alone(
    living_network: Network, tmp_path: Path
) -> None:
    async with open_world(living_network, tmp_path, challenge_period=600) as world:
        world.nodes.append(await open_node(living_network, tmp_path, world.task, world.address, 2))
        for node in world.nodes:
            config = node.home / "config.toml"
            config.write_text("gradient_checkers = 3\n" + config.read_text())  # each checks
        await asyncio.gather(
            world.superlink.start(PYTHONPATH=str(LIES)), *(node.start() for node in world.nodes)
        )
        round_id, _ = await world.play()
        for kind, count in ((GradientAccused, 1), (VoteCommitted, 3)):
            await reach(world, kind, round_id, count)
        # killed with its vote journaled: it reveals what it committed to
        await world.nodes[0].restart()
        world.skip(world.rules.challenge_period // 8)
        await reach(world, VoteRevealed, round_id, 3)
        await reach(world, GradientJudged, round_id, 1)
        await world.reaches(round_id, Phase.VOID)
        superlink = world.rules.superlink
        assert await Registry(world.chain).stake_of(superlink, world.chain.head().number) == 0
        assert len(await world.chain.past(VoteCommitted, task=world.task, round=round_id)) == 3
