"""A governed network that has trained: a task with a final round and a posted one; and a proposal that is voted on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

from dao.api.daemon import RunningApi
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Token
from dao.chain.governance import Actions, Governor, Support
from dao.chain.signer import Signer
from dao.core.formats.card import Card, Metric, Stop, write_card
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.statement import compute_result
from dao.core.types import ZERO_DIGEST, BlockNumber, RoundId, TaskId, Wei
from dao.devnet.anvil import Anvil
from dao.gov.actions import compute_proposal_id
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.api.stage import LIMIT, PARAMS, Stage, govern
from tests.index.world import manifest_of, root_of
from tests.support import Member, Network, deploy_network

CARD = Card(
    name="Tumours <b>",
    purpose="Reads\u200b cells. For <b>whom</b>?",
    data="30 measurements of each <img src=x onerror=alert(3)> cell",
    metric=Metric("accuracy", higher_is_better=True),
    stop=Stop(5, 1000),
    settings={"rate": 0.01, "steps": 50, "nesterov": True, "loss": "cross\u2066-" + "entropy" * 100},
)
SCRIPT = "<script>alert(1)</script>\u2028<img src=x onerror=alert(2)> ' \""


@dataclass(frozen=True)
class Trained:
    """The stage, and what was posted. The second member's reason in round 2 is a script."""

    stage: Stage
    task: TaskId
    supernodes: list[Member]
    manifests: list[Manifest]
    proposal: int  # of the first owner, who voted for it


def train(anvil: Anvil, folder: Path) -> Trained:
    """Deploy, train, hand over; outside of an event loop."""
    network = deploy_network(anvil, folder / "network", PARAMS)
    store = DiskStore(folder / "store", sync=False)
    card = asyncio.run(store.put_bytes(write_card(CARD)))
    task, superlink, supernodes = asyncio.run(network.new_round_ready(2, card=card.digest))
    manifests = asyncio.run(_play(network, store, task, superlink, supernodes))
    stage = govern(network, folder)
    config = stage.home / "config.toml"
    config.write_text(config.read_text().replace("[content]\n", f'[content]\nstores = ["{store.root}"]\n'))
    proposal = asyncio.run(_propose(network, supernodes[0].owner))
    return Trained(stage, task, supernodes, manifests, proposal)


async def _play(
    network: Network, store: DiskStore, task: TaskId, superlink: Member, supernodes: list[Member]
) -> list[Manifest]:
    manifests: list[Manifest] = []
    async with network.chain() as chain, network.sender(chain, superlink.operator) as sender:
        coordinator = Coordinator(chain)
        for number in map(RoundId, (1, 2)):
            opened = await sender.send(coordinator.open_round(task))
            root = root_of(supernodes)
            closed = await sender.send(
                coordinator.close_commits(
                    task, number, opened.events[0].block, root, ZERO_DIGEST, len(supernodes), 0
                )
            )
            seed = closed.events[0].seed  # type: ignore[attr-defined]
            scores = {supernodes[0]: 3000, supernodes[1]: 1000}
            manifest = manifest_of(network, task, seed, scores, manifests[-1] if manifests else None)
            if number == 2:
                last = supernodes[1].operator.address
                nodes = (
                    replace(node, reason=SCRIPT) if node.node == last else node for node in manifest.nodes
                )
                manifest = replace(manifest, nodes=tuple(nodes))
            content = dump_manifest(manifest)
            await store.put_bytes(content)
            posted = compute_result(manifest, (), manifest.model.digest, cid_of_bytes(content).digest)
            await sender.send(coordinator.post_result(task, number, posted))
            manifests.append(manifest)
            if number == 1:
                await _pass(network, chain, 601)
                await sender.send(coordinator.finalize(task, number, posted))
    return manifests


async def _propose(network: Network, owner: Signer) -> int:
    async with network.chain() as chain, network.sender(chain, owner) as sender:
        governor, token = Governor(chain), Token(chain)
        await sender.send(token.delegate(owner.address))
        await _pass(network, chain, 1)
        actions, text = Actions.of([token.transfer(owner.address, Wei(7))]), "# Seven wei\n\nFor the work."
        number = compute_proposal_id(actions, text)
        await sender.send(governor.propose(actions, text))
        await _pass(network, chain, PARAMS.voting_delay + 1)
        await sender.send(governor.vote(number, Support.FOR, "why not"))
        return number


async def _pass(network: Network, chain: Chain, seconds: int) -> None:
    network.anvil.request("evm_increaseTime", seconds)
    network.anvil.request("evm_mine")
    head = int(await chain.request("eth_blockNumber"), 16)
    await chain.reach(BlockNumber(head), limit=LIMIT)


@contextmanager
def served(stage: Stage) -> Iterator[RunningApi]:
    """An API that runs in a thread of its own, for clients that block."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = stage.open()
    try:
        running = asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(60)
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
