"""Closing a round while the chain is on the move: what was sent is what the Superlink stands by."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import RunningSuperlink
from aggregator.journal import SuperlinkJournal
from dao.app.gradient_client import GradientClient
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.core.types import Phase, RoundId, Status, Wei
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import Made, World, reached
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

FIRST = RoundId(1)


async def made_by(
    world: World, running: RunningSuperlink, chain: Chain, stack: AsyncExitStack
) -> list[tuple[Made, SuperlinkClient]]:
    """Every node's update, and its link to the Superlink."""
    made = []
    for node in world.nodes:
        client = SuperlinkClient(running.service.address, node.signer, chain.domain)
        stack.push_async_callback(client.close)
        made.append((await node.make(chain, client, FIRST), client))
    return made


def told_of(running: RunningSuperlink, what: str) -> asyncio.Event:
    """Set when the Superlink is about to send this transaction."""
    sending, attempt = asyncio.Event(), running.superlink._deps.calls.send

    async def watched(call: Any, name: str, round_id: RoundId, *opened: Any) -> Any:
        if name == what:
            sending.set()
        return await attempt(call, name, round_id, *opened)

    running.superlink._deps.calls.send = watched  # type: ignore[method-assign, assignment]
    return sending


async def ended(playing: "asyncio.Task[None]") -> None:
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def test_closing__stopped_before_its_block_and_one_more_commit_in_the_journal__closed_as_sent(
    network: Network,
    assignment: Assignment,
    evaluator: GradientClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, commit_period=300, reveal_period=300)
    rpc = network.anvil.request
    async with network.chain() as chain, AsyncExitStack() as links:
        async with world.superlink() as running:
            playing = asyncio.create_task(running.superlink.run(1))
            made = await made_by(world, running, chain, links)
            for one, client in made[:2]:
                await client.commit(one.commit)
            rpc("evm_setAutomine", False)
            outbox, written = running.superlink._deps.sender._outbox, asyncio.Event()
            remember = outbox.remember

            def remember_and_tell(*given: Any) -> Any:
                entry = remember(*given)
                written.set()
                return entry

            monkeypatch.setattr(outbox, "remember", remember_and_tell)
            world.skip(300)
            await written.wait()
            await ended(playing)
        # as when commits were closed while it was being written down: refused, and yet in the journal
        journal, late = SuperlinkJournal(tmp_path / "journal.db"), made[2][0]
        await journal.add_commit(late.commit)
        await journal.close()
        async with world.superlink() as running:
            sending = told_of(running, "close")
            playing = asyncio.create_task(running.superlink.run(1))
            await sending.wait()
            rpc("evm_setAutomine", True)
            rpc("evm_mine")
            collection = await world.collection(running, FIRST)
            await collection.closed.wait()
            for node, (one, _) in list(zip(world.nodes, made, strict=True))[:2]:
                client = SuperlinkClient(running.service.address, node.signer, chain.domain)
                links.push_async_callback(client.close)
                await node.reveal(client, FIRST, one.cid, one.root, one.update)
            await playing
    manifest = await world.manifest(FIRST)
    assert {row.node for row in manifest.nodes} == {node.signer.address for node in world.nodes[:2]}
    assert {row.status for row in manifest.nodes} <= {Status.OK, Status.CLIPPED}


async def test_closing__enough_have_committed__does_not_wait_for_the_rest(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    place = network, assignment, tmp_path, evaluator
    world = await World.make(*place, commit_period=3000, close_after=1, close_share=60, reveal_period=300)
    async with network.chain() as chain, world.superlink() as running, AsyncExitStack() as links:
        playing = asyncio.create_task(running.superlink.run(1))
        made = await made_by(world, running, chain, links)
        for one, client in made[:2]:
            await client.commit(one.commit)
        collection = await world.collection(running, FIRST)
        world.skip(1)
        async with asyncio.timeout(60):
            await collection.closed.wait()
        for node, (one, client) in list(zip(world.nodes, made, strict=True))[:2]:
            await node.reveal(client, FIRST, one.cid, one.root, one.update)
        await playing
    state = await world.state(FIRST)
    assert (state.phase, state.commits, state.eligible) == (Phase.POSTED, 2, 3)
    assert state.closed_at < state.opened_at + 3000
    assert len((await world.manifest(FIRST)).absent) == 1


async def test_forced_commits__a_reorg_swaps_them__the_result_states_them_as_the_chain_does(
    network: Network,
    assignment: Assignment,
    evaluator: GradientClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, commit_period=3000, reveal_period=300)
    async with network.chain() as chain, world.superlink() as running, AsyncExitStack() as links:
        playing = asyncio.create_task(running.superlink.run(1))
        made = await made_by(world, running, chain, links)
        for node in world.nodes[:2]:
            network.anvil.fund(node.signer.address, Wei(10**20))
        world.skip(1)  # what they have is older than what the reorg takes back
        sent, first = [], 0
        for node, (one, _) in list(zip(world.nodes, made, strict=True))[:2]:
            async with network.sender(chain, node.signer) as sender:
                call = Coordinator(chain).commit(
                    world.task, FIRST, one.commit.node, one.commit.commitment, one.commit.signature
                )
                receipt = await sender.send(call)
                first = first or receipt.block
                sent.append("0x" + sender._outbox.mined(1)[0].attempts[-1].raw.hex())
        collection = await world.collection(running, FIRST)
        before = [node.signer.address for node in world.nodes[:2]]
        await reached(collection, lambda: [*collection.forced] == before)
        depth = chain.head().number - first + 1
        network.anvil.request("anvil_reorg", depth, [[sent[1], 0], [sent[0], 0]])
        async with asyncio.timeout(60):
            await reached(collection, lambda: [*collection.forced] == before[::-1])
        one, client = made[2]
        await client.commit(one.commit)
        await collection.closed.wait()
        for node, (one, client) in zip(world.nodes, made, strict=True):
            await node.reveal(client, FIRST, one.cid, one.root, one.update)
        await playing
    assert (await world.state(FIRST)).phase is Phase.POSTED
    assert len((await world.manifest(FIRST)).nodes) == 3


async def test_closing__a_commit_forced_just_before__is_not_in_the_tree_as_well(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, commit_period=300, reveal_period=300)
    async with network.chain() as chain, world.superlink() as running, AsyncExitStack() as links:
        attempt, tries = running.superlink._deps.calls.send, 0
        made: list[tuple[Made, SuperlinkClient]] = []

        async def overtaken(call: Any, name: str, round_id: RoundId, *opened: Any) -> Any:
            nonlocal tries
            if name == "close":
                tries += 1
                if tries == 1:
                    await world.nodes[2].force(chain, made[2][0])
            return await attempt(call, name, round_id, *opened)

        running.superlink._deps.calls.send = overtaken  # type: ignore[method-assign, assignment]
        playing = asyncio.create_task(running.superlink.run(1))
        made += await made_by(world, running, chain, links)
        for one, client in made:
            await client.commit(one.commit)
        collection = await world.collection(running, FIRST)
        await collection.closed.wait()
        for node, (one, client) in zip(world.nodes, made, strict=True):
            await node.reveal(client, FIRST, one.cid, one.root, one.update)
        await playing
    assert tries == 2
    manifest = await world.manifest(FIRST)
    assert len(manifest.nodes) == 3
    assert [row.node for row in manifest.nodes if row.forced] == [world.nodes[2].signer.address]
