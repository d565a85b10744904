"""A network with a task to train, its Superlink, and nodes that follow a script, for tests of rounds and audits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from aggregator.collection import Collection
from aggregator.daemon import RunningSuperlink, open_superlink
from aggregator.reveal_fetcher import MOST_FETCHING
from aggregator.settings import SuperlinkSettings
from dao.app.gradient_client import GradientClient, GradientFile
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry, Token
from dao.chain.deploy import grant
from dao.chain.event_types import Event
from dao.chain.rounds import RoundReader
from dao.chain.signer import Signer
from dao.content.tensor_files import open_model
from dao.core.commits import Reveal, SignedCommit, SignedPass
from dao.core.engine.merkle import compute_body_root
from dao.core.formats import signed_messages
from dao.core.formats.cid import Cid
from dao.core.formats.layout import Layout, Model, compute_model_size, write_model
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.formats.update import count_leaves, encode_update_prefix, encode_update_rows
from dao.core.types import (
    Digest,
    PassReason,
    Phase,
    Result,
    RoundId,
    RoundState,
    Rules,
    Signature,
    TaskId,
    TaskState,
    Wei,
)
from dao.errors import NotFound
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.wire.messages import Ack
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import SHAPES, Assignment, samples
from tests.support import RULES, Member, Network

E = TypeVar("E", bound=Event)


class Patient(GradientClient):
    """Lets rounds wait before their gate gradient, or before their scores, so that a test can be there in time."""

    def __init__(self, evaluator: GradientClient) -> None:
        self._evaluator = evaluator
        self.go, self.score = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.score.set()

    async def configure(self, settings: Mapping[str, object], base: Path | None = None) -> None:
        await self._evaluator.configure(settings, base)

    async def gate_gradient(self, base: Path, shard: Path) -> GradientFile:
        await self.go.wait()
        return await self._evaluator.gate_gradient(base, shard)

    async def reference_gradient(self, base: Path, model: Path, shard: Path) -> GradientFile:
        await self.score.wait()
        return await self._evaluator.reference_gradient(base, model, shard)

    async def loss(self, model: Path, shard: Path) -> float:
        return await self._evaluator.loss(model, shard)

    async def metric(self, *arguments: Any) -> float:
        return await self._evaluator.metric(*arguments)


async def enlisted(network: Network, task: TaskId, count: int) -> list[Member]:
    """New owners and their Supernodes, who have joined the task."""
    members = [Member(Signer.ephemeral(), Signer.ephemeral()) for _ in range(count)]
    async with network.chain() as chain:
        async with network.dao(chain) as dao:
            await grant(chain, dao, {member.owner.address: RULES.min_stake for member in members})

        async def enlist(owner: Signer, operator: Signer) -> None:
            registry = network.deployment.registry
            consent = signed_messages.compute_operator_digest(
                chain.chain_id, registry, owner.address, operator.address
            )
            async with network.sender(chain, owner) as sender:
                await sender.send(Token(chain).approve(registry, RULES.min_stake))
                call = Registry(chain).register(operator.address, RULES.min_stake, operator.sign(consent))
                await sender.send(call)
                await sender.send(Coordinator(chain).join(task, operator.address))

        await asyncio.gather(*(enlist(member.owner, member.operator) for member in members))
    return members


@dataclass
class World:
    """One task on a network, with its members; `superlink` runs its Superlink in this process."""

    network: Network
    assignment: Assignment
    home: Path
    task: TaskId
    rules: Rules
    bonded: Member
    members: list[Member]
    evaluator: GradientClient
    nodes: list["Node"] = field(default_factory=list)

    @classmethod
    async def make(
        cls,
        network: Network,
        assignment: Assignment,
        home: Path,
        evaluator: GradientClient,
        members: int = 3,
        operator: Signer | None = None,
        funds: Wei | None = None,
        **changes: Any,
    ) -> "World":
        bonded = await network.new_member(RULES.superlink_bond, operator)
        rules = await assignment.rules(bonded.operator, **changes)
        joined = await enlisted(network, task := await network.new_task(rules, funds), members)
        world = cls(network, assignment, home, task, rules, bonded, joined, evaluator)
        world.nodes = [Node(world, member, index) for index, member in enumerate(joined)]
        return world

    async def again(self, home: Path, **changes: Any) -> "World":
        """Another task with the same members and Superlink."""
        rules = await self.assignment.rules(self.bonded.operator, **changes)
        task = await self.network.new_task(rules)
        await asyncio.gather(*(self.network.join(task, member) for member in self.members))
        world = replace(self, home=home, task=task, rules=rules, nodes=[])
        world.nodes = [Node(world, member, index) for index, member in enumerate(self.members)]
        return world

    def settings(self, **changes: Any) -> SuperlinkSettings:
        self.home.mkdir(parents=True, exist_ok=True)
        deployment = self.home / "deployment.json"
        self.network.deployment.save(deployment)
        settings: dict[str, Any] = {
            "task": self.task,
            "chain": {"rpc": self.network.anvil.ws, "deployment": deployment},
            "shards": self.assignment.shards,
            "stores": (self.assignment.store,),
            "listen": "127.0.0.1:0",
        }
        return SuperlinkSettings.load(**{"home": self.home, **settings, **changes})

    @asynccontextmanager
    async def superlink(
        self, ipfs: str | None = None, keep_rounds: int = 20
    ) -> AsyncIterator[RunningSuperlink]:
        self.network.anvil.fund(self.bonded.operator.address, 10**20)  # type: ignore[arg-type]
        settings = self.settings(content={"ipfs": ipfs, "keep_rounds": keep_rounds})
        async with open_superlink(settings, self.bonded.operator, self.evaluator) as running:
            yield running

    async def play(self, running: RunningSuperlink, rounds: int = 1) -> None:
        """Play rounds with the nodes as they are scripted."""
        async with self.network.chain() as chain:
            first = (await Coordinator(chain).task_of(self.task, chain.head())).last_round + 1
            numbers = range(first, first + rounds)
            async with asyncio.timeout(90), asyncio.TaskGroup() as group:
                for node in self.nodes:
                    group.create_task(node.take_part(chain, running.service.address, numbers))
                await running.superlink.run(rounds)

    def skip(self, seconds: int) -> None:
        """Let block time pass."""
        self.network.anvil.request("evm_increaseTime", seconds)
        self.network.anvil.request("evm_mine")

    async def task_state(self) -> TaskState:
        async with self.network.chain() as chain:
            return await Coordinator(chain).task_of(self.task, chain.head())

    async def past(self, kind: type[E]) -> list[E]:
        """All events of this kind in the task."""
        async with self.network.chain() as chain:
            return await chain.past(kind, task=self.task)

    async def reaches(self, round_id: int, phase: Phase) -> None:
        """Wait until a round is in a phase."""
        async with self.network.chain() as chain:

            async def is_there(at: BlockRef) -> bool:
                return (await Coordinator(chain).round_of(self.task, RoundId(round_id), at)).phase is phase

            await holds(chain, is_there)

    async def collection(self, running: RunningSuperlink, round_id: int) -> Collection:
        """What the Superlink holds of a round, once it has begun."""
        return await running.superlink._deps.intake._wait_collection(self.task, RoundId(round_id))

    async def hasten(
        self, running: RunningSuperlink, round_id: int, commits: int, reveals: int, forced: int = 0
    ) -> None:
        """Let a round's periods pass at once, when so many commits and reveals have come, and forced reveals without content."""
        collection = await self.collection(running, round_id)
        await reached(collection, lambda: len(collection.heard) >= commits)
        if commits < len(collection.members):
            self.skip(collection.rules.commit_period)
        await collection.closed.wait()
        await reached(collection, lambda: len(collection.reveals) >= reveals)
        await reached(collection, lambda: len(collection.opened_on_chain) >= forced)
        if reveals < len(collection.expected):
            self.skip(collection.rules.reveal_period + (MOST_FETCHING if forced else 0))

    async def state(self, round_id: int) -> RoundState:
        async with self.network.chain() as chain:
            return await Coordinator(chain).round_of(self.task, RoundId(round_id), chain.head())

    async def result(self, round_id: int) -> Result:
        """What the Superlink posted."""
        async with self.network.chain() as chain:
            history = RoundReader(chain, self.task)
            async with asyncio.timeout(60):
                # while Anvil mines a block, it answers calls at the one before with the new state, logs without it
                while (posted := (await history.events_of(RoundId(round_id), chain.head())).posted) is None:
                    await chain.changed(1)
        return posted.result

    async def manifest(self, round_id: int) -> Manifest:
        path = await DiskStore(self.home / "store").get((await self.result(round_id)).manifest_digest)
        return parse_manifest(path.read_bytes())


async def holds(chain: Chain, is_so: Callable[[BlockRef], Awaitable[bool]]) -> None:
    """Wait until something holds at the head."""
    async with asyncio.timeout(120):
        while not await is_so(head := chain.head()):
            if chain.head() == head:  # else it has changed while it was asked
                await chain.changed(120)


async def reached(collection: Collection, is_so: Callable[[], bool]) -> None:
    """Wait until something holds of what the Superlink has collected."""
    while not is_so():
        await collection.changed()


@dataclass(frozen=True)
class Made:
    """A node's update, and its commit."""

    round: RoundId
    update: bytes
    cid: Cid
    root: Digest
    commit: SignedCommit


class Node:
    """A Supernode without a daemon: what it does in each step can be replaced."""

    def __init__(self, world: World, member: Member, index: int) -> None:
        self.world, self.member, self.index = world, member, index
        self.signer = member.operator
        self.commits = True
        self.passes: PassReason | None = None  # instead of a commit
        self.forces = False  # commits on chain instead of at the Superlink
        self.reveals = True
        self.salt = Digest(bytes([index + 1]) * 32)
        self.content: Callable[[Node, Model], bytes] = Node.honest
        self.revealed: Callable[[bytes], bytes] = lambda update: update  # what is sent for it
        self.declared_root: Callable[[bytes], Digest] | None = None
        self.acks: list[Ack | Exception] = []

    def honest(self, base: Model) -> bytes:
        """A few steps of gradient descent on this node's own samples, by numpy."""
        trained = bytearray(compute_model_size(base.layout))
        model = write_model(base.layout, trained)
        model.flat[:] = base.flat
        t, data = model.tensors, samples(self.index)
        x, onehot = data["x"], np.eye(3, dtype=np.float32)[data["y"].astype(int)]
        for _ in range(20):
            hidden = np.tanh(x @ t["0.weight"].T + t["0.bias"])
            logits = hidden @ t["2.weight"].T + t["2.bias"]
            chances = np.exp(logits - logits.max(1, keepdims=True))
            error = (chances / chances.sum(1, keepdims=True) - onehot) / len(x)
            back = (error @ t["2.weight"]) * (1 - hidden**2)
            for name, step in (
                ("0.weight", back.T @ x),
                ("0.bias", back.sum(0)),
                ("2.weight", error.T @ hidden),
                ("2.bias", error.sum(0)),
            ):
                t[name][...] -= np.float32(0.3) * step
        return self.encode(base, model)

    def encode(self, base: Model, trained: Model) -> bytes:
        body = encode_update_rows(base, trained, self.world.rules.codec)
        return encode_update_prefix(base.layout, self.world.rules.codec) + body.tobytes()

    async def take_part(self, chain: Chain, address: str, rounds: range) -> None:
        client = SuperlinkClient(address, self.signer, chain.domain)
        try:
            for number in rounds:
                await self.play(chain, client, RoundId(number))
        finally:
            await client.close()

    async def play(self, chain: Chain, client: SuperlinkClient, round_id: RoundId) -> None:
        if self.passes is not None:
            await self.sit_out(chain, client, round_id, self.passes)
            return
        if not self.commits:
            return
        made = await self.make(chain, client, round_id)
        await self.commit(chain, client, made)
        if self.reveals:
            await self.reveal(client, round_id, made.cid, made.root, self.revealed(made.update))

    async def make(self, chain: Chain, client: SuperlinkClient, round_id: RoundId) -> "Made":
        """This round's update, and the signed commit to it."""
        update = self.content(self, await self.base(chain, client, round_id))
        root, cid = self.root_of(update), cid_of_bytes(update)
        task, node = self.world.task, self.signer.address
        commitment = Reveal(cid, root, self.salt).commitment
        state = await Coordinator(chain).round_of(task, round_id, chain.final())
        place = (task, round_id, state.opening, node, commitment)
        signature = Signature(self.signer.sign(signed_messages.compute_commit_digest(chain.domain, *place)))
        return Made(round_id, update, cid, root, SignedCommit(*place, signature))

    async def sit_out(
        self, chain: Chain, client: SuperlinkClient, round_id: RoundId, reason: PassReason
    ) -> None:
        """Hand in a pass, once the round is open."""
        await self.world.reaches(round_id, Phase.OPEN)
        state = await Coordinator(chain).round_of(self.world.task, round_id, chain.head())
        place = (self.world.task, round_id, state.opening, self.signer.address)
        signature = Signature(self.signer.sign(signed_messages.compute_pass_digest(chain.domain, *place)))
        await client.sit_out(SignedPass(*place, signature, reason))

    async def commit(self, chain: Chain, client: SuperlinkClient, made: "Made") -> None:
        """Hand the commit in, and wait until commits are closed."""
        if self.forces:
            await self.force(chain, made)
            with suppress(NotFound):  # it is not in the tree
                await client.inclusion(self.world.task, made.round)
        else:
            await client.commit(made.commit)
            await client.inclusion(self.world.task, made.round)

    async def force(self, chain: Chain, made: "Made") -> None:
        """Commit on chain."""
        async with self.world.network.sender(chain, self.signer) as sender:
            commit = made.commit
            signed = commit.node, commit.commitment, commit.signature
            call = Coordinator(chain).commit(self.world.task, made.round, *signed)
            await sender.send(call)

    async def reveal(
        self, client: SuperlinkClient, round_id: RoundId, cid: Cid, root: Digest, sent: bytes
    ) -> None:
        path = self.world.home / f"node-{self.index}-{round_id}"
        path.parent.mkdir(parents=True, exist_ok=True)  # its Superlink may never have been started
        path.write_bytes(sent)
        try:
            reveal = Reveal(cid, root, self.salt)
            self.acks.append(await client.reveal(self.world.task, round_id, reveal, path))
        except Exception as error:  # noqa: BLE001  (a test looks at it)
            self.acks.append(error)

    def root_of(self, update: bytes) -> Digest:
        if self.declared_root is not None:
            return self.declared_root(update)
        layout = Layout.of(SHAPES)
        prefix = len(encode_update_prefix(layout, self.world.rules.codec))
        rows = np.frombuffer(update, np.uint8, offset=prefix).reshape(
            count_leaves(self.world.rules.codec, layout.chunks), -1
        )
        return compute_body_root(rows, RULES.body_depth)

    async def base(self, chain: Chain, client: SuperlinkClient, round_id: RoundId) -> Model:
        coordinator = Coordinator(chain)

        async def is_open(at: BlockRef) -> bool:
            return (await coordinator.round_of(self.world.task, round_id, at)).phase is not Phase.NONE

        await holds(chain, is_open)
        state = await coordinator.round_of(self.world.task, round_id, chain.head())
        if state.parent == 0:
            return open_model(self.world.assignment.base)
        events = await RoundReader(chain, self.world.task).events_of(state.parent, chain.head())
        assert events.posted is not None
        path = self.world.home / f"model-{self.index}-{round_id}"
        await client.fetch(events.posted.result.model_digest, path)
        return open_model(path)
