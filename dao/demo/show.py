"""The demonstration from start to end: a network of real processes trains, is watched, audited and paid."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.app.gradient_client import Evaluator
from dao.audit import Outcome, audit
from dao.chain.contracts import Distributor
from dao.chain.events import Claimed
from dao.chain.sender import Sender
from dao.core.errors import DaoError
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.formats.reward_tree import RewardTree
from dao.core.types import RoundId, TaskId, hex_of
from dao.demo import gas
from dao.demo.demo_network import Keys, World, named, write_config
from dao.demo.demo_state import DemoState, RoundView, Seat
from dao.demo.follow import StatusReader, apply, settled
from dao.demo.images import APP
from dao.demo.plan import DemoMember, Role
from dao.demo.processes import Daemon
from dao.demo.site import open_site
from dao.devnet.kubo_daemon import start_kubo
from dao.store.disk import DiskStore
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource
from node.settings import NodeSettings, TaskSettings, write_task
from node.trainer import Trainer

LOOK = 0.1  # seconds between looks at the Superlink's status
STALL = 600.0  # seconds without an event after which the demonstration is given up
SERVE_LIMIT = 120.0  # seconds until the Superlink must serve
GRADIENT_LIMIT = 120.0
CLAIM_LIMIT = 60.0
Show = Callable[[DemoState], None]


@dataclass(frozen=True)
class Auditor:
    """Whoever checks: content from the Superlink, kept in a store of its own, and warm processes to compute with."""

    source: SuperlinkSource
    evaluator: Evaluator
    measurer: Trainer


@dataclass
class Stage:
    """The running daemons, and what is known of them."""

    world: World
    state: DemoState
    daemons: list[Daemon]  # the Superlink last
    auditor: Auditor
    show: Show

    async def follow(self, rounds: int) -> None:
        """Until so many rounds are posted in all."""
        await _follow(self.world, self.state, self.daemons, self.auditor, rounds, self.show)

    async def more_rounds(self, rounds: int) -> None:
        """Have the Superlink play more rounds."""
        self.state.rounds_wanted += rounds
        await self.daemons[-1].stop()
        self.daemons[-1] = await _superlink(self.world, rounds)


Then = Callable[[Stage], Awaitable[None]]


async def play(
    world: World, people: list[DemoMember], rounds: int, *, kubo: bool, show: Show, then: Then | None = None
) -> DemoState:
    """Start the daemons, follow `rounds` rounds to their final state, claim; DaoError when something ends badly.

    `then` is called while the daemons still run.
    """
    seats = [Seat(person, *named(keys)) for person, keys in zip(people, world.nodes, strict=True)]
    state = DemoState(world.task, "kubo" if kubo else "disk", rounds, seats, note="starting the daemons")
    async with AsyncExitStack() as stack:
        daemons = await _start(stack, world, people, rounds, kubo=kubo)
        if world.guest is not None:
            state.page = await open_site(stack, world)
        auditor = await _auditor(stack, world)
        stage = Stage(world, state, daemons, auditor, show)
        await stage.follow(rounds)
        manifest = await _manifest(auditor, world, RoundId(state.rounds[-1].round))
        for view in state.rounds:
            state.note = f"auditing round {view.round}"
            show(state)
            view.audit = await _audited(world, auditor, RoundId(view.round))
        state.note = "claiming"
        show(state)
        await _claim(world, state, manifest)
        await _pay_gas(world, state)
        state.note = ""
        if then is not None:
            await then(stage)
    return state


async def _start(
    stack: AsyncExitStack, world: World, people: list[DemoMember], rounds: int, *, kubo: bool
) -> list[Daemon]:
    """Supernodes first, so that all are there when the Superlink opens the first round."""
    apis = await _ipfs(stack, world) if kubo else {}
    daemons = []
    for person, keys, data in zip(people, world.nodes, world.dealt.members, strict=False):
        write_config(world, keys, apis.get(keys.home), trains=True)
        python = None
        if person.role is Role.FREE_RIDER:
            from dao.demo.free_rider import interpreter

            python = interpreter(keys.home / "python")
        settings = NodeSettings.load(keys.home)
        write_task(settings, world.task, TaskSettings(data=data, superlink=world.address, python=python))
        daemons.append(await _daemon(stack, person.name, ["node", "start"], keys))
    write_config(world, world.superlink, apis.get(world.superlink.home))
    daemons.append(await _superlink(world, rounds))

    async def stop_superlink() -> None:
        await daemons[-1].stop()  # whichever it is by then

    stack.push_async_callback(stop_superlink)
    return daemons


async def _superlink(world: World, rounds: int) -> Daemon:
    arguments = ["superlink", "start", "--task", str(world.task), "--rounds", str(rounds)]
    arguments += ["--shards", str(world.dealt.shards), "--listen", world.address]
    arguments += ["--store", str(world.content), "--home", str(world.superlink.home)]
    return await Daemon.start("superlink", arguments, world.superlink.home / "daemon.log")


async def _daemon(stack: AsyncExitStack, name: str, arguments: list[str], keys: Keys) -> Daemon:
    daemon = await Daemon.start(name, [*arguments, "--home", str(keys.home)], keys.home / "daemon.log")
    stack.push_async_callback(daemon.stop)
    return daemon


async def _ipfs(stack: AsyncExitStack, world: World) -> dict[Path, str]:
    """One Kubo for each participant, the Superlink's connected with all; home → API."""
    running = {}
    for keys in (world.superlink, *world.nodes):
        running[keys.home] = await start_kubo(keys.home / "ipfs")
        stack.push_async_callback(running[keys.home].stop)
        if keys is not world.superlink:
            await running[world.superlink.home].connect(running[keys.home])
    return {home: kubo.api for home, kubo in running.items()}


async def _auditor(stack: AsyncExitStack, world: World) -> Auditor:
    link = SuperlinkClient(world.address, None, world.chain.domain)
    stack.push_async_callback(link.close)
    folder = world.folder / "auditor"
    evaluator = Evaluator(APP, Path(sys.executable), folder / "scratch", limit=GRADIENT_LIMIT)
    stack.push_async_callback(evaluator.stop)
    measurer = Trainer.of(APP, None, folder / "measure.log")
    stack.push_async_callback(measurer.stop)
    return Auditor(SuperlinkSource(link, DiskStore(folder / "store", sync=False)), evaluator, measurer)


async def _follow(
    world: World, state: DemoState, daemons: list[Daemon], auditor: Auditor, rounds: int, show: Show
) -> None:
    """Until all rounds are posted."""
    reader, last = StatusReader(world.superlink.home / "status.jsonl"), time.monotonic()
    while sum(view.accuracy is not None for view in state.rounds) < rounds:
        for event in reader.events():
            last = time.monotonic()
            view = apply(state, event)
            if event["event"] == "posted" and view is not None:
                await _fill(world, auditor, view, event)
                state.note = ""
        show(state)
        for daemon in daemons:
            daemon.check()
        if time.monotonic() - last > STALL:
            raise DaoError(f"nothing happened for {STALL:.0f} s; see the logs in {world.folder}")
        await asyncio.sleep(LOOK)


async def _fill(world: World, auditor: Auditor, view: RoundView, event: Any) -> None:
    manifest = parse_manifest((await auditor.source.get(Cid.parse(event["manifest"]))).read_bytes())
    settled(view, manifest)
    model = await auditor.source.get(Cid.parse(event["model"]))
    measured = await auditor.measurer.measure(model, world.dealt.test)
    view.accuracy, view.loss = measured["accuracy"], measured["loss"]


async def _manifest(auditor: Auditor, world: World, round_: RoundId) -> Manifest:
    from dao.chain.events import ResultPosted

    (posted,) = await world.chain.past(ResultPosted, task=world.task, round=round_)
    return parse_manifest((await auditor.source.get(posted.result.manifest_digest)).read_bytes())


async def _audited(world: World, auditor: Auditor, round_: RoundId) -> str:
    """`ok`, or what does not hold."""
    checks = audit(
        world.chain,
        auditor.source,
        world.task,
        round_,
        Path(sys.executable),
        GRADIENT_LIMIT,
        auditor.evaluator,
    )
    bad = [f"{check.name}: {check.detail}" async for check in checks if check.outcome is not Outcome.OK]
    return "; ".join(bad) or "ok"


async def _claim(world: World, state: DemoState, manifest: Manifest) -> None:
    """Have every owner that earned something claim it, once the last round is final."""
    distributor, deployment = Distributor(world.chain), world.chain.deployment
    end = time.monotonic() + CLAIM_LIMIT
    while await distributor.root_of(world.task, world.chain.head()) != manifest.roots.rewards:
        if time.monotonic() > end:
            raise DaoError(
                f"the last round did not become final within {CLAIM_LIMIT:.0f} s; see {world.folder}"
            )
        await world.chain.changed(CLAIM_LIMIT)
    cumulative = {account.owner: account.cumulative_wei for account in manifest.accounts}
    tree = RewardTree.of(world.chain.chain_id, deployment.distributor, TaskId(world.task), cumulative)
    for keys in world.nodes:
        owner = keys.owner.address
        if amount := cumulative.get(owner):
            async with Sender(world.chain, keys.owner, keys.home / "owner.db") as sender:
                receipt = await sender.send(distributor.claim(world.task, owner, amount, tree.proof(owner)))
            paid = sum(event.amount for event in receipt.events if isinstance(event, Claimed))
            state.claimed_wei[hex_of(owner)] = paid


async def _pay_gas(world: World, state: DemoState) -> None:
    superlink = await gas.superlink_gas(world.chain, world.task)
    accounts = [key.address for keys in world.nodes for key in (keys.owner, keys.operator)]
    rounds = [RoundId(view.round) for view in state.rounds]
    participants = await gas.participants_gas(world.chain, world.task, accounts, rounds)
    for view in state.rounds:
        view.gas_superlink = superlink[RoundId(view.round)]
        view.gas_participants = participants[RoundId(view.round)]
