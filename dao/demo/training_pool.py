"""A few warm processes that train many simulated Supernodes: memory goes by the number of processes, not of nodes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from dao.app.process import AppCommand, AppProcess
from dao.app.sandbox import Output
from dao.demo.split import Rows
from dao.errors import AppError
from node.trainer import Trainer, name_files

LIMIT = 600.0  # seconds for one training, or for reading data
MOST_LABELS = 8 << 32  # bytes


@dataclass(frozen=True)
class TrainingPart:
    """What one node trains on: `rows` is a file of the numbers of its rows (None: all), `flips` its attack's column.

    `partition` is its part of so many where the app itself deals the data.
    """

    data: Path
    rows: Path | None
    flips: str | None
    partition: tuple[int, int] | None = None


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
        arguments |= {"partition": part.partition, "public": name_files(public)}
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


class TrainsParts(Protocol):
    """Trains one node at a time, here or elsewhere, and leaves the model in the file `out`."""

    @property
    def out(self) -> Path: ...

    async def train_part(
        self, part: TrainingPart, base: Path, seed: int, number: int, public: Sequence[Path]
    ) -> None: ...


T_co = TypeVar("T_co", bound=TrainsParts, covariant=True)


class Lender(Generic[T_co]):
    """Trainers, each lent to one training at a time."""

    def __init__(self, trainers: Sequence[T_co]) -> None:
        self.trainers = trainers
        self._free: asyncio.Queue[T_co] = asyncio.Queue()
        for trainer in trainers:
            self._free.put_nowait(trainer)

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[T_co]:
        """Wait for a trainer that is free; it is free again at the end of the block."""
        trainer = await self._free.get()
        try:
            yield trainer
        finally:
            self._free.put_nowait(trainer)


def prepare_trainer(
    app: Path, python: Path, folder: Path, index: int, settings: Mapping[str, object]
) -> PartTrainer:
    """Return a trainer that writes below `folder`, with an app's `settings`; nothing is started yet."""
    log = folder / f"trainer-{index}.log"
    setup = [("load", {"app": app, "data": None, "settings": dict(settings)})]
    command = AppCommand("node.simulation_worker", app, None, log, setup, python, 1, keeps_log=False)
    return PartTrainer(AppProcess(command), folder / f"trained-{index}.safetensors")


class TrainingPool(Lender[PartTrainer]):
    """Processes of one app on this machine."""

    def __init__(
        self, app: Path, python: Path, size: int, folder: Path, settings: Mapping[str, object]
    ) -> None:
        """Prepare `size` processes, which write below `folder`, with an app's `settings`; nothing is started yet."""
        super().__init__([prepare_trainer(app, python, folder, index, settings) for index in range(size)])

    async def start(self) -> None:
        """Import the app in all processes; AppError when that fails."""
        await asyncio.gather(*(trainer.start() for trainer in self.trainers))

    async def stop(self) -> None:
        """Kill all processes."""
        await asyncio.gather(*(trainer.stop() for trainer in self.trainers))
