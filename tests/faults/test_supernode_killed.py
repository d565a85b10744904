"""A Supernode that loses power anywhere in a round comes back, finishes it with its one commit, and is paid."""

import signal

import pytest

from dao.core.formats.manifest import Manifest
from dao.core.types import RoundId
from dao.runtime.failpoint import VARIABLE
from node.journal import FAILPOINTS, Step
from node.model_keeper import FAILPOINTS as MODEL_FAILPOINTS
from tests.faults.world import Supernode, World, row_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
OPEN, CLOSED = (
    [point for point in FAILPOINTS if point.partition("-")[2] in steps]
    for steps in ((Step.SEEN, Step.SIGNED, Step.RECEIVED), (Step.COUNTED, Step.REVEALED, Step.ENDED))
)
TRAINED = ("before-signed", "during-signed", "after-signed")  # what was trained before is lost with the power
REVEALED = "before-ended"  # from here on there may be a result


async def finished(world: World, round_id: RoundId) -> Manifest:
    """Both nodes are counted and paid in the round, and know it."""
    manifest = await world.counted(round_id, *world.nodes)
    for node in world.nodes:
        row = await node.ends(round_id)
        assert (row.status, int(row.reward_wei)) == (
            row_of(manifest, node).status,
            row_of(manifest, node).reward_wei,
        )
    return manifest


async def committed(world: World, round_id: RoundId, node: Supernode) -> str:
    """Wait until the Superlink has a node's commit; the commitment it signed for."""
    await world.superlink.said("committed", round=round_id, node=node.address)
    await node.running.says("committed", f"round={round_id}")
    return node.address


async def test_kill__posted__learns_of_its_reward_and_takes_part_in_the_next_round(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    victim, other = world.nodes
    theirs.begin()
    await committed(world, round_id, other)
    other.running.halt()
    mine.begin()
    await world.superlink.said("revealed", round=round_id, node=victim.address)
    victim.running.halt()
    other.running.wake()
    await world.posted(round_id)
    await victim.restart()
    await finished(world, round_id)
    following, _ = await world.play()
    assert following == round_id + 1
    await finished(world, following)


async def test_kill__away_for_a_whole_round__says_so_and_is_in_the_next(world: World) -> None:
    round_id, (_, theirs) = await world.begin()
    victim, other = world.nodes
    await victim.kill()
    theirs.begin()
    await committed(world, round_id, other)
    world.skip(world.rules.commit_period)
    manifest = await world.counted(round_id, other)
    assert [row.node for row in manifest.absent] == [victim.member.operator.address]
    await victim.start()
    assert "was not there while commits were open" in (await victim.ends(round_id)).reason
    following, _ = await world.play()
    await finished(world, following)


async def test_failpoints__power_is_lost_at_each_while_commits_are_open__one_commit_is_paid(
    world: World,
) -> None:
    round_id, (_, theirs) = await world.begin()
    victim = world.nodes[0]
    await victim.kill()
    for point in OPEN:
        await victim.start(**{VARIABLE: point})
        if point in TRAINED:
            (await victim.desk.asked(round_id)).begin()
        assert await victim.running.ended() == -signal.SIGKILL, point
    await victim.start()
    theirs.begin()
    await finished(world, round_id)


async def test_failpoints__power_is_lost_at_each_once_commits_are_closed__one_commit_is_paid(
    world: World,
) -> None:
    round_id, (_, theirs) = await world.begin()
    victim, other = world.nodes
    theirs.begin()
    await committed(world, round_id, other)
    other.running.halt()  # so that the round stays closed until it reveals
    await victim.restart(**{VARIABLE: CLOSED[0]})
    (await victim.desk.asked(round_id)).begin()
    for following in (*CLOSED[1:], ""):
        assert await victim.running.ended() == -signal.SIGKILL
        await victim.start(**{VARIABLE: following})
        if following == REVEALED:
            other.running.wake()
    await finished(world, round_id)


async def test_failpoints__power_is_lost_while_the_new_model_is_made__the_next_round_is_trained_on_it(
    world: World,
) -> None:
    victim = world.nodes[0]
    for point in MODEL_FAILPOINTS:
        await victim.restart(**{VARIABLE: point})
        round_id, trainings = await world.begin()
        for training in trainings:
            training.begin()
        assert await victim.running.ended() == -signal.SIGKILL, point
        await world.posted(round_id)
        await victim.start()
        await finished(world, round_id)
    following, _ = await world.play()
    await finished(world, following)
