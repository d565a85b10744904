"""What runs in a Ray worker: one warm process of the app, as the simulation's own machine has them.

Arguments and answers are bytes, texts and numbers: Ray pickles what it is given, so it is given nothing of an app's.
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Mapping
from pathlib import Path

from dao.app.bundle import unpack
from dao.app.environment import find_interpreter
from dao.app.frozen_base import place_frozen_base
from dao.demo.packed_files import Label, Shelf
from dao.demo.training_pool import PartTrainer, TrainingPart, prepare_trainer
from dao.errors import AppError

Contents = Mapping[str, Awaitable[bytes]]  # by the keys of labels; fetched where they are needed


class SimulationWorker:
    """Trains simulated nodes, one at a time, on a machine of the cluster."""

    def __init__(self, app: bytes, setup: str) -> None:
        """Take the app's bundle and a JSON text: `settings`, `python` (null: of the app's environment), `base` (a label or null)."""
        self._app, self._setup = app, json.loads(setup)
        self._scratch = tempfile.TemporaryDirectory(prefix="commonweight-ray-")
        self._folder = Path(self._scratch.name)
        self._shelf = Shelf(self._folder / "files")
        self._trainer: PartTrainer | None = None

    async def start(self, contents: Contents) -> str:
        """Start the app's process; return one line that says why it cannot run, "" where it does."""
        try:
            await self._ensure(contents)
        except AppError as error:
            return str(error)
        return ""

    async def train(self, order: str, contents: Contents) -> tuple[str, bytes]:
        """Train one node by a JSON text; return one line that says what went wrong, or "" and the trained model's file.

        `order` has the labels `base`, `data`, `rows` (or null) and `public`, the numbers `seed` and `round`, and a part's `flips` and
        `partition`.
        """
        wanted = json.loads(order)
        base, data = Label(**wanted["base"]), Label(**wanted["data"])
        rows = wanted["rows"] and Label(**wanted["rows"])
        public = [Label(**one) for one in wanted["public"]]
        try:
            trainer = await self._ensure(contents)
            paths = await self._shelf.place([base, data, *public, *([rows] if rows else [])], contents)
            place = wanted["partition"] and (wanted["partition"][0], wanted["partition"][1])
            part = TrainingPart(paths[data], paths[rows] if rows else None, wanted["flips"], place)
            shards = [paths[one] for one in public]
            await trainer.train_part(part, paths[base], wanted["seed"], wanted["round"], shards)
        except AppError as error:
            return str(error), b""
        return "", await asyncio.to_thread(trainer.out.read_bytes)

    async def stop(self) -> None:
        """Kill the app's process and remove all files."""
        if self._trainer is not None:
            await self._trainer.stop()
        self._scratch.cleanup()

    async def _ensure(self, contents: Contents) -> PartTrainer:
        """Return the trainer, which is made first where there is none yet: Ray may have started this worker anew."""
        if self._trainer is None:
            app = self._folder / "app"
            base = self._setup["base"] and Label(**self._setup["base"])
            placed = (await self._shelf.place([base], contents))[base] if base else None
            python = await asyncio.to_thread(self._unpack, app, placed)
            trainer = prepare_trainer(app, python, self._folder, 0, self._setup["settings"])
            await trainer.start()
            self._trainer = trainer
        return self._trainer

    def _unpack(self, app: Path, base: Path | None) -> Path:
        """Unpack the app, and return its interpreter, whose environment is built here where it must be."""
        if not app.exists():
            unpack(self._app, app)
            place_frozen_base(base, app)
        python = self._setup["python"]
        return Path(python) if python else find_interpreter(app)
