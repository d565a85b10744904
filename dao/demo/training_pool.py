"""A few warm processes that train many simulated Supernodes: memory goes by the number of processes, not of nodes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dao.app.process import AppCommand, AppProcess
from dao.app.sandbox import Output
from dao.demo.split import Rows
from dao.errors import AppError
from node.trainer import Trainer

LIMIT = 600.0  # seconds for one training, or for reading data
MOST_LABELS = 8 << 32  # bytes


@dataclass(frozen=True)
class TrainingPart:
    """What one node trains on: `rows` is a file of the numbers of its rows (None: all), `flips` its attack's column."""

    data: Path
    rows: Path | None
    flips: str | None


class PartTrainer(Trainer):
    """One process; `out` is the model file that it writes."""

    def __init__(self, process: AppProcess, out: Path) -> None:
        super().__init__(process)
        self.out = out

    async def train_part(
        self, part: TrainingPart, base: Path, seed: int, number: int, public: Sequence[Path]
    ) -> None:
        """Train from the model file `base` into `out`, on the public shards too. AppError says what went wrong in one line."""
        arguments: dict[str, object] = {"data": part.data, "rows": part.rows, "flips": part.flips}
        arguments["public"] = [*public]
        arguments |= {
            "base": base,
            "out": Output(self.out, base),
            "seed": seed,
            "round": number,
        }
        await self._process.call("train_part", arguments, limit=LIMIT)

    async def list_labels(self, data: Path, label: str) -> tuple[Rows, int]:
        """Return the class of each row of data, (rows,), by the column `label`, and the number of classes (0: no such)."""
        out = self.out.with_suffix(".labels")
        answer = await self._process.call(
            "list_labels", {"data": data, "label": label, "out": Output(out, MOST_LABELS)}, limit=LIMIT
        )
        codes = np.fromfile(out, "<i8")
        rows, classes = answer["rows"], answer["classes"]
        if len(codes) != rows or not isinstance(classes, int):
            raise AppError(f"list_labels: answered {str(answer)[:80]!r}, which is not what it wrote")
        return codes, classes


class TrainingPool:
    """Processes of one app, each lent to one training at a time."""

    def __init__(
        self, app: Path, python: Path, size: int, folder: Path, settings: Mapping[str, object]
    ) -> None:
        """Prepare `size` processes, which write below `folder`, with an app's `settings`; nothing is started yet."""
        arguments: dict[str, object] = {"app": app, "data": None, "settings": dict(settings)}
        self.trainers = [self._prepare(app, python, folder, index, arguments) for index in range(size)]
        self._free: asyncio.Queue[PartTrainer] = asyncio.Queue()
        for trainer in self.trainers:
            self._free.put_nowait(trainer)

    @staticmethod
    def _prepare(
        app: Path, python: Path, folder: Path, index: int, arguments: Mapping[str, object]
    ) -> PartTrainer:
        log = folder / f"trainer-{index}.log"
        command = AppCommand(
            "node.simulation_worker", app, None, log, [("load", arguments)], python, 1, keeps_log=False
        )
        return PartTrainer(AppProcess(command), folder / f"trained-{index}.safetensors")

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[PartTrainer]:
        """Wait for a process that is free; it is free again at the end of the block."""
        trainer = await self._free.get()
        try:
            yield trainer
        finally:
            self._free.put_nowait(trainer)

    async def start(self) -> None:
        """Import the app in all processes; AppError when that fails."""
        await asyncio.gather(*(trainer.start() for trainer in self.trainers))

    async def stop(self) -> None:
        """Kill all processes."""
        await asyncio.gather(*(trainer.stop() for trainer in self.trainers))
