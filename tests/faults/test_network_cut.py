"""The network between a node and its Superlink breaks: when it is back, the round goes on; else the chain is the way."""

import pytest

from dao.chain.events import ForcedCommit
from dao.core.types import Phase, Status
from node.journal import Step
from tests.faults.world import World, row_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_cut__while_committing__commits_when_it_is_mended(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    world.proxy.cut()
    mine.begin()
    theirs.begin()
    await world.proxy.refused()
    world.proxy.mend()
    manifest = await world.counted(round_id, *world.nodes)
    assert not row_of(manifest, world.nodes[0]).forced


async def test_cut__while_revealing__reveals_when_it_is_mended(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    mine.begin()
    await world.nodes[0].steps(round_id, Step.RECEIVED)
    world.proxy.cut()
    theirs.begin()
    await world.reaches(round_id, Phase.CLOSED)
    await world.proxy.refused()
    world.proxy.mend()
    manifest = await world.counted(round_id, *world.nodes)
    assert not row_of(manifest, world.nodes[0]).forced


async def test_cut__until_the_commit_is_forced__it_counts_once(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    world.proxy.cut()
    mine.begin()
    await world.proxy.refused()
    world.skip(world.rules.commit_period - 30)  # so near to the deadline that nobody may wait any longer
    await world.nodes[0].running.says("commit forced", f"round={round_id}")
    world.proxy.mend()
    theirs.begin()
    manifest = await world.counted(round_id, *world.nodes)
    (forced,) = await world.chain.past(ForcedCommit, task=world.task, round=round_id)
    assert forced.node == world.nodes[0].member.operator.address
    assert [node.forced for node in manifest.nodes].count(True) == 1
    await world.accounts(round_id)


async def test_cut__while_commits_close__costs_nobody_the_round(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    mine.begin()
    await world.nodes[0].steps(round_id, Step.RECEIVED)
    world.proxy.cut()
    theirs.begin()
    await world.reaches(round_id, Phase.CLOSED)
    await world.nodes[0].running.says("commit left out", f"round={round_id}")  # as far as it can see
    world.proxy.mend()
    manifest = await world.counted(round_id, *world.nodes)
    assert not row_of(manifest, world.nodes[0]).forced
    assert not await world.chain.past(ForcedCommit, task=world.task, round=round_id)


async def test_cut__until_reveals_are_over__costs_the_round_and_says_why(
    world: World,
) -> None:
    victim, other = world.nodes
    round_id, (mine, theirs) = await world.begin()
    mine.begin()
    await victim.steps(round_id, Step.RECEIVED)
    world.proxy.cut()
    theirs.begin()
    await world.superlink.said("revealed", round=round_id, node=other.address)
    world.skip(world.rules.reveal_period)
    manifest = await world.counted(round_id, other)
    assert row_of(manifest, victim).status is Status.WITHHELD
    world.proxy.mend()
    told = await victim.ends(round_id)
    assert (told.status, told.reward_wei) == ("withheld", "0")
    assert told.reason
    following, _ = await world.play()
    await world.counted(following, *world.nodes)
