"""A Superlink that denies an update: the node reveals it on chain, or proves by the receipt that it was received."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from aggregator.intake import Intake
from dao.chain.events import Attested, ForcedReveal
from dao.core.types import Address, Phase, Status
from dao.errors import RuleError
from dao.wire.messages import Ack, RevealRequest
from dao.wire.superlink_service import Receive
from node.journal import Step
from node.self_defence import NOTHING
from tests.faults.misbehaving import Conduct, open_misbehaving
from tests.faults.world import World, row_of
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

OnReveal = Callable[[Intake, Address, RevealRequest, Receive], Awaitable[Ack]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(
    living_network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Conduct]]:
    def corrupt(patch: pytest.MonkeyPatch, conduct: Conduct) -> None:
        patch.setattr(Intake, "on_reveal", on_reveal_of(conduct, Intake.on_reveal))

    folder = tmp_path_factory.mktemp("world")
    opening = open_misbehaving(living_network, folder, corrupt, challenge_period=600, result_period=600)
    async with opening as world:
        yield world


def on_reveal_of(conduct: Conduct, honest: OnReveal) -> OnReveal:
    """Return how updates are taken; of the node: refused, or forgotten after a receipt."""

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
