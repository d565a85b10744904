"""A network of real processes that a test takes apart: chain, Superlink, Supernodes, each under its own name."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from aggregator.journal import SuperlinkJournal
from dao.app.bundle import bundle, compute_app_digest
from dao.app.shards import read_shards
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.chain.events import Claimed, CommitsClosed, Finalized
from dao.chain.rounds import RoundReader
from dao.chain.signer import Signer
from dao.core.formats.card import Card, Metric, write_card
from dao.core.formats.layout import Layout, compute_model_root, compute_model_size, parse_model, write_model
from dao.core.formats.manifest import Manifest, Node, parse_manifest
from dao.core.types import Domain, Phase, RoundId, RoundState, Rules, Status, TaskId, Wei, hex_of
from dao.demo.status_reader import StatusReader
from dao.errors import Reorged, Reverted
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from node import status as node_status
from node.approvals import Approvals
from node.journal import Step, SupernodeJournal
from node.rewards import claim, read_standing
from node.settings import NodeSettings, TaskSettings, write_task
from tests.faults.daemon import Daemon
from tests.faults.desk import Desk, Training
from tests.faults.process import LIMIT, LOOK, until
from tests.faults.proxy import Proxy
from tests.support import RULES, Member, Network

APP = Path(__file__).parent / "app"
CARD = Card("Means", metric=Metric("distance", higher_is_better=False))
VALUES, ROWS, SHARDS, FUNDED_ROUNDS = 256, 32, 100, 100
PASSWORD = "rehearsal"
COUNTED = (Status.OK, Status.CLIPPED)
POSTED = (Phase.POSTED, Phase.FROZEN, Phase.FINALIZED)


def rows(seed: int) -> dict[str, np.ndarray]:
    """Noise about a mean that many rounds do not reach."""
    generator = np.random.Generator(np.random.Philox(seed))
    return {"x": (50 + generator.standard_normal((ROWS, VALUES))).astype(np.float32)}


@dataclass
class Supernode(Daemon):
    """A node's daemon with its desk."""

    member: Member = field(kw_only=True)
    desk: Desk = field(kw_only=True)
    domain: Domain = field(kw_only=True)

    @property
    def address(self) -> str:
        return hex_of(self.member.operator.address)

    async def status(self) -> node_status.NodeStatus:
        return await node_status.read_status(NodeSettings.load(self.home))

    async def steps(self, round_id: int, step: Step) -> None:
        """Wait until the node's journal has a step of a round, or a later one."""
        at, enough = self.home / "journal.db", [*Step][[*Step].index(step) :]
        await until(at.exists)
        with closing(SupernodeJournal(at, self.domain, self.member.operator.address)) as journal:
            await until(lambda: any(n.round == round_id and n.step in enough for n in journal.notes()))

    async def ends(self, round_id: int) -> node_status.RoundStatus:
        """Wait until it has what came of a round; what `dao node status` shows of it."""
        await self.steps(round_id, Step.ENDED)
        rows = (await self.status()).rounds
        return next(row for row in rows if row.round == round_id)


@dataclass
class Superlink(Daemon):
    """The Superlink's daemon with its status file."""

    events: list[dict[str, Any]] = field(default_factory=list)
    _reader: StatusReader | None = None

    async def said(self, event: str, limit: float = LIMIT, **fields: object) -> dict[str, Any]:
        """Wait for an event of its status file with these fields."""
        self._reader = self._reader or StatusReader(self.home / "status.jsonl")
        seen = 0
        async with asyncio.timeout(limit):
            while True:
                self.events += map(dict, self._reader.events())
                for told in self.events[seen:]:
                    if told["event"] == event and all(told.get(k) == v for k, v in fields.items()):
                        return told
                seen = len(self.events)
                await asyncio.sleep(LOOK)


@dataclass
class World:
    """One task on a network, its daemons not yet started."""

    network: Network
    folder: Path
    chain: Chain
    task: TaskId
    rules: Rules
    superlink: Superlink
    address: str  # of the Superlink
    proxy: Proxy  # between the first node and the Superlink
    nodes: list[Supernode] = field(default_factory=list)

    async def start(self) -> None:
        await asyncio.gather(self.superlink.start(), *(node.start() for node in self.nodes))

    async def mend(self) -> None:
        """Have everything run, whatever a test that failed has left."""
        self.proxy.mend()
        for daemon in (self.superlink, *self.nodes):
            if daemon.process is not None and daemon.process.runs:
                daemon.process.wake()
            else:
                await daemon.start()

    def show(self) -> None:
        """Print what the daemons said since the last time; pytest shows it where a test fails."""
        for daemon in (self.superlink, *self.nodes):
            daemon.show()
        for event in self.superlink.events[-30:]:
            print(event)  # noqa: T201

    # rounds

    async def begin(self, after: int = 0) -> tuple[RoundId, list[Training]]:
        """Wait until every node is about to train for the same round, a later one than `after`."""
        waiting = [await node.desk.asked() for node in self.nodes]
        while (oldest := min(training.round for training in waiting)) <= after or oldest < max(
            training.round for training in waiting
        ):
            for place, node in enumerate(self.nodes):
                if waiting[place].round == oldest:
                    waiting[place].begin()
                    waiting[place] = await node.desk.asked()
        return RoundId(oldest), waiting

    async def play(self) -> tuple[RoundId, Manifest]:
        """Play a round without a fault."""
        round_id, waiting = await self.begin()
        for training in waiting:
            training.begin()
        return round_id, await self.posted(round_id)

    async def play_after(self, round_id: RoundId) -> RoundId:
        """Play the next round, in which all are counted; return its number."""
        following, waiting = await self.begin(round_id)
        for training in waiting:
            training.begin()
        await self.counted(following, *self.nodes)
        return following

    async def round(self, round_id: RoundId) -> RoundState:
        """Read a round at the newest block, and at another where a reorg takes that."""
        async with asyncio.timeout(LIMIT):
            while True:
                with suppress(Reorged):
                    return await Coordinator(self.chain).round_of(self.task, round_id, self.chain.head())
                await self.chain.changed(1)

    async def newest(self) -> RoundId:
        return (await Coordinator(self.chain).task_of(self.task, self.chain.head().number)).last_round

    async def reaches(self, round_id: RoundId, *phases: Phase, limit: float = LIMIT) -> RoundState:
        """Wait until a round is in one of these phases."""
        async with asyncio.timeout(limit):
            while (state := await self.round(round_id)).phase not in phases:
                await self.chain.changed(limit)
        return state

    async def posted(self, round_id: RoundId) -> Manifest:
        """Wait for a round's result; its manifest."""
        await self.reaches(round_id, *POSTED)
        history = RoundReader(self.chain, self.task)
        async with asyncio.timeout(LIMIT):
            # while Anvil mines a block, it answers calls at the one before with the new state, and logs without it
            while (posted := (await history.events_of(round_id, self.chain.head())).posted) is None:
                await self.chain.changed(1)
        content = await DiskStore(self.superlink.home / "store").get(posted.result.manifest_digest)
        return parse_manifest(content.read_bytes())

    def skip(self, seconds: int) -> None:
        """Let block time pass, counted from the last block: the clock of an Anvil that was restarted is behind."""
        last = self.network.anvil.request("eth_getBlockByNumber", "latest", False)
        self.network.anvil.request("anvil_setNextBlockTimestamp", int(last["timestamp"], 16) + seconds)
        self.network.anvil.request("evm_mine")

    def skip_to(self, time: float) -> None:
        """Let block time pass until then, however much has passed."""
        last = self.network.anvil.request("eth_getBlockByNumber", "latest", False)
        self.skip(max(1, ceil(time) - int(last["timestamp"], 16)))

    # what must hold of a round

    async def counted(self, round_id: RoundId, *nodes: Supernode) -> Manifest:
        """The round has a result in which these nodes count, are paid, and never signed twice."""
        manifest = await self.posted(round_id)
        assert sum(row.reward_wei for row in manifest.nodes) + manifest.refunded_wei == manifest.budget_wei
        for node in nodes:
            row = row_of(manifest, node)
            assert row.status in COUNTED, row
            assert row.reward_wei > 0, row
        assert not self.equivocations(round_id)
        return manifest

    def equivocations(self, round_id: RoundId) -> list[Any]:
        """Second commits that the Superlink was given."""
        return SuperlinkJournal(self.superlink.home / "journal.db").read_equivocations(self.task, round_id)

    async def accounts(self, round_id: RoundId) -> None:
        """Once the rounds up to this one are final, have everyone claim, and claim again: each wei is paid once.

        Their results are by the seeds that the chain has in the end.
        """
        await self.reaches(round_id, Phase.FINALIZED)
        async with asyncio.timeout(LIMIT):
            while not await self.chain.past(Finalized, task=self.task, round=round_id):  # Anvil: state first
                await self.chain.changed(1)
        for node in self.nodes:
            await self._claim(node)
        at = self.chain.head().number
        final = await self.chain.past(Finalized, task=self.task, to_block=at)
        assert len({event.round for event in final}) == len(final)
        earned = [await self.posted(event.round) for event in final]
        closed = await self.chain.past(CommitsClosed, task=self.task, to_block=at)
        seeds = {event.round: event.seed for event in closed}
        assert all(seeds[manifest.round] == manifest.seed for manifest in earned)
        paid = await self.chain.past(Claimed, task=self.task, to_block=at)
        total = sum(manifest.budget_wei - manifest.refunded_wei for manifest in earned)
        assert sum(event.amount for event in paid) == total
        funds = FUNDED_ROUNDS * self.rules.round_budget
        assert await Distributor(self.chain).total_of(self.task, at) == total
        assert await Distributor(self.chain).available_of(self.task, at) == funds - total

    async def _claim(self, node: Supernode) -> None:
        """Pay a node's owner what is due, and try to have it paid again."""
        owner, store = node.member.owner, DiskStore(self.superlink.home / "store")
        async with self.network.sender(self.chain, owner) as sender:
            held = await read_standing(self.chain, store, self.task, owner.address)
            await claim(self.chain, sender, held)
            assert (await read_standing(self.chain, store, self.task, owner.address)).claimable == 0
            assert held.proof is not None
            again = Distributor(self.chain).claim(held.task, *held.proof)
            with pytest.raises(Reverted):
                await sender.send(again)


def row_of(manifest: Manifest, node: Supernode) -> Node:
    """What a manifest says of a node."""
    return next(row for row in manifest.nodes if row.node == node.member.operator.address)


@asynccontextmanager
async def open_world(network: Network, folder: Path, **changes: Any) -> AsyncIterator[World]:
    """Make a task with two members who have not started yet; at the end all their daemons end."""
    async with network.chain() as chain:
        superlink = await network.new_member(
            RULES.superlink_bond, await key(folder / "superlink"), await key(folder / "owner-superlink")
        )
        rules = await _rules(folder, superlink.operator, **changes)
        task = await network.new_task(rules, Wei(FUNDED_ROUNDS * rules.round_budget))
        port = _free_port()
        address = f"127.0.0.1:{port}"
        lead = Superlink("superlink", folder / "superlink", "superlink", folder / "locks")
        where = f'shards = "{folder / "shards"}"\nstores = ["{folder / "content"}"]'
        write_config(lead.home, network, f'task = {task}\nlisten = "{address}"\n{where}')
        proxy = Proxy(port)
        world = World(network, folder, chain, task, rules, lead, address, proxy)
        try:
            for index, to in enumerate((await proxy.start(), address)):
                world.nodes.append(await open_node(network, folder, task, to, index))
            network.anvil.fund(superlink.operator.address, Wei(10**20))
            yield world
        finally:
            daemons = {id(daemon): daemon for daemon in (lead, world.superlink, *world.nodes)}.values()
            running = [d.running for d in daemons if d.process is not None and d.process.runs]
            await asyncio.gather(*(process.stop() for process in running))
            proxy.close()
            for node in world.nodes:
                node.desk.close()


async def open_node(network: Network, folder: Path, task: TaskId, address: str, index: int) -> Supernode:
    """Have one more member join, who has not started yet."""
    home = folder / f"node-{index}"
    owner = await key(folder / f"owner-{index}")
    member = await network.new_member(operator=await key(home), owner=owner)
    await network.join(task, member)
    domain = Domain(network.deployment.chain_id, network.deployment.coordinator)
    network.anvil.fund(member.operator.address, Wei(10**19))
    data = home / "data"
    data.mkdir()
    save_file(rows(index), data / "rows.safetensors")
    write_config(home, network, "threads = 1\ncontent.sync = false")
    write_task(NodeSettings.load(home), task, TaskSettings(data=data, superlink=address))
    Approvals(home).approve(task, compute_app_digest(bundle(APP)), cid_of_bytes(write_card(CARD)).digest)
    desk = Desk(data / "desk")
    await desk.open()
    return Supernode(home.name, home, "node", folder / "locks", member=member, desk=desk, domain=domain)


async def _rules(folder: Path, superlink: Signer, **changes: Any) -> Rules:
    store, shards = DiskStore(folder / "content"), folder / "shards"
    shards.mkdir()
    for index in range(SHARDS):
        save_file(rows(1000 + index), shards / f"{index:03}.safetensors")
    layout = Layout.of({"mean": (VALUES,)})
    first = bytearray(compute_model_size(layout))
    write_model(layout, first)
    made = read_shards(shards)
    rules = replace(
        RULES,
        superlink=superlink.address,
        commit_period=300,
        reveal_period=300,
        challenge_period=2,
        body_depth=1,
        shards=SHARDS,
        app_hash=(await store.put_bytes(bundle(APP))).digest,
        card=(await store.put_bytes(write_card(CARD))).digest,
        base_model=(await store.put_bytes(bytes(first))).digest,
        validation_root=made.root,
        chunks=layout.chunks,
        scored_chunks=layout.scored_chunks,
        base_model_root=compute_model_root(parse_model(first), 1),
    )
    return replace(rules, **changes)


async def key(home: Path) -> Signer:
    home.mkdir(parents=True)  # noqa: ASYNC240
    password = home / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    return await asyncio.to_thread(Signer.create, home / "operator.json", PASSWORD, 4096)


def write_config(home: Path, network: Network, first: str) -> None:
    network.deployment.save(home / "deployment.json")
    (home / "config.toml").write_text(
        f'{first}\n[chain]\nrpc = "{network.anvil.ws}"\n[sandbox]\nmode = "auto"\n'
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
