"""`dao simulate`: train rounds on this machine, weighed, scored and paid as on the network, without a chain."""

import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from dao.app.bundle import bundle, unpack
from dao.app.gradient_client import GradientClient
from dao.app.preflight import try_loss
from dao.app.shards import read_shards
from dao.chain.signer import Signer
from dao.cli import options
from dao.cli.options import JSON_FILE, AppPythonOption, DemoNodesOption
from dao.cli.output import require_writable
from dao.core.formats.layout import Model, compute_model_size, write_model
from dao.core.formats.manifest import Manifest
from dao.core.types import Address, RoundId, Wei, hex_of
from dao.demo.demo_report import write_json, write_plot
from dao.demo.demo_state import MEMORY, DemoState, RoundView, Seat, SeatRound
from dao.demo.images import APP, deal
from dao.demo.plan import DemoMember, Role, list_members
from dao.demo.simulation import TASK, Simulation, commit, load
from dao.demo.terminal_view import render_summary
from dao.errors import ConfigError
from node.trainer import Trainer

STAKE, BUDGET = Wei(100 * 10**18), Wei(1000 * 10**18)
LIMIT = 600.0  # seconds for one training or one gradient
NOISE = 0.01  # standard deviation of what the free rider sends


@dataclass(frozen=True)
class SimulationInputs:
    """The app, the contributors and their data; `test` is for the app's own metrics."""

    app: Path
    members: Sequence[DemoMember]
    data: Sequence[Path]
    shards: Path
    test: Path | None
    python: Path


def command(
    nodes: DemoNodesOption = 5,
    rounds: Annotated[int, options.rounds()] = 5,
    app: Annotated[Path | None, options.APP] = None,
    data: Annotated[list[Path] | None, options.DATA] = None,
    shards: Annotated[Path | None, options.SHARDS] = None,
    test: Annotated[
        Path | None, typer.Option(help="Data on which the app's metrics() are taken after each round.")
    ] = None,
    app_python: AppPythonOption = None,
    json: Annotated[Path | None, JSON_FILE] = None,
    plot: Annotated[Path | None, typer.Option(help="Write accuracy and earnings as a PNG.")] = None,
) -> None:
    """Train together on this machine, without a chain: what would each contributor earn?

    Without --app, a digit classifier on real images and five kinds of contributors: two with good data, one with a
    tenth of it, one with 40% wrong labels, one that trains nothing and sends noise. With --app, name --data once for
    each contributor, and --shards. Training and gradients run in processes of their own; formats, gate, clip, aggregate,
    scores and payouts are the protocol's.

    Example: dao simulate --rounds 3 --plot earned.png
    Example: dao simulate --app tumour --data a.csv --data b.csv --shards shards --test test.csv
    """
    require_writable(json, "--json")
    require_writable(plot, "--plot")
    if plot is not None and plot.suffix.lower() != ".png":
        raise ConfigError(f"--plot {plot}: expected a name that ends in .png")
    with tempfile.TemporaryDirectory(prefix="commonweight-") as folder:
        inputs = _select_inputs(nodes, app, data or [], shards, test, app_python, Path(folder))
        state = asyncio.run(_simulate(inputs, rounds, Path(folder), Console()))
    Console().print(render_summary(state))
    if json:
        write_json(state, json)
    if plot:
        write_plot(state, plot)


def _select_inputs(
    nodes: int,
    app: Path | None,
    data: list[Path],
    shards: Path | None,
    test: Path | None,
    python: Path | None,
    folder: Path,
) -> SimulationInputs:
    """Return the user's own inputs, or the demonstration's; ConfigError where only a part is named."""
    if app is None:
        if data or shards or test or python:
            raise ConfigError("--app: expected the folder of an app, as its data or shards are named")
        members = list_members(nodes)
        dealt = deal(members, folder / "data")
        return SimulationInputs(APP, members, dealt.members, dealt.shards, dealt.test, Path(sys.executable))
    if not data or shards is None:
        raise ConfigError(f"--app {app}: expected --data for each contributor, and --shards")
    for path in (*data, *([test] if test else [])):
        if not path.exists():
            raise ConfigError(f"{path}: expected a contributor's data or the test's, and there is nothing")
    members = [DemoMember(index, path.name, Role.OWN) for index, path in enumerate(data)]
    own = unpack(bundle(app), folder / "app")  # as others will have it
    return SimulationInputs(own, members, data, shards, test, python or Path(sys.executable))


async def _simulate(inputs: SimulationInputs, rounds: int, folder: Path, console: Console) -> DemoState:
    shards = await asyncio.to_thread(read_shards, inputs.shards)
    if rounds > len(shards.paths):
        raise ConfigError(
            f"--rounds {rounds}: expected at most one for each of the {len(shards.paths)} shards"
        )
    signers = [Signer.ephemeral() for _ in inputs.members]
    owners = [Address(hashlib.sha256(f"{p.index} {p.name}".encode()).digest()[:20]) for p in inputs.members]
    seats = [
        Seat(member, hex_of(owner), hex_of(signer.address))
        for member, owner, signer in zip(inputs.members, owners, signers, strict=True)
    ]
    state = DemoState(TASK, MEMORY, rounds, seats)
    async with AsyncExitStack() as running:
        gradients = GradientClient(
            inputs.app, inputs.python, folder / "evaluator", limit=LIMIT, keeps_log=False
        )
        running.push_async_callback(gradients.stop)
        trainers = await _make_trainers(running, inputs, folder)
        with console.status("starting a process for each Supernode"):
            await asyncio.gather(gradients.start(), *(trainer.start() for trainer in trainers))
        simulation = Simulation(gradients, shards, folder / "superlink", BUDGET)
        await trainers[0].create(folder / "model.safetensors")
        with console.status("trying data() and loss() on a shard"):
            await try_loss(gradients, folder / "model.safetensors", shards.paths[0])
        await simulation.begin(folder / "model.safetensors")
        for index in range(1, rounds + 1):
            number, started, base = RoundId(index), time.monotonic(), simulation.base
            with console.status(f"round {index} of {rounds}: training"):
                commits = []
                for seat, signer, owner, trainer in zip(seats, signers, owners, trainers, strict=True):
                    trained = await _train(
                        seat,
                        trainer,
                        base.path,
                        base.model,
                        folder / "out.safetensors",
                        index,
                        simulation.public,
                    )
                    commits.append(commit(signer, owner, STAKE, number, base.model, trained))
            with console.status(f"round {index} of {rounds}: scoring"):
                manifest = await simulation.settle(number, commits)
                metrics = (
                    {}
                    if inputs.test is None
                    else await trainers[0].measure(simulation.base.path, inputs.test)
                )
            state.rounds.append(_view_round(manifest, metrics, time.monotonic() - started))
            figures = ", ".join(f"{name} {_format(value)}" for name, value in metrics.items())
            before, after = (loss / 1e6 for loss in (manifest.loss_before, manifest.loss_after))
            console.print(
                f"round {index}: loss {before:.4f} to {after:.4f}{figures and f'; on the test {figures}'}"
            )
    return state


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


async def _make_trainers(running: AsyncExitStack, inputs: SimulationInputs, folder: Path) -> list[Trainer]:
    trainers = []
    for index, data in enumerate(inputs.data):
        log = folder / f"app-{index}.log"
        trainer = Trainer.of(inputs.app, data, log, python=inputs.python, threads=1, keeps_log=False)
        running.push_async_callback(trainer.stop)
        trainers.append(trainer)
    return trainers


async def _train(
    seat: Seat, trainer: Trainer, base: Path, before: Model, out: Path, number: int, public: Sequence[Path]
) -> Model:
    """Train, or send noise as the free rider does; return the new model."""
    if seat.member.role is not Role.FREE_RIDER:
        seed = 1000 * number + seat.member.index
        await trainer.train(base, out, seed=seed, round=number, limit=LIMIT, public=public)
        return load(out)
    dice = np.random.Generator(np.random.Philox(1000 * number + seat.member.index))
    noisy = write_model(before.layout, bytearray(compute_model_size(before.layout)))
    values = before.span(0, before.layout.chunks)
    noisy.put(0, values + dice.normal(0, NOISE, values.shape).astype(np.float32))
    return noisy


def _view_round(manifest: Manifest, metrics: Mapping[str, object], seconds: float) -> RoundView:
    return RoundView(
        round=manifest.round,
        phase="settled",
        seconds=seconds,
        accuracy=_number(metrics.get("accuracy")),
        loss=_number(metrics.get("loss", manifest.loss_after / 1e6)),
        budget_wei=manifest.budget_wei,
        refunded_wei=manifest.refunded_wei,
        nodes={
            hex_of(n.node): SeatRound(
                committed=True,
                revealed=True,
                status=str(n.status),
                weight=n.weight,
                score=n.score,
                reward_wei=n.reward_wei,
                reason=n.reason,
            )
            for n in manifest.nodes
        },
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
