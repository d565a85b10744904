"""Measures rounds without training: real daemons, chain, wire and disk, and a model that is moved by one pass over it."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.process_sampler import SELDOM, Sampler, core_seconds, family_of, machine_seconds
from bench.synthetic_task import make_app, make_data
from bench.timeline import NodeLog, Timeline
from dao.chain.cursor import EventCursor
from dao.chain.events import RoundOpened
from dao.core.types import Codec
from dao.demo import gas
from dao.demo.demo_daemons import start_superlink
from dao.demo.demo_network import DemoKeys, DemoNetwork, open_demo_network, write_config, write_demo_task
from dao.demo.processes import Daemon
from dao.demo.status_reader import StatusReader
from dao.errors import DaoError

ROUND_LIMIT = 300.0  # seconds, and some more for each million bytes of a large model
MB_A_SECOND = 4
LOOK = 0.1  # seconds between looks at the logs


@dataclass(frozen=True)
class Cores:
    """Seconds that processes had of the cores, up to a moment."""

    superlink: float
    nodes: float
    chain: float
    machine: float
    clock: float


async def overhead(
    folder: Path, app_name: str, mb: int, nodes: int, rounds: int, codec: Codec, warm_up: int
) -> dict[str, Any]:
    """Play `rounds` rounds, after some to warm up, of a model of `mb` million bytes; return their figures."""
    total = rounds + warm_up
    app = make_app(folder, app_name, mb)
    data = make_data(folder / "data", nodes, total)
    names = [f"node-{index:02}" for index in range(nodes)]
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(
            open_demo_network(folder, app, data, names, total, codec=codec)
        )
        row = await _Bench(network, names, stack, warm_up).play(mb, rounds)
        return {"codec": str(codec), **row}


class _Bench:
    """One network, from its first daemon to its last round."""

    def __init__(
        self, network: DemoNetwork, names: Sequence[str], stack: AsyncExitStack, warm_up: int
    ) -> None:
        self._warm_up = warm_up
        self._network, self._names, self._stack = network, names, stack
        self._daemons: list[Daemon] = []
        self._timeline = Timeline()
        self._read = [NodeLog(keys.home / "daemon.log") for keys in network.nodes]
        self._reader = StatusReader(network.superlink.home / "status.jsonl")
        self._cores: dict[int, Cores] = {}  # when a round was first seen to be over

    async def play(self, mb: int, rounds: int) -> dict[str, Any]:
        network, total = self._network, rounds + self._warm_up
        for name, keys, data in zip(self._names, network.nodes, network.data.members, strict=True):
            write_config(network, keys, trains=True)
            write_demo_task(network, keys, data)
            await self._start_node(name, keys)
        write_config(network, network.superlink)
        self._keep(await start_superlink(network, total))
        *nodes, superlink = (daemon.pid for daemon in self._daemons)
        samplers = [*(Sampler(pid, SELDOM) for pid in nodes), Sampler(superlink)]
        for work in (*(sampler.run() for sampler in samplers), self._watch()):
            self._stack.push_async_callback(_end, asyncio.create_task(work))
        load, limit = os.getloadavg()[0], ROUND_LIMIT + mb / MB_A_SECOND
        self._cores[0] = self._used()
        for number in range(1, total + 1):
            await self._until(partial(self._timeline.ended, number), limit, f"round {number}")
            self._cores[number] = self._used()
        return await self._row(mb, rounds, samplers, load)

    async def _start_node(self, name: str, keys: DemoKeys) -> None:
        arguments = ["node", "start", "--home", str(keys.home)]
        self._keep(await Daemon.start(name, arguments, keys.home / "daemon.log"))

    def _keep(self, daemon: Daemon) -> None:
        self._stack.push_async_callback(daemon.stop)
        self._daemons.append(daemon)

    def _logs(self) -> list[NodeLog]:
        return [log.read_on() for log in self._read]

    async def _until(self, is_so: Callable[[list[NodeLog]], object], limit: float, what: str) -> None:
        """Follow the Superlink's status until something is so of the nodes' logs."""
        end = time.monotonic() + limit
        while True:
            for event in self._reader.events():
                self._timeline.told(event)
            if is_so(self._logs()):
                return
            for daemon in self._daemons:
                daemon.check()
            if time.monotonic() > end:
                raise DaoError(f"{what}: not within {limit:.0f} s; see the logs in {self._network.folder}")
            await asyncio.sleep(LOOK)

    async def _watch(self) -> None:
        """Note when rounds open, as the chain says it."""
        chain = self._network.chain
        cursor = EventCursor(chain, chain.deployment.block, (RoundOpened,), self._network.task)
        async for event in cursor:
            if isinstance(event, RoundOpened):
                self._timeline.opened(event.round, time.time())

    def _used(self) -> Cores:
        families = [family_of(daemon.pid) for daemon in self._daemons]
        return Cores(
            core_seconds(families[-1]),
            sum(map(core_seconds, families[:-1])),
            core_seconds(family_of(self._network.anvil.process.pid)),
            machine_seconds(),
            time.time(),
        )

    async def _row(self, mb: int, rounds: int, samplers: Sequence[Sampler], load: float) -> dict[str, Any]:
        network, logs = self._network, self._logs()
        counted = range(self._warm_up + 1, self._warm_up + rounds + 1)
        first, last = self._cores[self._warm_up], self._cores[counted[-1]]
        seconds = {
            n: (self._timeline.ended(n, logs) or 0.0) - self._timeline.rounds[n].opened
            for n in self._timeline.rounds
        }
        spent = await gas.read_superlink_gas(network.chain, network.task)
        ours = last.superlink - first.superlink + last.nodes - first.nodes + last.chain - first.chain
        elapsed = last.clock - first.clock
        return {
            "mb": mb,
            "nodes": len(network.nodes),
            "model_bytes": network.first_model.stat().st_size,
            "rounds_s": [round(seconds[n], 3) for n in counted],
            "first_round_s": round(seconds[1], 3),
            "upload_bytes_per_node": _per_round(logs, "sent", counted),
            "download_bytes_per_node": _per_round(logs, "received", counted),
            "superlink_peak_mb": round(samplers[-1].peak / 1e6, 1),
            "superlink_processes_mb": _rank_peaks(samplers[-1:]),
            "node_processes_mb": _rank_peaks(samplers[:-1]),
            "superlink_gas": round(statistics.mean(spent[n] for n in spent if n in counted)),
            "core_seconds": {
                "superlink": round((last.superlink - first.superlink) / rounds, 3),
                "nodes": round((last.nodes - first.nodes) / rounds, 3),
                "chain": round((last.chain - first.chain) / rounds, 3),
            },
            "others_cores": round((last.machine - first.machine - ours) / elapsed, 2),
            "load": load,
            "steps": {
                n: [
                    (round(at - self._timeline.rounds[n].opened, 3), what)
                    for at, what in self._timeline.rounds[n].steps
                ]
                for n in counted
            },
        }


def _rank_peaks(samplers: Sequence[Sampler]) -> list[float]:
    """Return the peaks of a daemon's two largest processes, its app's and its own, each the most of these daemons."""
    largest = [sorted(sampler.peaks.values(), reverse=True)[:2] for sampler in samplers]
    return [round(max(peaks) / 1e6, 1) for peaks in zip(*largest, strict=True)]


def _per_round(logs: Sequence[NodeLog], counter: str, counted: range) -> int:
    """Bytes of content that a node sent or received in a round, the mean; counters stand in the `revealed` events."""
    totals = []
    for log in logs:
        held = {
            int(event["round"]): int(event[counter]) for event in log.events if event["event"] == "revealed"
        }
        totals.append((held[counted[-1]] - held.get(counted[0] - 1, 0)) / len(counted))
    return round(statistics.mean(totals))


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
