"""The chain takes its last blocks back while a round is played: what they held is done again, and paid once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dao.chain.events import CommitsClosed, RoundOpened
from dao.core.types import Phase, RoundId
from tests.faults.world import Supernode, World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
DEPTHS = range(6)


async def take_back(world: World, round_id: RoundId, blocks: int) -> None:
    """Replace by empty ones the round's last block, so many before it, and what came since."""
    at = [
        event.block
        for kind in (RoundOpened, CommitsClosed)
        for event in await world.chain.past(kind, task=world.task, round=round_id)
    ]
    head = int(world.network.anvil.request("eth_blockNumber"), 16)
    await asyncio.to_thread(world.network.anvil.request, "anvil_reorg", head - max(at) + 1 + blocks, [])


@asynccontextmanager
async def at_work(world: World, last: RoundId) -> AsyncIterator[None]:
    """Let nodes train whenever they are about to, in rounds up to this one."""

    async def work(node: Supernode) -> None:
        while (training := await node.desk.asked()).round <= last:
            training.begin()
        node.desk.put_back(training)

    async with asyncio.TaskGroup() as group:
        working = [group.create_task(work(node)) for node in world.nodes]
        yield
        for task in working:
            task.cancel()


@pytest.mark.parametrize("blocks", DEPTHS)
async def test_reorg__while_nodes_train__the_round_is_played_and_paid_once(world: World, blocks: int) -> None:
    await world.play()
    round_id, waiting = await world.begin()
    await take_back(world, round_id, blocks)
    for training in waiting:
        training.begin()
    async with at_work(world, round_id):
        await world.counted(round_id, *world.nodes)
    await world.accounts(round_id)


@pytest.mark.parametrize("blocks", DEPTHS)
async def test_reorg__while_nodes_reveal__the_round_is_played_and_paid_once(
    world: World, blocks: int
) -> None:
    await world.play()
    round_id, (mine, theirs) = await world.begin()
    early, late = world.nodes
    theirs.begin()
    await late.running.says("committed", f"round={round_id}")
    await world.superlink.said("committed", round=round_id, node=late.address)
    late.running.halt()
    mine.begin()
    await world.superlink.said("revealed", round=round_id, node=early.address)
    assert (await world.round(round_id)).phase is Phase.CLOSED
    await take_back(world, round_id, blocks)
    late.running.wake()
    async with at_work(world, round_id):
        await world.counted(round_id, *world.nodes)
    await world.accounts(round_id)
