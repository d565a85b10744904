"""A Superlink that loses power anywhere in a round comes back and finishes it; no wei is paid twice."""

import psutil
import pytest

from dao.core.types import Phase, RoundId
from node.journal import Step
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def finished(world: World, round_: RoundId) -> None:
    """Everyone is counted in the round, and everything that was ever earned is paid, once."""
    await world.counted(round_, *world.nodes)
    await world.accounts(round_)
    for node in world.nodes:
        assert (await node.ends(round_)).reward_wei != "0"


async def test_kill__while_nodes_train_reveal_and_wait__they_go_on_when_it_is_back(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    late, early = world.nodes
    await world.superlink.kill()
    mine.begin()
    await late.running.says("committed", f"round={round_}")
    await world.superlink.start()
    await late.steps(round_, Step.RECEIVED)
    late.running.halt()
    theirs.begin()
    await world.superlink.said("revealed", round=round_, node=early.address)
    await world.superlink.kill()
    late.running.wake()
    await world.superlink.start()
    await world.reaches(round_, Phase.POSTED)
    await world.superlink.restart()
    await finished(world, round_)
    following, _ = await world.play()
    await finished(world, following)


async def test_evaluator__killed_between_rounds__is_started_again(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    (evaluator,) = psutil.Process(world.superlink.running.pid).children()
    evaluator.kill()
    mine.begin()
    theirs.begin()
    await finished(world, round_)
    assert world.superlink.running.runs
