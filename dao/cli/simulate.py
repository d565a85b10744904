"""`dao simulate`: train rounds on this machine, weighed, scored and paid as on the network, without a chain."""

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.live import Live

from dao.app.gradient_client import GradientClient
from dao.app.memory_needs import MemoryNeed, compute_model_bytes, find_shortage
from dao.app.preflight import find_odd_loss, try_loss
from dao.app.shards import Shards, read_shards
from dao.cli import options
from dao.cli.card_options import read_setting_options
from dao.cli.options import JSON_FILE, BuiltAppPythonOption
from dao.cli.output import printable, require_writable
from dao.core.formats.app_settings import Setting
from dao.core.types import RoundId, Wei, hex_of
from dao.demo.demo_report import write_json, write_plot
from dao.demo.demo_state import MEMORY, DemoState, RoundView, Seat, SeatRound
from dao.demo.html_report import write_report
from dao.demo.ray_cluster import reach_cluster
from dao.demo.ray_pool import RayPool
from dao.demo.scene import DEFAULT_LABEL, MOST_NODES, Scene, Wish, set_scene
from dao.demo.simulated_network import PlayedRound, SimulatedNetwork, SimulatedNode, make_keys
from dao.demo.simulation import CHANCE, TASK, Simulation
from dao.demo.split import deal_rows
from dao.demo.terminal_view import render_board, render_summary
from dao.demo.training_pool import Lender, PartTrainer, TrainingPart, TrainingPool, TrainsParts
from dao.errors import ConfigError
from dao.runtime.open_files import allow_open_files

BUDGET = Wei(1000 * 10**18)
LIMIT = 600.0  # seconds for one gradient
MOST_FAILURES = 3  # of a round, that are told


def command(
    nodes: Annotated[
        int | None,
        typer.Option(
            "--nodes",
            min=1,
            max=MOST_NODES,
            help=options.NODES,
            show_default="5 of the demonstration, 20 that data are dealt among",
        ),
    ] = None,
    rounds: Annotated[int, options.rounds()] = 5,
    app: Annotated[Path | None, options.APP] = None,
    data: Annotated[list[Path] | None, options.DATA] = None,
    shards: Annotated[Path | None, options.SHARDS] = None,
    test: Annotated[
        Path | None, typer.Option(help="Data on which the app's metrics() are taken after each round.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="How one file of --data is dealt among --nodes: iid, or dirichlet:0.5 for unlike mixes of labels.",
            show_default="iid",
        ),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(help="What the last nodes do instead of honest work, and how many: label-flip:3."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column of data() that rows are dealt by.", show_default=DEFAULT_LABEL),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting", help="A setting of the app, NAME=VALUE, as a task's card has them; repeat for more."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="For all chance: the same seed gives the same bytes.")
    ] = 0,
    app_python: BuiltAppPythonOption = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on this Ray cluster: HOST:PORT, ray://HOST:PORT, auto for the one that this machine belongs to.",
            show_default="a process for each core of this machine",
        ),
    ] = None,
    json: Annotated[Path | None, JSON_FILE] = None,
    plot: Annotated[Path | None, typer.Option(help="Write accuracy and earnings as a PNG.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write all figures, curves and shares as one HTML page.")
    ] = None,
) -> None:
    """Train together on this machine, without a chain: what would each contributor earn?

    In the folder of an app, or with --app, its data are dealt among --nodes; its pyproject.toml names them, or --data and
    --shards do. A Flower app deals them itself, by partition-id. With --data for each contributor, nothing is dealt. Elsewhere it plays a digit classifier on real images with
    five kinds of contributors: two with good data, one with a tenth of it and three digits alone, one with 40% wrong labels, one
    that trains nothing and sends noise. Training and gradients run in processes of their own; formats, gate, clip, aggregate, scores and payouts are
    the protocol's.

    Example: dao simulate --nodes 20 --split dirichlet:0.5 --attack label-flip:3 --seed 7 --report report.html
    Example: dao simulate --app tumour --data a.csv --data b.csv --shards shards --test test.csv
    """
    for path, flag in ((json, "--json"), (plot, "--plot"), (report, "--report")):
        require_writable(path, flag)
    if plot is not None and plot.suffix.lower() != ".png":
        raise ConfigError(f"--plot {plot}: expected a name that ends in .png")
    settings = read_setting_options(setting)
    allow_open_files()  # every update of a round is one, mapped
    wish = Wish(app, data or [], shards, test, app_python, nodes, split, attack, label)
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="commonweight-") as folder,
        reach_cluster(ray) if ray else nullcontext(0) as cluster_cores,
    ):
        with console.status("preparing the app, its environment and the data"):
            scene = set_scene(wish, Path(folder))
        play = Play(scene, rounds, seed, Path(folder), settings, cluster_cores, app_python)
        state = asyncio.run(_simulate(play, console))
    console.print(render_summary(state))
    if json:
        write_json(state, json)
    if plot:
        write_plot(state, plot)
    if report:
        facts = {"nodes": len(scene.members), "rounds": rounds, "split": split or "", "attack": attack or ""}
        write_report(state, {"app": scene.name, **facts, "seed": seed}, report)


@dataclass(frozen=True)
class Play:
    """What is played; nodes are trained by `cluster_cores` Ray workers, with `cluster_python`, where that is not 0."""

    scene: Scene
    rounds: int
    seed: int
    folder: Path
    settings: Mapping[str, Setting]
    cluster_cores: int
    cluster_python: Path | None


async def _simulate(play: Play, console: Console) -> DemoState:
    scene, folder, settings = play.scene, play.folder, play.settings
    shards = await asyncio.to_thread(read_shards, scene.shards)
    if play.rounds > len(shards.paths):
        raise ConfigError(
            f"--rounds {play.rounds}: expected at most one for each of the {len(shards.paths)} shards"
        )
    async with AsyncExitStack() as running:
        gradients = GradientClient(
            *(scene.app, scene.python, folder / "evaluator"), limit=LIMIT, keeps_log=False, settings=settings
        )
        running.push_async_callback(gradients.stop)
        size = 1 if play.cluster_cores else min(os.cpu_count() or 1, len(scene.members))
        pool = TrainingPool(scene.app, scene.python, size, folder, settings)
        running.push_async_callback(pool.stop)
        helper, first = pool.trainers[0], folder / "model.safetensors"
        with console.status("starting the processes of the app"):
            await helper.start()
            await _tell_memory(scene.name, helper, size + 1, console)
            await asyncio.gather(gradients.start(), pool.start())
        await helper.create(first)
        with console.status("trying data() and loss() on a shard"):
            await try_loss(gradients, first, shards.paths[0])
            if oddity := await find_odd_loss(gradients, first, shards.paths[0]):
                console.print(printable(f"loss(), tried on {shards.paths[0].name}, {oddity}"))
        simulation = await _begin(gradients, shards, play.seed, folder, first)
        nodes = await _seat_nodes(scene, helper, play.seed, folder)
        lender: Lender[TrainsParts] = pool
        if play.cluster_cores:
            with console.status("starting the app on the cluster"):
                lender = await _start_cluster(play, running)
        network = SimulatedNetwork(simulation, lender, nodes, play.seed)
        seats = [
            Seat(member, hex_of(node.owner), hex_of(node.signer.address))
            for member, node in zip(scene.members, nodes, strict=True)
        ]
        state = DemoState(TASK, MEMORY, play.rounds, seats)
        await _play(network, helper, scene.test, state, console)
    return state


async def _tell_memory(name: str, helper: PartTrainer, processes: int, console: Console) -> None:
    """ConfigError where this machine can never hold the app's model so many times; one line where it cannot now."""
    layout = await helper.read_layout()
    need = MemoryNeed(f"app {name}", (compute_model_bytes(layout.chunks),) * processes, aggregates=True)
    if shortage := await asyncio.to_thread(find_shortage, need):
        console.print(printable(shortage), highlight=False, soft_wrap=True)


async def _start_cluster(play: Play, running: AsyncExitStack) -> Lender[TrainsParts]:
    """Start the app in as many Ray workers as have work, until `running` ends."""
    size = min(play.cluster_cores, len(play.scene.members))
    pool = RayPool(play.scene.app, play.cluster_python, size, play.folder, play.settings)
    running.push_async_callback(pool.stop)
    await pool.start()
    return pool


async def _begin(
    gradients: GradientClient, shards: Shards, seed: int, folder: Path, first: Path
) -> Simulation:
    chance = CHANCE + seed.to_bytes(8, "big")
    simulation = Simulation(gradients, shards, folder / "superlink", BUDGET, chance)
    await simulation.begin(first)
    return simulation


async def _seat_nodes(scene: Scene, helper: PartTrainer, seed: int, folder: Path) -> Sequence[SimulatedNode]:
    """Give each member its keys and its data: a file of its own, or rows of the one that is dealt."""
    data: Sequence[Path] = scene.data
    rows: list[Path | None] = [None] * len(scene.members)
    if scene.split is not None:
        data = [scene.data[0]] * len(scene.members)
        codes, classes = await helper.list_labels(scene.data[0], scene.label)
        for index, dealt in enumerate(deal_rows(scene.split, codes, classes, len(rows), seed)):
            rows[index] = path = folder / f"rows-{index}"
            await asyncio.to_thread(np.sort(dealt).astype("<i8").tofile, path)
    nodes = []
    for member, path, part in zip(scene.members, data, rows, strict=True):
        attack = scene.attacks.get(member.index, "")
        flips = scene.label if attack == "label-flip" else None
        place = (member.index, len(scene.members)) if scene.is_dealt_by_app else None
        training = TrainingPart(path, part, flips, place)
        nodes.append(SimulatedNode(member.index, *make_keys(seed, member.index), training, attack))
    return nodes


async def _play(
    network: SimulatedNetwork, helper: PartTrainer, test: Path | None, state: DemoState, console: Console
) -> None:
    trained = 0
    with Live(get_renderable=lambda: render_board(state, trained), console=console, transient=True):
        for index in range(1, state.rounds_wanted + 1):
            trained, started = 0, time.monotonic()

            def count() -> None:
                nonlocal trained
                trained += 1

            played = await network.play(RoundId(index), count)
            base = network.simulation.base.path
            metrics = {} if test is None else await helper.measure(base, test)
            view = _view_round(played, metrics, network, time.monotonic() - started)
            state.rounds.append(view)
            _tell_round(view, played, metrics, state, console)


def _tell_round(
    view: RoundView, played: PlayedRound, metrics: Mapping[str, object], state: DemoState, console: Console
) -> None:
    manifest = played.settlement.manifest
    figures = ", ".join(f"{name} {_format(value)}" for name, value in metrics.items())
    before, after = (loss / 1e6 for loss in (manifest.loss_before, manifest.loss_after))
    console.print(
        f"round {view.round}: loss {before:.4f} to {after:.4f}{figures and f'; on the test {figures}'}",
        highlight=False,
    )
    for index, why in list(played.failures.items())[:MOST_FAILURES]:
        name = state.seats[index].member.name
        console.print(
            f"  {printable(name)} sat it out: {printable(why)}", markup=False, highlight=False, soft_wrap=True
        )
    if (more := len(played.failures) - MOST_FAILURES) > 0:
        console.print(f"  {more} more sat it out")


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def _view_round(
    played: PlayedRound, metrics: Mapping[str, object], network: SimulatedNetwork, seconds: float
) -> RoundView:
    manifest = played.settlement.manifest
    failed = {
        hex_of(network.nodes[index].signer.address): SeatRound(status="passed", reason=why)
        for index, why in played.failures.items()
    }
    return RoundView(
        round=manifest.round,
        phase="settled",
        seconds=seconds,
        accuracy=_number(metrics.get("accuracy")),
        loss=_number(metrics.get("loss", manifest.loss_after / 1e6)),
        losses=(manifest.loss_before / 1e6, manifest.loss_after / 1e6),
        budget_wei=manifest.budget_wei,
        refunded_wei=manifest.refunded_wei,
        model=str(manifest.model),
        manifest=str(played.settlement.manifest_cid),
        figures={name: number for name, value in metrics.items() if (number := _number(value)) is not None},
        nodes=failed
        | {
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
