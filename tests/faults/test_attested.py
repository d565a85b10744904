"""A node opens its commit on chain and serves its update: another member hands it over, and attests where the Superlink signs nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from aggregator.collection import Collection
from aggregator.intake import Intake
from aggregator.reveal_fetcher import RevealFetcher
from dao.chain.blocks import BlockRef
from dao.chain.events import Attested, ForcedReveal
from dao.core.types import Address, Phase, RoundId, RoundState, Wei
from dao.devnet.kubo_daemon import start_kubo
from dao.errors import RuleError
from dao.wire.messages import Ack, RevealRequest
from dao.wire.superlink_service import Receive
from node.attester import compute_attesting_time
from node.journal import Step
from node.submission import compute_forcing_time
from tests.faults.misbehaving import Conduct, open_misbehaving
from tests.faults.process import LIMIT
from tests.faults.world import World, write_config
from tests.support import RULES, Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300), pytest.mark.kubo]

OnReveal = Callable[[Intake, Address, RevealRequest, Receive], Awaitable[Ack]]
ReadAttested = Callable[[RevealFetcher, Collection, BlockRef], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(
    living_network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Conduct]]:
    """A world whose nodes have an IPFS node."""
    folder = tmp_path_factory.mktemp("world")
    kubo = await start_kubo(folder / "kubo")

    def corrupt(patch: pytest.MonkeyPatch, conduct: Conduct) -> None:
        patch.setattr(Intake, "on_reveal", on_reveal_of(conduct, Intake.on_reveal))
        patch.setattr(Intake, "fetch_forced", fetch_nothing)
        patch.setattr(RevealFetcher, "is_certain", is_certain)
        patch.setattr(RevealFetcher, "_read_attested", see_nothing)

    def prepare(world: World) -> None:
        for node in world.nodes:
            first = f'threads = 1\ncontent.sync = false\ncontent.ipfs = "{kubo.api}"'
            write_config(node.home, living_network, first)

    bond = Wei(RULES.superlink_bond // 4)  # it is lost twice, and rounds go on
    # of the reveal period attesting has the most it can: blocks are mined by leaps, and daemons are slow under load
    rules = {"superlink_bond": bond, "reveal_period": 600, "challenge_period": 600, "result_period": 600}
    try:
        async with open_misbehaving(living_network, folder, corrupt, prepare, **rules) as world:
            yield world
    finally:
        await kubo.stop()


def on_reveal_of(conduct: Conduct, honest: OnReveal) -> OnReveal:
    """Return how updates are taken: nothing of the node from itself, but from others.

    `forget`: it signs that it has it, and says otherwise. `deny`: it takes it from nobody.
    """

    async def on_reveal(intake: Intake, caller: Address, request: RevealRequest, receive: Receive) -> Ack:
        if caller == conduct.node or (request.node == conduct.node and conduct.how == "deny"):
            raise RuleError("reveal: not today")
        ack = await honest(intake, caller, request, receive)
        if request.node == conduct.node and conduct.how == "forget":
            collection = intake.get_collection(request.round)
            assert collection is not None
            del collection.reveals[conduct.node]
        return ack

    return on_reveal


async def fetch_nothing(_: Intake, node: Address, collection: Collection) -> None:
    """Leave what was opened on chain where it is."""


async def is_certain(_: RevealFetcher, collection: Collection, closed: RoundState) -> bool:
    """Post, whatever may be attested."""
    return True


async def see_nothing(_: RevealFetcher, collection: Collection, at: BlockRef) -> None:
    """Take no notice of attestations."""


async def force(world: World, after: int = 0) -> RoundId:
    """Play a round until the first node has opened its commit on chain."""
    victim = world.nodes[0]
    round_id, waiting = await world.begin(after)
    for training in waiting:
        training.begin()
    await victim.running.says("update not taken", f"round={round_id}", "not today")
    world.skip_to(compute_forcing_time(world.rules, await world.round(round_id)) + 1)
    await victim.running.says("reveal forced", f"round={round_id}")
    return round_id


async def attested(world: World, round_id: RoundId) -> list[Address]:
    events = await world.chain.past(Attested, task=world.task, round=round_id)
    return [event.node for event in events]


async def test_attested__taken_from_another_member__counts_and_costs_no_gas(
    played: tuple[World, Conduct],
) -> None:
    world, _ = played
    round_id = await force(world)
    await world.nodes[1].running.says("event='handed over'", f"round={round_id}")
    await world.counted(round_id, *world.nodes)
    (opened,) = await world.chain.past(ForcedReveal, task=world.task, round=round_id)
    assert opened.node == world.nodes[0].member.operator.address
    assert not await attested(world, round_id)


async def test_attested__signed_for_and_called_unavailable__the_member_that_has_the_receipt_proves_it(
    played: tuple[World, Conduct],
) -> None:
    world, conduct = played
    conduct.how = "forget"
    round_id = await force(world, 1)
    await world.nodes[1].running.says("event='handed over'", f"round={round_id}")
    world.skip(world.rules.reveal_period)
    checked = (await world.nodes[1].ends(round_id)).facts["checked"]
    assert "the Superlink signed that it has its update, and does not count it; proven on chain" in str(
        checked
    )
    await world.reaches(round_id, Phase.VOID)
    assert not await attested(world, round_id)


async def test_attested__taken_from_nobody_and_called_unavailable__loses_the_bond(
    played: tuple[World, Conduct],
) -> None:
    world, conduct = played
    victim, other = world.nodes
    conduct.how = "deny"
    round_id = await force(world, 2)
    await other.running.says("not handed over", f"round={round_id}")
    world.skip_to(compute_attesting_time(world.rules, await world.round(round_id)) + 1)
    await other.running.says("event='attested'", f"round={round_id}")
    async with asyncio.timeout(LIMIT):  # the test's own view of the chain may be a block behind
        while not (nodes := await attested(world, round_id)):
            await world.chain.changed(1)
    assert nodes == [victim.member.operator.address]
    world.skip(world.rules.reveal_period)
    await victim.steps(round_id, Step.ENDED)
    checked = (await victim.ends(round_id)).facts["checked"]
    assert (
        "members attested on chain that they have its update, and it is not counted; proven on chain"
        in str(checked)
    )
    await world.reaches(round_id, Phase.VOID)
