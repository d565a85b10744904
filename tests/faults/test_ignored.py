"""A Superlink that leaves a node's commit out: the node takes it to the chain, or proves the fault there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
import pytest_asyncio

from aggregator.daemon import run_superlink
from aggregator.intake import Intake
from aggregator.settings import SuperlinkSettings
from dao.chain.contracts import Registry
from dao.chain.events import ForcedCommit
from dao.core.commits import SignedCommit
from dao.core.formats.signed_messages import compute_receipt_digest
from dao.core.types import Address, Phase
from dao.errors import RuleError
from node.journal import Step
from tests.faults.world import World, open_world, row_of
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


OnCommit = Callable[[Intake, SignedCommit], Awaitable[bytes]]


@dataclass
class Conduct:
    """How the Superlink treats the commits of one node: honest, refuse, or forget after a receipt."""

    node: Address
    how: str = "honest"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(
    living_network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Conduct]]:
    """A world whose Superlink runs in this process, so that it can be told to misbehave."""
    with pytest.MonkeyPatch.context() as patch:
        async with open_world(living_network, tmp_path_factory.mktemp("world")) as world:
            conduct = Conduct(world.nodes[0].member.operator.address)
            patch.setenv("COMMONWEIGHT_RUNTIME", str(world.superlink.runtime))
            patch.setattr(Intake, "on_commit", on_commit_of(conduct, Intake.on_commit))
            settings = SuperlinkSettings.load(world.superlink.home)
            serving = asyncio.create_task(run_superlink(settings, leave=False, say=print))
            await asyncio.gather(*(node.start() for node in world.nodes))
            yield world, conduct
            world.show()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


def on_commit_of(conduct: Conduct, honest: OnCommit) -> OnCommit:
    async def on_commit(intake: Intake, commit: SignedCommit) -> bytes:
        how = conduct.how if commit.node == conduct.node else "honest"
        if how == "refuse":
            raise RuleError("commit: not today")
        if how == "forget":
            bound = commit.task, commit.round, commit.opening, commit.node, commit.commitment
            return intake._signer.sign(compute_receipt_digest(intake._domain, *bound))
        return await honest(intake, commit)

    return on_commit


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
