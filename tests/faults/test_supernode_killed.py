"""A Supernode that loses power anywhere in a round comes back, finishes it with its one commit, and is paid."""

import signal

import pytest

from dao.core.manifest import Manifest
from dao.core.types import Phase, RoundId
from dao.failpoint import VARIABLE
from dao.journal import FAILPOINTS, Step
from tests.faults.world import Supernode, World, row_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
BEFORE_CLOSING = (Step.SEEN, Step.SIGNED, Step.RECEIVED)
UNSIGNED = (
    *(f"{when}-{Step.SEEN}" for when in ("before", "during", "after")),
    "before-signed",
    "during-signed",
)


async def finished(world: World, round_: RoundId) -> Manifest:
    """Both nodes are counted and paid in the round, and know it."""
    manifest = await world.counted(round_, *world.nodes)
    for node in world.nodes:
        row = await node.ends(round_)
        assert (row.status, int(row.reward_wei)) == (
            row_of(manifest, node).status,
            row_of(manifest, node).reward_wei,
        )
    return manifest


async def committed(world: World, round_: RoundId, node: Supernode) -> str:
    """Wait until the Superlink has a node's commit; the commitment it signed for."""
    await world.superlink.said("committed", round=round_, node=node.address)
    await node.running.says("committed", f"round={round_}")
    return node.address


async def test_kill__while_training__trains_again_and_is_paid(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    victim = world.nodes[0]
    theirs.begin()
    await victim.restart()
    again = await victim.desk.asked(round_)
    assert again.pid != mine.pid
    again.begin()
    await finished(world, round_)


async def test_kill__committed__keeps_its_commit_without_training_again(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    victim = world.nodes[0]
    mine.begin()
    await committed(world, round_, victim)
    await victim.restart()
    await victim.running.says("round", f"round={round_}")
    theirs.begin()
    await finished(world, round_)


async def test_kill__commits_closed__finds_its_commit_in_the_tree_and_reveals(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    victim = world.nodes[0]
    mine.begin()
    await committed(world, round_, victim)
    victim.running.halt()
    theirs.begin()
    await world.reaches(round_, Phase.CLOSED)
    await victim.restart()
    manifest = await finished(world, round_)
    assert not row_of(manifest, victim).forced


async def test_kill__revealed__is_paid_all_the_same(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    victim, other = world.nodes
    theirs.begin()
    await committed(world, round_, other)
    other.running.halt()
    mine.begin()
    await world.superlink.said("revealed", round=round_, node=victim.address)
    await victim.restart()
    await victim.running.says("round", f"round={round_}")
    other.running.wake()
    await finished(world, round_)


async def test_kill__posted__learns_of_its_reward_and_takes_part_in_the_next_round(world: World) -> None:
    round_, (mine, theirs) = await world.begin()
    victim, other = world.nodes
    theirs.begin()
    await committed(world, round_, other)
    other.running.halt()
    mine.begin()
    await world.superlink.said("revealed", round=round_, node=victim.address)
    victim.running.halt()
    other.running.wake()
    await world.posted(round_)
    await victim.restart()
    await finished(world, round_)
    following, _ = await world.play()
    assert following == round_ + 1
    await finished(world, following)


async def test_kill__away_for_a_whole_round__says_so_and_is_in_the_next(world: World) -> None:
    round_, (_, theirs) = await world.begin()
    victim, other = world.nodes
    await victim.kill()
    theirs.begin()
    await committed(world, round_, other)
    world.skip(world.rules.commit_period)
    manifest = await world.counted(round_, other)
    assert [row.node for row in manifest.absent] == [victim.member.operator.address]
    await victim.start()
    assert "was not there while commits were open" in (await victim.ends(round_)).reason
    following, _ = await world.play()
    await finished(world, following)


@pytest.mark.parametrize("point", FAILPOINTS)
async def test_failpoint__power_is_lost_there__the_round_is_finished_with_one_commit(
    world: World, point: str
) -> None:
    round_, (_, theirs) = await world.begin()
    victim, step = world.nodes[0], Step(point.partition("-")[2])
    await victim.restart(**{VARIABLE: point})
    if step is not Step.SEEN:
        (await victim.desk.asked(round_)).begin()
    if step not in BEFORE_CLOSING:
        theirs.begin()
    assert await victim.running.ended() == -signal.SIGKILL
    await victim.start()
    if point in UNSIGNED:
        (await victim.desk.asked(round_)).begin()
    if step in BEFORE_CLOSING:
        theirs.begin()
    await finished(world, round_)
