"""A Superlink that is handed two commits of one node shows both on chain by itself, and is paid for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.daemon import RunningSuperlink
from dao.app.gradient_client import GradientClient
from dao.chain.client import Chain
from dao.chain.contracts import Registry
from dao.chain.events import Equivocated
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.types import Digest, RoundId, Signature
from dao.errors import Refused
from dao.runtime.status_events import read_status_events
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import Made, Node, World
from tests.support import Network, bring_together, has_failed, mining

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Twofold(Node):
    """Hands in a second commit beside its first."""

    async def commit(self, chain: Chain, client: SuperlinkClient, made: Made) -> None:
        await client.commit(made.commit)
        other = replace(made.commit, commitment=Digest(b"2" * 32))
        digest = compute_commit_digest(
            chain.domain, other.task, other.round, other.opening, other.node, other.commitment
        )
        with pytest.raises(Refused, match="two commits are a fault"):
            await client.commit(replace(other, signature=Signature(self.signer.sign(digest))))
        await client.inclusion(self.world.task, made.round)


@asynccontextmanager
async def accusing(running: RunningSuperlink) -> AsyncIterator[None]:
    """Have the Superlink show what there is, until the block ends."""
    task = asyncio.create_task(running.accuser.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_accuser__node_commits_twice__loses_stake_once_also_after_a_restart(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator)
    liar = world.nodes[1] = Twofold(world, world.members[1], 1)
    async with network.chain() as chain:
        before = await Registry(chain).stake_of(liar.signer.address, chain.head())
    async with world.superlink() as running:  # it ends before it has shown anything
        await world.play(running)
    for _ in range(2):
        async with (
            world.superlink() as running,
            mining(world.network.anvil),
            accusing(running),
            network.chain() as chain,
            asyncio.timeout(60),
        ):
            while not (shown := await chain.past(Equivocated, task=world.task)):
                await chain.changed(1)
            while not any(
                event["event"] == "convicted" for event in read_status_events(world.home / "status.jsonl")
            ):
                await chain.changed(1)
    [event] = shown
    assert (event.round, event.node) == (RoundId(1), liar.signer.address)
    assert event.accuser == world.bonded.operator.address
    assert event.paid == event.slashed // 10 > 0
    async with network.chain() as chain:
        assert await Registry(chain).stake_of(liar.signer.address, chain.head()) == before - event.slashed
    rows = {row.node: row for row in (await world.manifest(1)).nodes}
    assert rows[liar.signer.address].reward_wei > 0  # the round stays as it is


async def test_accuser__reorg_brings_announcement_and_proof_into_one_block__shows_it_again(
    own_network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(own_network, assignment, tmp_path / "superlink", evaluator)
    world.nodes[1] = Twofold(world, world.members[1], 1)
    async with world.superlink() as running:
        await world.play(running)
    async with world.superlink() as running, own_network.chain() as chain, accusing(running):
        async with mining(own_network.anvil), asyncio.timeout(60):
            while not running.accuser._settled:
                await chain.changed(1)
        shown = bring_together(own_network.anvil, world.bonded.operator.address)
        assert has_failed(own_network.anvil, shown)
        async with mining(own_network.anvil), asyncio.timeout(60):
            while not await chain.past(Equivocated, task=world.task):
                await chain.changed(1)


async def test_accuser__its_owner_sets_no_gas_for_it__nothing_is_sent(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator)
    world.nodes[1] = Twofold(world, world.members[1], 1)
    async with world.superlink() as running:
        await world.play(running)
        running.accuser._most_gas = 0
        assert await running.accuser._show_all()
    assert await world.past(Equivocated) == []
