"""Trains from the daemon's side: calls one warm `node.training_worker` process per app."""

import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, ValidationError, with_config

from dao.app.process import SILENCE, AppCommand, AppProcess
from dao.app.sandbox import AUTO, Output, SandboxSettings
from dao.app.worker import to_json
from dao.core.formats.app_settings import NO_SETTINGS
from dao.core.formats.layout import Layout, compute_model_size, encode_model_header
from dao.errors import AppError, DecodeError

CREATE_LIMIT = MEASURE_LIMIT = 600.0  # seconds
MOST_ROWS = 1 << 53

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=MOST_ROWS)]
Text = Annotated[str, Field(max_length=2000)]


@with_config(extra="forbid")
@dataclass(frozen=True)
class Trained:
    """The outcome of a training: the app's metrics, and seconds to load the base model, to train, to store the result.

    `rows`: how many of the node's own the app had, as it says; None where it does not. `public_shards` of those given were
    trained on beside the node's own data; `public_problem` says why none was.
    """

    metrics: dict[str, Any]
    load_s: Seconds
    train_s: Seconds
    store_s: Seconds
    public_shards: Count
    public_problem: Text
    rows: Count | None
    kept_here: Annotated[tuple[Text, ...], Field(max_length=100)]  # changed tensors that do not travel


_ANSWER = TypeAdapter(Trained)


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
        files = {"base": base, "out": Output(out, base), "public": name_files(public)}
        arguments = {**files, "seed": seed, "round": round}
        answer = await self._process.call("train", arguments, limit=limit, on_progress=on_progress)
        return read_answer(answer)

    async def try_join(self, public: Path) -> str:
        """Return why a file of public rows cannot be trained on beside the node's own; "" where it can."""
        answer = await self._process.call("try_join", {"public": name_files([public])}, limit=MEASURE_LIMIT)
        return _one_line(str(answer))

    async def measure(self, model: Path, data: Path) -> dict[str, Any]:
        """Return the app's own metrics of a model file on some data."""
        answer = await self._process.call("measure", {"model": model, "data": data}, limit=MEASURE_LIMIT)
        return _read_metrics(answer)

    async def read_layout(self) -> Layout:
        """Return the layout of the app's model; AppError where it has none."""
        answer = await self._process.call("shapes", {}, limit=CREATE_LIMIT)
        try:
            return Layout.of(answer["shapes"], answer["carried"])
        except (KeyError, TypeError, ValueError, DecodeError) as error:
            raise AppError(f"shapes: answered {str(answer)[:80]!r}, which are none: {error}") from None

    async def create(self, out: Path) -> None:
        """Write the app's untrained model to `out`, as a task's first base model is."""
        layout = await self.read_layout()
        head = encode_model_header(layout)
        output = Output(out, compute_model_size(layout))
        await self._process.call(
            "create", {"out": output, "head": base64.b64encode(head).decode()}, limit=CREATE_LIMIT
        )


def name_files(files: Sequence[Path]) -> dict[str, Path]:
    """Return files by their names: an app may see them under others."""
    return {path.name: path for path in files}


def read_answer(answer: object) -> Trained:
    """Read what an app's process says of a training, which nobody vouches for; AppError where it is no such answer."""
    try:
        trained = _ANSWER.validate_python(answer)
    except ValidationError as error:
        # what stands there may be a value of the data
        where = ".".join(map(str, error.errors()[0]["loc"]))[:80]
        raise AppError(f"train: its answer has no {where or 'fields'} that could be such") from None
    return replace(
        trained, metrics=_read_metrics(trained.metrics), public_problem=_one_line(trained.public_problem)
    )


def _read_metrics(metrics: object) -> dict[str, Any]:
    """Return an app's metrics as far as they are such: numbers and short texts by name."""
    return to_json(metrics) if isinstance(metrics, dict) else {}


def _one_line(words: str) -> str:
    """Return an app's words as an error has them: on one line, and nothing that a terminal would obey."""
    return str(AppError(words))
