"""A Superlink that loses power anywhere in a round comes back and finishes it; no wei is paid twice."""

import psutil
import pytest

from dao.core.types import Phase, RoundId
from node.journal import Step
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def finished(world: World, round_id: RoundId) -> None:
    """Everyone is counted in the round, and everything that was ever earned is paid, once."""
    await world.counted(round_id, *world.nodes)
    await world.accounts(round_id)
    for node in world.nodes:
        assert (await node.ends(round_id)).reward_wei != "0"


async def test_kill__while_nodes_train_reveal_and_wait__they_go_on_when_it_is_back(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    late, early = world.nodes
    await world.superlink.kill()
    mine.begin()
    await late.running.says("committed", f"round={round_id}")
    await world.superlink.start()
    await late.steps(round_id, Step.RECEIVED)
    late.running.halt()
    theirs.begin()
    await world.superlink.said("revealed", round=round_id, node=early.address)
    await world.superlink.kill()
    late.running.wake()
    await world.superlink.start()
    await world.reaches(round_id, Phase.POSTED)
    await world.superlink.restart()
    await finished(world, round_id)
    following, _ = await world.play()
    await finished(world, following)


async def test_evaluator__killed_between_rounds__is_started_again(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    (evaluator,) = psutil.Process(world.superlink.running.pid).children()
    evaluator.kill()
    mine.begin()
    theirs.begin()
    await finished(world, round_id)
    assert world.superlink.running.runs
