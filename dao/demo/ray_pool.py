"""Workers of a Ray cluster that train simulated Supernodes, where one machine is too small.

A worker that is lost takes nothing with it: its training is done again by another one, and has the same result.
"""

import asyncio
import contextlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dao.app.bundle import bundle
from dao.app.frozen_base import find_frozen_base
from dao.demo.packed_files import Label, pack
from dao.demo.ray_cluster import ClusterError, shorten
from dao.demo.ray_worker import SimulationWorker
from dao.demo.training_pool import Lender, TrainingPart
from dao.errors import AppError, DaoError

if TYPE_CHECKING:
    from ray.exceptions import RayTaskError

TRIES = 4  # of one training, each by another worker
WAIT = 3600.0  # seconds for one answer, in which a machine may have to build the app's environment
STOP_LIMIT = 5.0  # seconds for a worker to end its app
MOST_KEPT = 64  # contents that stay in the cluster's memory: data, public shards, the round's base

Contents = dict[str, Any]  # key of a label → Ray's reference to its bytes


def _find_cause(error: "RayTaskError") -> str:
    """Return what was raised in a worker, without the trace before it."""
    return f"{type(error.cause).__name__}: {shorten(error.cause)}"


class RayTrainer:
    """Trains one node at a time on the cluster; `out` is the model file that this leaves."""

    def __init__(self, workers: "_Workers", out: Path) -> None:
        self._workers = workers
        self.out = out

    async def train_part(
        self, part: TrainingPart, base: Path, seed: int, number: int, public: Sequence[Path]
    ) -> None:
        """Train as `PartTrainer` does. AppError where the app fails, ClusterError where the cluster does."""
        sent = self._workers.sent
        contents: Contents = {}
        order = {
            "base": await sent.send(base, contents),
            "data": await sent.send(part.data, contents),
            "rows": part.rows and await sent.send(part.rows, contents),
            "public": [await sent.send(path, contents) for path in public],
            "flips": part.flips,
            "partition": part.partition,
            "seed": seed,
            "round": number,
        }
        problem, trained = await self._workers.train(json.dumps(order), contents)
        if problem:
            raise AppError(problem)
        await asyncio.to_thread(self.out.write_bytes, trained)


class RayPool(Lender[RayTrainer]):
    """Workers of the cluster that this process is connected to, each with a warm process of one app."""

    def __init__(
        self, app: Path, python: Path | None, size: int, folder: Path, settings: Mapping[str, object]
    ) -> None:
        """Prepare `size` workers, each of one core, for the app in a folder with its `settings`.

        `python`: the app's interpreter on the cluster's machines; None: of the environment that its pyproject.toml asks for.
        """
        self._workers = _Workers(app, python, size, settings)
        super().__init__(
            [RayTrainer(self._workers, folder / f"ray-{index}.safetensors") for index in range(size)]
        )

    async def start(self) -> None:
        """Import the app in all workers; AppError when that fails, ClusterError where the cluster cannot run them."""
        await self._workers.start()

    async def stop(self) -> None:
        """End all workers."""
        await self._workers.stop()


class _Sent:
    """What was sent to the cluster; the newest stay in its memory, so that they are sent once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, tuple[Label, Any]] = OrderedDict()
        self._filling = asyncio.Lock()

    async def send(self, path: Path, contents: Contents) -> dict[str, object]:
        """Add a file's or folder's content to `contents`; return its label as JSON has it."""
        import ray

        async with self._filling:  # all trainings of a round begin at once, with the same base
            if path not in self._kept:
                label, content = await asyncio.to_thread(pack, path)
                self._kept[path] = label, ray.put(content)
            self._kept.move_to_end(path)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            label, reference = self._kept[path]
        contents[label.key] = reference
        return asdict(label)


class _Workers:
    """The workers, each given to one training at a time; Ray starts a lost one again, here or there."""

    def __init__(self, app: Path, python: Path | None, size: int, settings: Mapping[str, object]) -> None:
        self.sent = _Sent()
        self._app, self._python, self._size, self._settings = app, python, size, settings
        self._contents: Contents = {}  # what the app needs beside its bundle
        self._all: list[Any] = []
        self._free: asyncio.Queue[Any] = asyncio.Queue()
        self._starting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        import ray

        base = find_frozen_base(self._app)
        setup = {
            "settings": dict(self._settings),
            "python": self._python and str(self._python),
            "base": base and await self.sent.send(base, self._contents),
        }
        kind = ray.remote(num_cpus=1, max_restarts=-1)(SimulationWorker)
        content = await asyncio.to_thread(bundle, self._app)
        self._all = [kind.remote(content, json.dumps(setup)) for _ in range(self._size)]
        await asyncio.gather(*map(self._admit, self._all))

    async def train(self, order: str, contents: Contents) -> tuple[str, bytes]:
        """Have the next free worker train; where it is lost, another one."""
        from ray.exceptions import RayError, RayTaskError

        why = ""
        for _ in range(TRIES):
            worker = await self._take()
            try:
                problem, trained = await _wait(worker.train.remote(order, contents))
            except RayTaskError as error:  # of this project's own code there, such as a full disk
                raise ClusterError(f"--ray: a training failed: {_find_cause(error)}") from None
            except RayError as error:
                why = shorten(error)
                self._replace(worker)
            else:
                self._free.put_nowait(worker)
                return str(problem), bytes(trained)
        raise ClusterError(f"--ray: {TRIES} workers were lost by one training, the last one so: {why}")

    async def stop(self) -> None:
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*map(_end, self._all))

    async def _take(self) -> Any:
        try:
            async with asyncio.timeout(WAIT):
                return await self._free.get()
        except TimeoutError:
            raise ClusterError(f"--ray: no worker came back within {WAIT:.0f} s; see ray status") from None

    def _replace(self, worker: Any) -> None:
        """Give a lost worker's place to the one that Ray starts for it, as soon as that can train."""
        task = asyncio.create_task(self._readmit(worker))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _readmit(self, worker: Any) -> None:
        with contextlib.suppress(DaoError):  # then the others do its work, or `_take` says that there is none
            await self._admit(worker)

    async def _admit(self, worker: Any) -> None:
        from ray.exceptions import RayError

        try:
            problem = await _wait(worker.start.options(max_task_retries=-1).remote(self._contents))
        except RayError as error:
            raise ClusterError(
                f"--ray: a worker cannot start; expected the same commonweight[ray] on each machine: {shorten(error)}"
            ) from None
        if problem:
            raise AppError(str(problem))
        self._free.put_nowait(worker)


async def _wait(answer: Any) -> Any:
    try:
        async with asyncio.timeout(WAIT):
            return await answer
    except TimeoutError:
        raise ClusterError(f"--ray: no answer within {WAIT:.0f} s; see ray status") from None


async def _end(worker: Any) -> None:
    """Have a worker end its app and remove its files, and end it."""
    import ray
    from ray.exceptions import RayError

    with contextlib.suppress(RayError, TimeoutError):
        async with asyncio.timeout(STOP_LIMIT):
            await worker.stop.remote()
    with contextlib.suppress(RayError):
        ray.kill(worker)
