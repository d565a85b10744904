"""A Superlink that leaves a node's commit out: the node takes it to the chain, or proves the fault there."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dao.chain.contracts import Registry
from dao.chain.events import ForcedCommit
from dao.core.types import Phase
from node.journal import Step
from tests.faults.misbehaving import Conduct, corrupt_commits, open_misbehaving
from tests.faults.world import World, row_of
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(
    living_network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Conduct]]:
    folder = tmp_path_factory.mktemp("world")
    async with open_misbehaving(living_network, folder, corrupt_commits) as world:
        yield world


async def test_ignored__commit_refused__is_forced_on_chain_and_counted(played: tuple[World, Conduct]) -> None:
    world, conduct = played
    victim, other = world.nodes
    round_id, (mine, theirs) = await world.begin()
    conduct.how = "refuse"
    theirs.begin()
    await other.steps(round_id, Step.RECEIVED)
    mine.begin()
    await victim.running.says("commit not taken", f"round={round_id}", "not today")
    world.skip(world.rules.commit_period - 30)
    await victim.running.says("commit forced", f"round={round_id}")
    await victim.steps(round_id, Step.COUNTED)
    conduct.how = "honest"
    manifest = await world.counted(round_id, victim, other)
    assert row_of(manifest, victim).forced
    assert not row_of(manifest, other).forced
    (forced,) = await world.chain.past(ForcedCommit, task=world.task, round=round_id)
    assert forced.node == conduct.node
    assert (await victim.ends(round_id)).facts["counted"] == "on chain"


async def test_ignored__commit_forgotten_after_its_receipt__node_proves_it_by_itself(
    played: tuple[World, Conduct],
) -> None:
    world, conduct = played
    victim, other = world.nodes
    round_id, (mine, theirs) = await world.begin()
    conduct.how = "forget"
    mine.begin()
    await victim.steps(round_id, Step.RECEIVED)
    theirs.begin()
    await other.steps(round_id, Step.RECEIVED)
    world.skip(world.rules.commit_period)
    await victim.running.says("commit left out", f"round={round_id}")
    reason = (await victim.ends(round_id)).reason
    assert "signed for its commit, and left it out; proven on chain: the round is void" in reason
    await world.reaches(round_id, Phase.VOID)
    at, superlink = world.chain.head(), world.rules.superlink
    assert await Registry(world.chain).stake_of(superlink, at) == 0  # so it opens no more rounds
