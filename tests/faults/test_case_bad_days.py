"""Cases of real daemons go wrong in the middle: the accuser dies, the chain takes it back, the liar leaves, the accused dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dao.chain.contracts import Registry
from dao.chain.demanding import demand_leaf, list_open_demands
from dao.chain.events import Answered, Convicted, Voided
from dao.chain.signer import Signer
from dao.core.types import Phase, RoundId
from dao.proofs.leaf_places import parse_place
from node.journal import Step
from tests.faults.misbehaving import Conduct, corrupt_commits, open_misbehaving
from tests.faults.process import LIMIT, LOOK
from tests.faults.world import Supernode, World, open_world
from tests.support import Network, bring_together, count_sent, has_failed

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
WINDOW = 600  # seconds for challenges


@asynccontextmanager
async def lied(network: Network, folder: Path) -> AsyncIterator[tuple[World, RoundId, Conduct]]:
    """A round is about to close without the first node's commit, which the Superlink had signed for."""
    opening = open_misbehaving(
        network, folder, corrupt_commits, challenge_period=WINDOW, result_period=WINDOW
    )
    async with opening as (world, conduct):
        round_id, (mine, theirs) = await world.begin()
        conduct.how = "forget"
        for node, training in zip(world.nodes, (mine, theirs), strict=True):
            training.begin()
            await node.steps(round_id, Step.RECEIVED)
        world.skip(world.rules.commit_period)
        yield world, round_id, conduct


@asynccontextmanager
async def announced(world: World, node: Supernode) -> AsyncIterator[None]:
    """The node has announced its proof, and no block comes in which it could show it, until this ends."""
    anvil, account = world.network.anvil, node.member.operator.address
    anvil.request("evm_setIntervalMining", 0)
    try:
        async with asyncio.timeout(LIMIT):
            while count_sent(anvil, account) == 0:
                anvil.request("evm_mine")
                await asyncio.sleep(5 * LOOK)
        assert count_sent(anvil, account) == 1
        yield
    finally:
        anvil.request("evm_setIntervalMining", 1)


async def is_convicted(world: World, round_id: RoundId) -> None:
    """The round is void by one conviction, and the Superlink's bond is gone."""
    await world.reaches(round_id, Phase.VOID)
    async with asyncio.timeout(60):
        while not (convicted := await world.chain.past(Convicted, task=world.task, round=round_id)):
            await world.chain.changed(1)  # Anvil: state first
    assert [one.slashed for one in convicted] == [world.rules.superlink_bond]
    assert len(await world.chain.past(Voided, task=world.task, round=round_id)) == 1
    assert await Registry(world.chain).stake_of(world.rules.superlink, world.chain.head()) == 0


async def test_accuser__killed_between_announcement_and_proof__shows_it_when_it_is_back(
    living_network: Network, tmp_path: Path
) -> None:
    async with lied(living_network, tmp_path) as (world, round_id, _):
        victim = world.nodes[0]
        async with announced(world, victim):
            await victim.kill()
        assert (await world.round(round_id)).phase is Phase.POSTED
        await victim.start()
        assert "proven on chain" in (await victim.ends(round_id)).reason
        await is_convicted(world, round_id)
        assert count_sent(living_network.anvil, victim.member.operator.address) == 2


@pytest.mark.parametrize("blocks", [1, 2])
async def test_reorg__takes_the_announcement_back__round_is_void_all_the_same(
    living_network: Network, tmp_path: Path, blocks: int
) -> None:
    async with lied(living_network, tmp_path) as (world, round_id, _):
        victim = world.nodes[0]
        async with announced(world, victim):
            await asyncio.to_thread(living_network.anvil.request, "anvil_reorg", blocks, [])
        await victim.ends(round_id)
        await is_convicted(world, round_id)


@pytest.mark.parametrize("away", [False, True])
async def test_reorg__brings_announcement_and_proof_into_one_block__the_proof_is_shown_again(
    living_network: Network, tmp_path: Path, away: bool
) -> None:
    """As the pool of a chain's node brings them back: the proof fails, and the result stands again."""
    async with lied(living_network, tmp_path) as (world, round_id, _):
        victim, anvil = world.nodes[0], living_network.anvil
        assert "proven on chain" in (await victim.ends(round_id)).reason
        await is_convicted(world, round_id)
        if away:
            await victim.kill()
        shown = bring_together(anvil, victim.member.operator.address)
        assert has_failed(anvil, shown)
        if away:
            await victim.start()
        await is_convicted(world, round_id)


async def test_superlink__lies_and_leaves_with_its_stake_unbonding__loses_it_by_those_it_left(
    living_network: Network, tmp_path: Path
) -> None:
    async with lied(living_network, tmp_path) as (world, round_id, conduct):
        victim = world.nodes[0]
        async with announced(world, victim):
            victim.running.halt()
        owner = Signer.load(
            tmp_path / "owner-superlink" / "operator.json", tmp_path / "owner-superlink" / "password"
        )
        async with living_network.sender(world.chain, owner) as sender:
            await sender.send(Registry(world.chain).unbond(world.rules.superlink, world.rules.superlink_bond))
        conduct.leave()
        victim.running.wake()
        await is_convicted(world, round_id)


async def test_superlink__killed_while_a_leaf_is_demanded__shows_it_when_it_is_back(
    living_network: Network, tmp_path: Path
) -> None:
    place, stranger = parse_place("rows:0"), Signer.ephemeral()
    async with open_world(living_network, tmp_path, challenge_period=WINDOW) as world:
        await world.start()
        round_id, _ = await world.play()
        await world.superlink.kill()
        async with living_network.sender(world.chain, stranger) as sender:
            await demand_leaf(world.chain, sender, world.task, round_id, place)
        await world.superlink.start()
        await world.superlink.said("answered", round=round_id)
        async with asyncio.timeout(LIMIT):  # the test's own view of the chain may be a block behind
            while await list_open_demands(world.chain, world.task):
                await world.chain.changed(1)
        (answered,) = await world.chain.past(Answered, task=world.task)
        assert answered.answerer == world.rules.superlink
        assert (await world.round(round_id)).phase is Phase.POSTED
        world.show()
