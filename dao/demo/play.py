"""Plays the demonstration from start to end: daemons train, rounds are followed and audited, owners claim."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from dao.chain.contracts import Distributor
from dao.chain.events import Claimed
from dao.chain.sender import Sender
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest
from dao.core.statement import build_account_tree
from dao.core.types import RoundId, hex_of
from dao.demo import gas
from dao.demo.demo_auditor import DemoAuditor, open_auditor
from dao.demo.demo_daemons import start_daemons, start_superlink
from dao.demo.demo_network import DemoNetwork, format_addresses
from dao.demo.demo_state import DemoState, RoundView, Seat
from dao.demo.plan import DemoMember
from dao.demo.processes import Daemon
from dao.demo.site import open_site
from dao.demo.status_reader import StatusReader, apply_event, apply_manifest
from dao.errors import DaoError

POLL = 0.1  # seconds between reads of the Superlink's status
STALL = 600.0  # seconds without an event after which the demonstration is given up
CLAIM_LIMIT = 60.0
Display = Callable[[DemoState], None]


@dataclass
class RunningDemo:
    """The running daemons, the auditor, and the state that is shown."""

    network: DemoNetwork
    state: DemoState
    daemons: list[Daemon]  # the Superlink last
    auditor: DemoAuditor
    display: Display

    async def follow(self, rounds: int) -> None:
        """Wait until so many rounds are posted in all, and keep the state up to date; DaoError when nothing happens."""
        reader, last = StatusReader(self.network.superlink.home / "status.jsonl"), time.monotonic()
        while sum(view.accuracy is not None for view in self.state.rounds) < rounds:
            for event in reader.events():
                last = time.monotonic()
                view = apply_event(self.state, event)
                if event["event"] == "posted" and view is not None:
                    await self._add_results(view, event)
                    self.state.note = ""
            self.display(self.state)
            for daemon in self.daemons:
                daemon.check()
            if time.monotonic() - last > STALL:
                raise DaoError(f"nothing happened for {STALL:.0f} s; see the logs in {self.network.folder}")
            await asyncio.sleep(POLL)

    async def _add_results(self, view: RoundView, event: Any) -> None:
        apply_manifest(view, await self.auditor.read_manifest(Cid.parse(event["manifest"])))
        metrics = await self.auditor.measure(Cid.parse(event["model"]))
        view.accuracy, view.loss = metrics["accuracy"], metrics["loss"]

    async def play_more(self, rounds: int) -> None:
        """Start the Superlink again, for more rounds."""
        self.state.rounds_wanted += rounds
        await self.daemons[-1].stop()
        self.daemons[-1] = await start_superlink(self.network, rounds)


async def play(
    network: DemoNetwork,
    members: Sequence[DemoMember],
    rounds: int,
    *,
    with_ipfs: bool,
    display: Display,
    then: Callable[[RunningDemo], Awaitable[None]] | None = None,
) -> DemoState:
    """Start the daemons, follow `rounds` rounds to their final state, audit, claim; DaoError where a daemon fails.

    `then` is called while the daemons still run.
    """
    seats = [
        Seat(member, *format_addresses(keys)) for member, keys in zip(members, network.nodes, strict=True)
    ]
    store = "kubo" if with_ipfs else "disk"
    state = DemoState(network.task, store, rounds, seats, note="starting the daemons")
    async with AsyncExitStack() as stack:
        daemons = await start_daemons(stack, network, members, rounds, with_ipfs=with_ipfs)
        if network.guest is not None:
            state.page = await open_site(stack, network)
        demo = RunningDemo(network, state, daemons, await open_auditor(stack, network), display)
        await demo.follow(rounds)
        manifest = await demo.auditor.read_manifest_of(RoundId(state.rounds[-1].round))
        for view in state.rounds:
            state.note = f"auditing round {view.round}"
            display(state)
            view.audit = await demo.auditor.audit(RoundId(view.round))
        state.note = "claiming"
        display(state)
        await _claim(network, state, manifest)
        await _read_gas(network, state)
        state.note = ""
        if then is not None:
            await then(demo)
    return state


async def _claim(network: DemoNetwork, state: DemoState, manifest: Manifest) -> None:
    """Have every owner that earned something claim it, once the last round is final."""
    distributor = Distributor(network.chain)
    end = time.monotonic() + CLAIM_LIMIT
    while await distributor.root_of(network.task, network.chain.head()) != manifest.roots.accounts:
        if time.monotonic() > end:
            raise DaoError(
                f"the last round did not become final within {CLAIM_LIMIT:.0f} s; see {network.folder}"
            )
        await network.chain.changed(CLAIM_LIMIT)
    tree = build_account_tree(manifest.nodes, manifest.accounts)
    for keys in network.nodes:
        owner = keys.owner.address
        account = tree.get(owner)
        if account and account.cumulative_wei:
            async with Sender(network.chain, keys.owner, keys.home / "owner.db") as sender:
                receipt = await sender.send(distributor.claim(network.task, *tree.find(owner)))
            paid = sum(event.amount for event in receipt.events if isinstance(event, Claimed))
            state.claimed_wei[hex_of(owner)] = paid


async def _read_gas(network: DemoNetwork, state: DemoState) -> None:
    superlink = await gas.read_superlink_gas(network.chain, network.task)
    accounts = [key.address for keys in network.nodes for key in (keys.owner, keys.operator)]
    rounds = [RoundId(view.round) for view in state.rounds]
    participants = await gas.read_participants_gas(network.chain, network.task, accounts, rounds)
    for view in state.rounds:
        view.gas_superlink = superlink[RoundId(view.round)]
        view.gas_participants = participants[RoundId(view.round)]
