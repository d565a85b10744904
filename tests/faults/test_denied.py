"""A Superlink that denies an update: the node reveals it on chain, or proves by the receipt that it was received."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
import pytest_asyncio

from aggregator.daemon import run_superlink
from aggregator.intake import Intake
from aggregator.settings import SuperlinkSettings
from dao.chain.events import Attested, ForcedReveal
from dao.core.types import Address, Phase, Status
from dao.errors import RuleError
from dao.wire.messages import Ack, RevealRequest
from dao.wire.superlink_service import Receive
from node.journal import Step
from node.self_defence import NOTHING
from tests.faults.world import World, open_world, row_of
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

OnReveal = Callable[[Intake, Address, RevealRequest, Receive], Awaitable[Ack]]


@dataclass
class Conduct:
    """How the Superlink treats the updates of one node: honest, refuse, or forget after a receipt."""

    node: Address
    how: str = "honest"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(
    living_network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Conduct]]:
    """A world whose Superlink runs in this process, so that it can be told to misbehave."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        async with open_world(living_network, folder, challenge_period=600, result_period=600) as world:
            conduct = Conduct(world.nodes[0].member.operator.address)
            patch.setenv("COMMONWEIGHT_RUNTIME", str(world.superlink.runtime))
            patch.setattr(Intake, "on_reveal", on_reveal_of(conduct, Intake.on_reveal))
            settings = SuperlinkSettings.load(world.superlink.home)
            serving = asyncio.create_task(run_superlink(settings, leave=False, say=print))
            await asyncio.gather(*(node.start() for node in world.nodes))
            yield world, conduct
            world.show()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


def on_reveal_of(conduct: Conduct, honest: OnReveal) -> OnReveal:
    async def on_reveal(intake: Intake, node: Address, request: RevealRequest, receive: Receive) -> Ack:
        how = conduct.how if node == conduct.node else "honest"
        if how == "refuse":
            raise RuleError("reveal: not today")
        ack = await honest(intake, node, request, receive)
        if how == "forget":
            collection = intake.get_collection(request.round)
            assert collection is not None
            del collection.reveals[node], collection.opened_to_us[node]
        return ack

    return on_reveal


async def test_denied__update_refused__is_revealed_on_chain_and_counts_once_it_comes(
    played: tuple[World, Conduct],
) -> None:
    world, conduct = played
    victim = world.nodes[0]
    round_id, waiting = await world.begin()
    conduct.how = "refuse"
    for training in waiting:
        training.begin()
    await victim.running.says("update not taken", f"round={round_id}", "not today")
    world.skip(world.rules.reveal_period * 17 // 25)  # a node forces from some seconds before on
    await victim.running.says("reveal forced", f"round={round_id}")
    conduct.how = "honest"  # it has no source but the node itself
    await world.counted(round_id, *world.nodes)
    (opened,) = await world.chain.past(ForcedReveal, task=world.task, round=round_id)
    assert opened.commitment


async def test_denied__forced_and_served_to_nobody__is_unavailable_and_convicts_nobody(
    played: tuple[World, Conduct],
) -> None:
    """The other node is drawn and looks for the update, and there is nothing that it could attest."""
    world, conduct = played
    victim, other = world.nodes
    conduct.how = "refuse"
    round_id, waiting = await world.begin(1)
    for training in waiting:
        training.begin()
    await victim.running.says("update not taken", f"round={round_id}", "not today")
    world.skip(world.rules.reveal_period * 17 // 25)
    await victim.running.says("reveal forced", f"round={round_id}")
    await other.running.says("not handed over", f"round={round_id}")
    world.skip(world.rules.reveal_period)
    reason = await victim.ends(round_id)
    assert row_of(await world.posted(round_id), victim).status is Status.UNAVAILABLE
    assert reason.facts["checked"] == NOTHING
    assert not await world.chain.past(Attested, task=world.task, round=round_id)
    assert (await world.round(round_id)).phase in (Phase.POSTED, Phase.FINALIZED)


async def test_denied__update_forgotten_after_its_receipt__node_proves_it_by_itself(
    played: tuple[World, Conduct],
) -> None:
    world, conduct = played
    victim, other = world.nodes
    round_id, waiting = await world.begin()
    conduct.how = "forget"
    for training in waiting:
        training.begin()
    await victim.steps(round_id, Step.REVEALED)
    await other.steps(round_id, Step.REVEALED)
    world.skip(world.rules.reveal_period)
    reason = (await victim.ends(round_id)).facts["checked"]
    assert "signed that it has its update, and does not count it; proven on chain: the round is void" in str(
        reason
    )
    await world.reaches(round_id, Phase.VOID)
