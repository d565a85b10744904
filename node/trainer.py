"""Trains from the daemon's side: calls one warm `node.training_worker` process per app."""

import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dao.app.process import SILENCE, AppCommand, AppProcess
from dao.app.sandbox import AUTO, Output, SandboxSettings
from dao.core.formats.layout import Layout, encode_model_header
from dao.errors import AppError

NO_SETTINGS: Mapping[str, object] = {}
CREATE_LIMIT = MEASURE_LIMIT = 600.0  # seconds


@dataclass(frozen=True)
class Trained:
    """The outcome of a training: the app's metrics, and seconds to load the base model, to train, to store the result.

    `rows`: how many of the node's own the app had, as it says; None where it does not. `public_shards` of those given were
    trained on beside the node's own data; `public_problem` says why none was.
    """

    metrics: Mapping[str, object]
    load_s: float
    train_s: float
    store_s: float
    public_shards: int = 0
    public_problem: str = ""
    rows: int | None = None
    kept_here: tuple[str, ...] = ()  # tensors that training changed and that do not travel


class Trainer:
    """Trains an app on one node's data. The daemon itself never imports the app, or torch."""

    def __init__(self, process: AppProcess) -> None:
        self._process = process

    @classmethod
    def of(
        cls,
        app: Path,
        data: Path | None,
        log: Path,
        *,
        python: Path | None = None,
        threads: int | None = None,
        silence: float = SILENCE,
        keeps_log: bool = True,
        sandbox: SandboxSettings = AUTO,
        settings: Mapping[str, object] = NO_SETTINGS,
    ) -> Self:
        """Prepare a trainer for the app in a folder; nothing is started yet.

        `data` is what the app's `data` reads (None: no training, only `create` and `measure`), `python` the
        interpreter of the app's environment (None: this one), `silence` the seconds without a sign of life after
        which the process is killed, `keeps_log` whether errors may point to the log, `sandbox` how the app is kept from
        this machine, `settings` those of the task's card.
        """
        setup = [("load", {"app": app, "data": data, "settings": dict(settings)})]
        interpreter = python or Path(sys.executable)
        command = AppCommand(
            "node.training_worker", app, data, log, setup, interpreter, threads, keeps_log, sandbox
        )
        return cls(AppProcess(command, silence=silence))

    @property
    def pid(self) -> int | None:
        """Return the number of the app's process; None where none runs."""
        return self._process.pid

    async def start(self) -> None:
        """Import the app and load the data ahead of the first round; AppError when that fails."""
        await self._process.start()

    async def stop(self) -> None:
        """Kill the process."""
        await self._process.stop()

    async def train(
        self,
        base: Path,
        out: Path,
        *,
        seed: int,
        round: int,  # noqa: A002
        limit: float,
        public: Sequence[Path] = (),
        on_progress: Callable[[object], None] = lambda _: None,
    ) -> Trained:
        """Train from the model file `base` into the model file `out`, within `limit` seconds.

        `public` are files of public rows, each of a name of its own, on which the app trains beside the node's data.
        `out` may exist: it is written over, and must not be mapped by a reader of the last round's.
        AppError (AppCrashed, AppTimeout) says what went wrong in one line.
        """
        arguments = {"base": base, "out": Output(out), "seed": seed, "round": round, "public": [*public]}
        answer = await self._process.call("train", arguments, limit=limit, on_progress=on_progress)
        try:
            seconds = answer["load_s"], answer["train_s"], answer["store_s"]
            joined = int(answer["public_shards"]), str(answer["public_problem"])
            kept = tuple(map(str, answer["kept_here"]))
            return Trained(answer["metrics"], *seconds, *joined, answer.get("rows"), kept)
        except (KeyError, TypeError, ValueError) as error:
            raise AppError(
                f"train: answered {str(answer)[:80]!r}; is the runner of this release in use?"
            ) from error

    async def try_join(self, public: Path) -> str:
        """Return why a file of public rows cannot be trained on beside the node's own; "" where it can."""
        return str(await self._process.call("try_join", {"public": [public]}, limit=MEASURE_LIMIT))

    async def measure(self, model: Path, data: Path) -> dict[str, Any]:
        """Return the app's own metrics of a model file on some data."""
        answer = await self._process.call("measure", {"model": model, "data": data}, limit=MEASURE_LIMIT)
        return dict(answer)

    async def create(self, out: Path) -> None:
        """Write the app's untrained model to `out`, as a task's first base model is."""
        answer = await self._process.call("shapes", {}, limit=CREATE_LIMIT)
        head = encode_model_header(Layout.of(answer["shapes"], answer["carried"]))
        arguments = {"out": Output(out), "head": base64.b64encode(head).decode()}
        await self._process.call("create", arguments, limit=CREATE_LIMIT)
