"""A Superlink that loses power anywhere in a round comes back and finishes it; no wei is paid twice."""

import signal

import psutil
import pytest

from dao.core.types import Phase, RoundId
from dao.failpoint import VARIABLE
from dao.journal import Step
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
FAILPOINTS = ("commit-journalled", "closing", "reveal-journalled", "published")


async def finished(world: World, round_: RoundId) -> None:
    """Everyone is counted in the round, and everything that was ever earned is paid, once."""
    await world.counted(round_, *world.nodes)
    await world.accounts(round_)
    for node in world.nodes:
        assert (await node.ends(round_)).reward_wei != "0"


async def test_kill__while_nodes_train__takes_their_commits_when_it_is_back(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    await world.superlink.kill()
    mine.begin()
    theirs.begin()
    for node in world.nodes:
        await node.running.says("committed", f"round={round_}")
    await world.superlink.start()
    await finished(world, round_)


async def test_kill__some_have_committed__keeps_what_it_gave_receipts_for(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    mine.begin()
    await world.superlink.said("committed", round=round_, node=world.nodes[0].address)
    await world.nodes[0].steps(round_, Step.RECEIVED)
    await world.superlink.kill()
    theirs.begin()
    await world.superlink.start()
    await finished(world, round_)


async def test_kill__some_have_revealed__waits_for_the_others_and_settles(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    late, early = world.nodes
    mine.begin()
    await late.steps(round_, Step.RECEIVED)
    late.running.halt()
    theirs.begin()
    await world.superlink.said("revealed", round=round_, node=early.address)
    await world.superlink.kill()
    late.running.wake()
    await world.superlink.start()
    await finished(world, round_)


async def test_kill__posted__makes_the_round_final_once(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    mine.begin()
    theirs.begin()
    await world.reaches(round_, Phase.POSTED)
    await world.superlink.restart()
    await finished(world, round_)


@pytest.mark.parametrize("point", FAILPOINTS)
async def test_failpoint__power_is_lost_there__the_round_is_finished(world: World, point: str) -> None:
    round_, (mine, theirs) = await world.begin()
    await world.superlink.restart(**{VARIABLE: f"superlink-{point}"})
    mine.begin()
    theirs.begin()
    assert await world.superlink.running.ended() == -signal.SIGKILL
    await world.superlink.start()
    await finished(world, round_)


async def test_failpoint__power_is_lost_as_a_round_opens__plays_that_round(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    await world.superlink.restart(**{VARIABLE: "superlink-opened"})
    mine.begin()
    theirs.begin()
    assert await world.superlink.running.ended() == -signal.SIGKILL
    await world.superlink.start()
    following, _ = await world.play()
    assert following == round_ + 1
    await finished(world, following)


async def test_evaluator__killed_between_rounds__is_started_again(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    (evaluator,) = psutil.Process(world.superlink.running.pid).children()
    evaluator.kill()
    mine.begin()
    theirs.begin()
    await finished(world, round_)
    assert world.superlink.running.runs
