"""Clocks that are wrong by an hour change nothing: deadlines are block times, and block time alone is asked."""

import asyncio
from pathlib import Path

import pytest

from dao.core.types import Phase
from dao.journal import Step
from tests.faults.process import ROOT
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
HOUR = 3600


def wrong(seconds: int) -> dict[str, str]:
    """Variables of a process whose clock is wrong."""
    return {"PYTHONPATH": f"{Path(__file__).parent / 'skew'}:{ROOT}", "CLOCK_OFF": str(seconds)}


@pytest.mark.parametrize("off", [-HOUR, HOUR])
async def test_clock__an_hour_off_at_a_node_and_as_much_the_other_way_at_the_superlink__rounds_go_on(
    world: World, off: int
) -> None:
    round_, (_, theirs) = await world.begin()
    victim, other = world.nodes
    await asyncio.gather(victim.restart(**wrong(off)), world.superlink.restart(**wrong(-off)))
    (await victim.desk.asked(round_)).begin()
    theirs.begin()
    await world.counted(round_, victim, other)
    clocks = [(await node.ends(round_)).facts["metrics"]["clock"] for node in (victim, other)]
    assert abs(clocks[0] - clocks[1] - off) < HOUR / 2
    told = await world.superlink.said("posted", round=round_)
    assert abs(told["time"] - clocks[1] + off) < HOUR / 2


async def test_deadline__block_time_passes_it__commits_close_at_once(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    victim, other = world.nodes
    theirs.begin()
    await other.steps(round_, Step.RECEIVED)
    world.skip(world.rules.commit_period - 30)
    assert (await world.round(round_)).phase is Phase.OPEN
    world.skip(30)
    await world.reaches(round_, Phase.CLOSED, Phase.POSTED, limit=20)
    await world.counted(round_, other)
    mine.begin()
    assert (await victim.ends(round_)).reason.startswith(
        "the commits were closed before the update was ready"
    )


async def test_block_time__an_hour_ahead_of_every_clock__rounds_go_on(world: World) -> None:
    await world.begin()
    world.skip(HOUR)
    round_ = (await world.newest()) + 1
    following, waiting = await world.begin(after=round_ - 1)
    for training in waiting:
        training.begin()
    await world.counted(following, *world.nodes)
    await world.accounts(following)
