"""Tries the app of a task that is to be proposed, and stores its content: the app and the first model."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from dao.app.bundle import FROZEN_BASE, bundle, read_bundle, unpack
from dao.app.environment import find_interpreter, read_project
from dao.app.frozen_base import find_frozen_base, place_frozen_base
from dao.app.gradient_client import GradientClient
from dao.app.memory_needs import MemoryNeed, compute_model_bytes, find_shortage
from dao.app.preflight import find_odd_loss, link_without_name, try_loss
from dao.app.shards import Shards
from dao.content import tensor_files
from dao.core.formats.card import Card, parse_card
from dao.core.formats.cid import Cid
from dao.core.formats.layout import Layout, compute_depth, compute_model_root
from dao.core.types import Digest, Rules, Wei
from dao.errors import AppTimeout, ConfigError
from dao.gov.action_json import get_kind
from dao.gov.actions import CreateTask
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from dao.store.source import Store
from node.trainer import Trained, Trainer

TRIED_AT_ONCE = 2  # processes of the app that compare their gradients


@dataclass(frozen=True, slots=True)
class TaskContent:
    """The content that a task's rules bind, and its measures."""

    app: Cid
    card_cid: Cid
    base_model: Cid
    validation_root: Digest
    shards: int
    body_depth: int
    layout: Layout
    base_model_root: Digest
    card: Card
    files: int  # of the app
    lines: int  # of its Python code
    packages: tuple[str, ...]  # that its pyproject.toml asks for
    training_s: (
        float | None
    )  # seconds that a training took on a shard; None: it was not tried, or not waited for


async def publish(
    app: Path,
    card_content: bytes,
    model: Path | None,
    shards: Shards,
    folder: Path,
    ipfs: str | None,
    python: Path | None,
    trial: float | None,
) -> TaskContent:
    """Bundle the app, make its first model unless `model` is one, store and pin both, the card, and the app's frozen base, if any.

    Before anything is stored, the app is tried on a shard, with `trial` seconds for each function; None skips that. The
    shards are not stored: only the Superlink has them. Raises AppError, ConfigError, ContentError,
    DecodeError.
    """
    card = parse_card(card_content)
    bundled, frozen = await asyncio.to_thread(bundle, app), await asyncio.to_thread(find_frozen_base, app)
    if model is not None and not await asyncio.to_thread(model.is_file):
        raise ConfigError(f"--model {model}: expected a safetensors file; without, the app makes the model")
    if card.base and not frozen and (model is None or trial is not None):
        raise ConfigError(
            f"frozen base: the card names one; expected its file as {FROZEN_BASE} in {app}, to try the app with"
        )
    if python is None and (model is None or trial is not None):
        with Console(stderr=True).status("building the app's environment, if it is not yet there"):
            python = await asyncio.to_thread(find_interpreter, app)
    with tempfile.TemporaryDirectory(prefix="proposal-") as scratch:
        trial_run = _AppTrial(
            Path(scratch),
            await asyncio.to_thread(unpack, bundled, Path(scratch) / "app"),
            python,
            card,
        )
        await asyncio.to_thread(place_frozen_base, frozen, Path(scratch) / "app")
        first = model or await trial_run.create_model(trial)
        opened = await asyncio.to_thread(tensor_files.open_model, first)
        layout = opened.layout
        depth = max(1, compute_depth(layout.chunks))
        root = await asyncio.to_thread(compute_model_root, opened, depth, tensor_files.each)
        training_s = None
        if trial is not None:
            if model is not None:
                await trial_run.tell_memory(layout, TRIED_AT_ONCE)
            await trial_run.try_loss(first, shards.paths[0], trial)
            training_s = await trial_run.try_training(first, shards, trial)
        bundle_file = Path(scratch) / "bundle.json"
        card_file = Path(scratch) / "card.json"
        await asyncio.to_thread(bundle_file.write_bytes, bundled)
        await asyncio.to_thread(card_file.write_bytes, card_content)
        contents = [bundle_file, card_file, first, *([frozen] if frozen else [])]
        app_cid, card_cid, model_cid, *_ = await _store(contents, folder, ipfs)
    return TaskContent(
        app_cid,
        card_cid,
        model_cid,
        shards.root,
        len(shards.paths),
        depth,
        layout,
        root,
        card,
        *_measure_code(read_bundle(bundled)),
        project.dependencies if (project := read_project(app)) else (),
        training_s,
    )


def _measure_code(files: Mapping[str, str]) -> tuple[int, int]:
    """Count an app's files, and the lines of its Python code."""
    lines = sum(text.count("\n") for name, text in files.items() if name.endswith(".py"))
    return len(files), lines


async def store_card(card: bytes, folder: Path, ipfs: str | None) -> Cid:
    """Store and pin a card; return its CID."""
    with tempfile.TemporaryDirectory(prefix="card-") as scratch:
        file = Path(scratch) / "card.json"
        await asyncio.to_thread(file.write_bytes, card)
        return await store_file(file, folder, ipfs)


async def store_file(file: Path, folder: Path, ipfs: str | None) -> Cid:
    """Store and pin a file; return its CID."""
    (cid,) = await _store([file], folder, ipfs)
    return cid


class _AppTrial:
    """Runs an app as others will have it, unpacked from its bundle, before anybody depends on it."""

    def __init__(self, folder: Path, app: Path, python: Path | None, card: Card) -> None:
        self._settings, self._metric = card.settings, card.metric
        self._folder, self._app, self._python = folder, app, python or Path(sys.executable)
        self._console = Console(stderr=True)

    async def tell_memory(self, layout: Layout, processes: int) -> None:
        """ConfigError where this machine can never hold the app's model so many times; one line on stderr where it cannot now."""
        need = MemoryNeed("app", (compute_model_bytes(layout.chunks),) * processes)
        if shortage := await asyncio.to_thread(find_shortage, need):
            sys.stderr.write(f"dao: {shortage}\n")

    async def create_model(self, limit: float | None) -> Path:
        """Write the untrained model; AppTimeout where that takes longer than `limit` seconds."""
        model = self._folder / "model.safetensors"
        with self._console.status("making the first model"):
            async with self._trainer(None) as trainer:
                try:
                    async with asyncio.timeout(limit):
                        layout = await trainer.read_layout()
                        await self.tell_memory(layout, 1 if limit is None else TRIED_AT_ONCE)
                        await trainer.create(model)
                except TimeoutError:
                    raise AppTimeout(
                        f"model(): the app took longer than {limit:.0f} s; give it more by --trial"
                    ) from None
        return model

    async def try_loss(self, model: Path, shard: Path, limit: float) -> None:
        """Compute a gradient on a shard in two processes, as Superlink and auditor will; write to stderr what is odd of the loss.

        One of them has computed the card's metric before, if there is one: AppError where the app has no such metric, or where
        its gradient is another after it.
        """
        scratch = self._folder / "evaluated"
        pair = [
            GradientClient(
                *(self._app, self._python, scratch / str(n)),
                limit=limit,
                keeps_log=False,
                settings=self._settings,
            )
            for n in range(2)
        ]
        try:
            with self._console.status(f"trying data() and loss() on {shard.name}"):
                if self._metric is not None:
                    with link_without_name(shard) as link:
                        await pair[0].metric(self._metric.name, model, link)
                await try_loss(pair[0], model, shard, pair[1])
                oddity = await find_odd_loss(pair[0], model, shard)
        except AppTimeout as error:
            raise AppTimeout(f"{error}; give it more by --trial") from None
        finally:
            for client in pair:
                await client.stop()
        if oddity:
            sys.stderr.write(f"dao: loss(), tried on {shard.name}, {oddity}\n")

    async def try_training(self, model: Path, shards: Shards, limit: float) -> float | None:
        """Train on a shard as if it were a contributor's data, and on the last one as public; write to stderr what is odd.

        Returns the seconds that it took, None where it had not ended in time.
        """
        out, oddity, shard = self._folder / "trained.safetensors", None, shards.paths[0]
        trained: Trained | None = None
        with self._console.status(f"trying train() on {shard.name}"):
            async with self._trainer(shard) as trainer:
                try:
                    trained = await trainer.train(
                        model, out, seed=1, round=1, limit=limit, public=shards.paths[-1:]
                    )
                    if trained.public_problem:
                        oddity = f"would not use the shards of earlier rounds: {trained.public_problem}"
                except AppTimeout:
                    oddity = f"had not ended after {limit:.0f} s, and was not waited for"
        if oddity is None:
            before = await asyncio.to_thread(tensor_files.open_model, model)
            after = await asyncio.to_thread(tensor_files.open_model, out)
            if np.array_equal(before.flat, after.flat):
                oddity = "left the model as it was"
        kept = (
            [f"changed {name!r}, which stays at each node" for name in trained.kept_here] if trained else []
        )
        for words in (*([oddity] if oddity else ()), *kept):
            sys.stderr.write(f"dao: train(), tried on {shard.name}, {words}\n")
        return None if trained is None else trained.train_s

    @asynccontextmanager
    async def _trainer(self, data: Path | None) -> AsyncIterator[Trainer]:
        trainer = Trainer.of(
            *(self._app, data, self._folder / "app.log"),
            python=self._python,
            keeps_log=False,
            settings=self._settings,
        )
        try:
            yield trainer
        finally:
            await trainer.stop()


def write_draft(file: Path, rules: Rules, funds: Wei) -> None:
    """Write a task for `dao propose --file`."""
    from dao.gov.drafts import show_fields

    action = CreateTask(rules, funds)
    draft = {"actions": [{"kind": get_kind(action), "fields": show_fields(action)}]}
    file.write_text(json.dumps(draft, indent=2) + "\n", encoding="utf-8")


async def _store(contents: list[Path], folder: Path, ipfs: str | None) -> list[Cid]:
    """Store and pin contents in a folder and, where there is one, an IPFS node."""
    disk = DiskStore(folder)
    kubo = None if ipfs is None else KuboStore(ipfs, disk)
    try:
        stores: list[Store] = [disk] if kubo is None else [disk, kubo]
        cids = []
        for content in contents:
            for store in stores:
                cid = await store.put_file(content)
                await store.pin_for_good(cid)
            cids.append(cid)
        return cids
    finally:
        if kubo is not None:
            kubo.close()
