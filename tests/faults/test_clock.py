"""Clocks that are wrong by an hour change nothing: deadlines are block times, and block time alone is asked."""

import asyncio
import time
from pathlib import Path

import pytest

from dao.core.types import Phase
from node.journal import Step
from tests.faults.process import ROOT
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
HOUR = 3600


def wrong(seconds: int) -> dict[str, str]:
    """Variables of a process whose clock is wrong."""
    return {"PYTHONPATH": f"{Path(__file__).parent / 'skew'}:{ROOT}", "CLOCK_OFF": str(seconds)}


async def test_clocks__of_all_are_an_hour_off_this_way_or_that__the_round_goes_on(world: World) -> None:
    round_id, _ = await world.begin()
    daemons, off = (*world.nodes, world.superlink), (-HOUR, HOUR, -HOUR)
    await asyncio.gather(*(daemon.restart(**wrong(each)) for daemon, each in zip(daemons, off, strict=True)))
    for node in world.nodes:
        (await node.desk.asked(round_id)).begin()
    await world.counted(round_id, *world.nodes)
    told = (await world.superlink.said("posted", round=round_id))["time"]
    assert round((told - time.time()) / HOUR) * HOUR == off[-1]


async def test_deadline__block_time_passes_it__commits_close_at_once(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    victim, other = world.nodes
    theirs.begin()
    await other.steps(round_id, Step.RECEIVED)
    world.skip(world.rules.commit_period - 30)
    assert (await world.round(round_id)).phase is Phase.OPEN
    world.skip(30)
    await world.reaches(round_id, Phase.CLOSED, Phase.POSTED, limit=20)
    await world.counted(round_id, other)
    mine.begin()
    assert (await victim.ends(round_id)).reason.startswith(
        "the commits were closed before the update was ready"
    )


async def test_block_time__an_hour_ahead_of_every_clock__rounds_go_on(world: World) -> None:
    await world.begin()
    world.skip(HOUR)
    round_id = (await world.newest()) + 1
    following, waiting = await world.begin(after=round_id - 1)
    for training in waiting:
        training.begin()
    await world.counted(following, *world.nodes)
    await world.accounts(following)
