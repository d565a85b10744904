"""`dao simulate`: rounds of training on this machine, weighed, scored and paid as on the network, without a chain."""

import asyncio
import hashlib
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from dao.chain.signer import Signer
from dao.cli.output import writable
from dao.core.layout import Model, model_size, write_model
from dao.core.manifest import Manifest
from dao.core.types import Address, RoundId, Wei, hex_of
from dao.demo.images import APP, Dealt, deal
from dao.demo.plan import Role, members
from dao.demo.report import write_json, write_plot
from dao.demo.round import TASK, Rounds, commit, load
from dao.demo.state import DemoState, NodeRound, RoundView, Seat
from dao.demo.view import summary
from dao.evaluator import Evaluator
from dao.shards import read_shards
from node.trainer import Trainer

STAKE, BUDGET = Wei(100 * 10**18), Wei(1000 * 10**18)
LIMIT = 120.0  # seconds for one training or one gradient
NOISE = 0.01  # standard deviation of what the free rider sends


def command(
    nodes: Annotated[int, typer.Option(min=1, max=50, help="Supernodes; roles repeat every five.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, max=12, help="Rounds; each uses up a validation shard.")] = 5,
    json: Annotated[Path | None, typer.Option(help="Write the results as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write accuracy and earnings as a PNG.")] = None,
) -> None:
    """Train a digit classifier together on real images, without a chain: what would each contributor earn?

    Five kinds of contributors: two with good data, one with a tenth of it, one with 40% wrong labels, one that trains
    nothing and sends noise. Training and gradients run in processes of their own; formats, gate, clip, aggregate,
    scores and payouts are the protocol's. Example: dao simulate --rounds 3 --plot earned.png
    """
    writable(json, "--json")
    writable(plot, "--plot")
    with tempfile.TemporaryDirectory(prefix="commonweight-") as folder:
        state = asyncio.run(_simulate(nodes, rounds, Path(folder), Console()))
    Console().print(summary(state))
    if json:
        write_json(state, json)
    if plot:
        write_plot(state, plot)


async def _simulate(nodes: int, rounds: int, folder: Path, console: Console) -> DemoState:
    people = members(nodes)
    dealt = deal(people, folder / "data")
    signers = [Signer.ephemeral() for _ in people]
    owners = [Address(hashlib.sha256(person.name.encode()).digest()[:20]) for person in people]
    seats = [
        Seat(person, hex_of(owner), hex_of(signer.address))
        for person, owner, signer in zip(people, owners, signers, strict=True)
    ]
    state = DemoState(TASK, "memory", rounds, seats)
    async with AsyncExitStack() as running:
        evaluator = Evaluator(APP, Path(sys.executable), folder / "evaluator", limit=LIMIT)
        running.push_async_callback(evaluator.stop)
        trainers = await _trainers(running, dealt, seats, folder)
        with console.status("starting a process for each Supernode"):
            await asyncio.gather(evaluator.start(), *(trainer.start() for trainer in trainers))
        settling = Rounds(evaluator, read_shards(dealt.shards), folder / "superlink", BUDGET)
        await trainers[0].create(folder / "model.safetensors")
        await settling.begin(folder / "model.safetensors")
        for index in range(1, rounds + 1):
            number, started, base = RoundId(index), time.monotonic(), settling.base
            with console.status(f"round {index} of {rounds}: training"):
                commits = []
                for seat, signer, owner, trainer in zip(seats, signers, owners, trainers, strict=True):
                    trained = await _trained(
                        seat, trainer, base.path, base.model, folder / "out.safetensors", index
                    )
                    commits.append(commit(signer, owner, STAKE, number, base.model, trained))
            with console.status(f"round {index} of {rounds}: scoring"):
                manifest = await settling.settle(number, commits)
                measured = await trainers[0].measure(settling.base.path, dealt.test)
            state.rounds.append(_view(manifest, measured, time.monotonic() - started))
            console.print(f"round {index}: accuracy {100 * measured['accuracy']:.1f}%")
    return state


async def _trainers(running: AsyncExitStack, dealt: Dealt, seats: list[Seat], folder: Path) -> list[Trainer]:
    trainers = []
    for seat, data in zip(seats, dealt.members, strict=True):
        trainer = Trainer.of(APP, data, folder / f"{seat.member.name}.log", threads=1)
        running.push_async_callback(trainer.stop)
        trainers.append(trainer)
    return trainers


async def _trained(seat: Seat, trainer: Trainer, base: Path, before: Model, out: Path, number: int) -> Model:
    """Train, or do what this contributor does instead."""
    if seat.member.role is not Role.FREE_RIDER:
        await trainer.train(base, out, seed=1000 * number + seat.member.index, round=number, limit=LIMIT)
        return load(out)
    dice = np.random.Generator(np.random.Philox(1000 * number + seat.member.index))
    made = write_model(before.layout, bytearray(model_size(before.layout)))
    values = before.span(0, before.layout.chunks)
    made.put(0, values + dice.normal(0, NOISE, values.shape).astype(np.float32))
    return made


def _view(manifest: Manifest, measured: dict[str, float], seconds: float) -> RoundView:
    return RoundView(
        round=manifest.round,
        phase="settled",
        seconds=seconds,
        accuracy=measured["accuracy"],
        loss=measured["loss"],
        budget_wei=manifest.budget_wei,
        refunded_wei=manifest.refunded_wei,
        nodes={
            hex_of(n.node): NodeRound(
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
