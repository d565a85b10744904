"""Runs a task's app on a site's data as a round would, in the sandbox, and measures it; nothing leaves.

A dry score tells what the site's own training does to rows that are public by now, beside the gate's threshold.
"""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from dao.app.gradient_client import GradientClient
from dao.app.preflight import link_without_name
from dao.app.sandbox import SandboxSettings
from dao.content.tensor_files import map_file, open_model
from dao.core.engine.chunking import cut_spans
from dao.core.formats.layout import FLOAT, Model
from dao.core.types import RoundId, Rules
from dao.core.weigh import compute_gate_threshold
from dao.errors import AppError
from node.check.task_inputs import PublicRows, TaskInputs
from node.privacy.mechanism import compute_norm
from node.trainer import Trainer
from node.update_maker import RESERVE, write_update

LOOK = 0.1  # seconds between two looks at an app's memory
MILLION = 1e6


@dataclass(frozen=True)
class SiteApp:
    """How a site runs an app: its data, the interpreter, the sandbox, the threads."""

    data: Path
    python: Path
    sandbox: SandboxSettings
    threads: int | None = None


@dataclass(frozen=True)
class DryScore:
    """What a training does on public rows: mean loss before and after, and the update's cosine beside the gate's threshold."""

    round: RoundId
    loss_before: float
    loss_after: float
    cosine: float
    threshold: float

    @property
    def passes(self) -> bool:
        """Whether an update like this passes the gate of an owner without a history."""
        return self.cosine > self.threshold


@dataclass(frozen=True)
class Rehearsal:
    """One training: rows that the app used, as it says; seconds to load the data and to train; most memory; upload size."""

    rows: int | None
    load_s: float
    train_s: float
    memory_bytes: int
    update_bytes: int
    norm: float  # L2, of what training changed: a measure for `--clip`
    dry_score: DryScore | None
    public_problem: str = ""  # why the site's rows and public ones cannot be trained on together


async def rehearse(app: Path, site: SiteApp, inputs: TaskInputs, scratch: Path) -> Rehearsal:
    """Train once from the task's newest model, with the time that a round has; AppError where the app fails.

    `app` is its unpacked folder, `scratch` an empty one.
    """
    rules, trained, update = inputs.rules, scratch / "trained", scratch / "update"
    trainer = Trainer.of(
        app,
        site.data,
        scratch / "app.log",
        python=site.python,
        threads=site.threads,
        keeps_log=False,
        sandbox=site.sandbox,
        settings=inputs.card.settings,
    )
    try:
        async with _watch_memory(trainer) as peak:
            loop = asyncio.get_running_loop()
            started = loop.time()
            await trainer.start()
            load_s = loop.time() - started
            outcome = await trainer.train(
                inputs.model, trained, seed=1, round=1, limit=compute_training_limit(rules)
            )
            # where nothing is public yet, the site's own rows stand for it
            problem = await trainer.try_join(inputs.public.path if inputs.public else site.data)
    finally:
        await trainer.stop()
    await asyncio.to_thread(write_update, inputs.model, trained, rules.codec, rules.body_depth, update)
    norm = await asyncio.to_thread(compute_norm, open_model(inputs.model), open_model(trained))
    dry_score = None
    if inputs.public is not None:
        dry_score = await _score(app, site, inputs, inputs.public, trained, scratch)
    return Rehearsal(
        outcome.rows,
        load_s,
        outcome.train_s,
        peak[0],
        update.stat().st_size,
        norm,
        dry_score,
        problem and describe_app_error(AppError(f"join: {problem}")),
    )


def compute_training_limit(rules: Rules) -> float:
    """Return the seconds that a round leaves for training."""
    return (1 - RESERVE) * rules.commit_period


def describe_app_error(error: AppError) -> str:
    """Return an app's error without what it quotes, which may be a value of the data: its kind and the app's line."""
    text = str(error)
    found = re.match(r"(\w+): (\w+(?:Error|Exception|Exit|Interrupt))\b", text)
    if found is None:
        # words of ours, up to what the process printed
        return re.split(r"; its last words|; it said nothing|; more in| \(/", text)[0][:300]
    place = re.search(r" \([\w.]+ line \d+\)", text)
    return f"{found[1]}: {found[2]}{place[0] if place else ''}; run it by itself on your data to see more"


async def _score(
    app: Path, site: SiteApp, inputs: TaskInputs, public: PublicRows, trained: Path, scratch: Path
) -> DryScore:
    client = GradientClient(
        app,
        site.python,
        scratch / "gradients",
        limit=compute_training_limit(inputs.rules),
        keeps_log=False,
        sandbox=site.sandbox,
        settings=inputs.card.settings,
    )
    try:
        with link_without_name(public.path) as shard:
            gate = await client.gate_gradient(inputs.model, shard)
            after = await client.loss(trained, shard)
    finally:
        await client.stop()
    base = open_model(inputs.model)
    slope = Model(base.layout, np.frombuffer(map_file(gate.path), FLOAT))
    cosine = await asyncio.to_thread(compute_cosine, base, open_model(trained), slope)
    threshold = compute_gate_threshold(base.layout.scored_values) / MILLION
    return DryScore(public.round, gate.loss, after, cosine, threshold)


def compute_cosine(base: Model, trained: Model, slope: Model) -> float:
    """Return the cosine between what training changed and a slope, 0 where one has no length. Blocks.

    Of the scored values alone: what is only carried has no gradient.
    """
    products = np.zeros(3)
    for span in cut_spans(base.layout.scored_chunks):
        change = trained.span(*span).ravel().astype(np.float64) - base.span(*span).ravel()
        along = slope.span(*span).ravel().astype(np.float64)
        products += change @ along, change @ change, along @ along
    lengths = math.sqrt(products[1] * products[2])
    return float(products[0]) / lengths if lengths else 0.0


@asynccontextmanager
async def _watch_memory(trainer: Trainer) -> AsyncIterator[list[int]]:
    """Keep in a list of one the most memory that the app's processes took together, as far as was seen."""
    peak = [0]

    async def watch() -> None:
        while True:
            if trainer.pid is not None:
                peak[0] = max(peak[0], await asyncio.to_thread(_read_memory, trainer.pid))
            await asyncio.sleep(LOOK)

    watching = asyncio.create_task(watch())
    try:
        yield peak
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _read_memory(pid: int) -> int:
    """Return the bytes that a process and all below it keep to themselves; mapped files and libraries are not counted."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                memory = one.memory_info()
                total += memory.rss - getattr(memory, "shared", 0)
    return total
