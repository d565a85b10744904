"""The network between a node and its Superlink breaks: when it is back, the round goes on; else the chain is the way."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dao.chain.events import ForcedCommit
from dao.core.types import Phase, Status
from dao.journal import Step
from tests.faults.proxy import Proxy
from tests.faults.world import World, open_world, port_of, row_of
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    living_network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Proxy]]:
    """A world whose first node reaches the Superlink through a proxy only."""
    folder = tmp_path_factory.mktemp("world")
    async with open_world(living_network, folder, force_period=20) as world:
        proxy = Proxy(port_of(world.address))
        world.reconnect(world.nodes[0], await proxy.start())
        await world.start()
        yield world, proxy
        proxy.close()


@pytest_asyncio.fixture(loop_scope="module")
async def cut_off(shared: tuple[World, Proxy]) -> AsyncIterator[tuple[World, Proxy]]:
    yield shared
    shared[0].show()
    shared[1].mend()


async def test_cut__while_committing__commits_when_it_is_mended(cut_off: tuple[World, Proxy]) -> None:
    world, proxy = cut_off
    round_, (mine, theirs) = await world.begin()
    proxy.cut()
    mine.begin()
    theirs.begin()
    await proxy.refused()
    proxy.mend()
    manifest = await world.counted(round_, *world.nodes)
    assert not row_of(manifest, world.nodes[0]).forced


async def test_cut__while_revealing__reveals_when_it_is_mended(cut_off: tuple[World, Proxy]) -> None:
    world, proxy = cut_off
    round_, (mine, theirs) = await world.begin()
    mine.begin()
    await world.nodes[0].steps(round_, Step.RECEIVED)
    proxy.cut()
    theirs.begin()
    await world.reaches(round_, Phase.CLOSED)
    await proxy.refused()
    proxy.mend()
    manifest = await world.counted(round_, *world.nodes)
    assert not row_of(manifest, world.nodes[0]).forced


async def test_cut__until_the_commit_is_forced__it_counts_once(cut_off: tuple[World, Proxy]) -> None:
    world, proxy = cut_off
    round_, (mine, theirs) = await world.begin()
    mine.begin()
    await world.nodes[0].steps(round_, Step.RECEIVED)
    proxy.cut()
    theirs.begin()
    await world.nodes[0].running.says("commit left out, so it is forced", f"round={round_}")
    await world.nodes[0].steps(round_, Step.COUNTED)
    proxy.mend()
    manifest = await world.counted(round_, *world.nodes)
    (forced,) = await world.chain.past(ForcedCommit, task=world.task, round=round_)
    assert forced.node == world.nodes[0].member.operator.address
    assert len(manifest.nodes) == 2
    await world.accounts(round_)


async def test_cut__too_long_to_force__reveals_what_is_in_the_tree(cut_off: tuple[World, Proxy]) -> None:
    world, proxy = cut_off
    round_, (mine, theirs) = await world.begin()
    mine.begin()
    await world.nodes[0].steps(round_, Step.RECEIVED)
    proxy.cut()
    theirs.begin()
    await world.reaches(round_, Phase.CLOSED)
    world.skip(world.rules.force_period)
    await world.nodes[0].running.says("commit not forced", f"round={round_}")
    proxy.mend()
    manifest = await world.counted(round_, *world.nodes)
    assert not row_of(manifest, world.nodes[0]).forced


async def test_cut__until_reveals_are_over__costs_the_round_and_says_why(
    cut_off: tuple[World, Proxy],
) -> None:
    world, proxy = cut_off
    victim, other = world.nodes
    round_, (mine, theirs) = await world.begin()
    mine.begin()
    await victim.steps(round_, Step.RECEIVED)
    proxy.cut()
    theirs.begin()
    await world.superlink.said("revealed", round=round_, node=other.address)
    world.skip(world.rules.reveal_period)
    manifest = await world.counted(round_, other)
    assert row_of(manifest, victim).status is Status.WITHHELD
    proxy.mend()
    told = await victim.ends(round_)
    assert (told.status, told.reward_wei) == ("withheld", "0")
    assert told.reason
    following, _ = await world.play()
    await world.counted(following, *world.nodes)
