"""The child's end of an app's process: answers the daemon's calls, loads the app, moves weights between model and file.

It runs in the app's own environment under any Python from 3.9 on: it imports the standard library and numpy, and of
this project what does the same. The daemon's end is `dao.app.process`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import inspect
import json
import math
import mmap
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dao.app.data_path import DataPath

Floats = npt.NDArray[np.float32]

APP_FUNCTIONS = ("model", "data", "train", "loss")
OPTIONAL_FUNCTIONS = ("metrics", "join", "gradient")
DECLARED = ("local", "buffers")  # beside its functions
HEARTBEAT = 2.0  # seconds between signs of life
_LONGEST = 1 << 19  # bytes of a message; the other side gives up at 1 MiB
_PR_SET_PDEATHSIG = 1
_folder: Path | None = None  # of the app


class ConventionError(Exception):
    """The app does not keep to the conventions; the message is one line for its author."""


class CallServer:
    """Serves calls over a socket: one JSON object a line, one call at a time, in the main thread."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._sending = threading.Lock()
        self._calls: queue.Queue[dict[str, Any]] = queue.Queue()
        self._current = 0

    def serve(self, calls: Mapping[str, Callable[..., object]]) -> NoReturn:
        """Answer calls by name until the daemon is gone, then end together with everything the app has started."""
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        while True:
            request = self._calls.get()
            self._current = request["id"]
            try:
                self._send({"id": self._current, "result": calls[request["call"]](**request["args"])})
            except BaseException as error:  # noqa: BLE001  (an app may raise anything, SystemExit included)
                traceback.print_exc()
                sys.stderr.flush()
                self._send({"id": self._current, "error": summarize(error)})

    def progress(self, value: object) -> None:
        """Report the progress of the current call: a number, a text or a flat mapping of them."""
        self._send({"id": self._current, "progress": to_json(value)})

    def _send(self, message: Mapping[str, object]) -> None:
        data = json.dumps(message, allow_nan=False).encode()
        if len(data) > _LONGEST:
            raise ConventionError(
                f"a message of {len(data)} bytes: at most {_LONGEST}; return less from the app"
            )
        with self._sending:
            self._line.sendall(data + b"\n")

    def _read(self) -> None:
        try:
            with self._line.makefile("rb") as lines:
                for text in lines:
                    self._calls.put(json.loads(text))
        finally:
            os.killpg(0, signal.SIGKILL)

    def _beat(self) -> None:
        never = threading.Event()
        while not never.wait(HEARTBEAT):
            self._send({"alive": True})


def connect() -> CallServer:
    """Open the socket that this process's arguments name (`… FD PARENT`), and die with the daemon that started it.

    PARENT is 0 in a sandbox, which sees to that by itself.
    """
    fd, parent = (int(argument) for argument in sys.argv[-2:])
    del sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        raise SystemExit("the daemon that started this process is gone")
    return CallServer(socket.socket(fileno=fd))


def load_app(folder: Path, settings: Mapping[str, Any] | None = None) -> Any:
    """Import `app.py` of a folder, whose other modules it may import by name; ConventionError when a function is missing.

    Return its functions and what else it declares; those that have a parameter `settings` get the task's. A folder without
    an app.py is that of a Flower app, whose configuration the settings change.
    """
    global _folder  # noqa: PLW0603  (a process has one app)
    _folder = folder
    if not (folder / "app.py").exists():
        return _load_flower_app(folder, dict(settings or {}))
    spec = importlib.util.spec_from_file_location("app", folder / "app.py")
    if spec is None or spec.loader is None:
        raise ConventionError(f"{folder}: expected an app.py")
    sys.path.insert(0, str(folder))
    app = importlib.util.module_from_spec(spec)
    sys.modules["app"] = app
    spec.loader.exec_module(app)
    missing = [name for name in APP_FUNCTIONS if not callable(getattr(app, name, None))]
    if missing:
        raise ConventionError(f"app.py: expected the functions {', '.join(missing)}")
    return _bind_settings(app, dict(settings or {}))


def _load_flower_app(folder: Path, settings: dict[str, Any]) -> Any:
    from dao.app.flower_project import read_flower_project

    try:
        project = read_flower_project((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConventionError(
            f"{folder.name}: expected app.py, or the pyproject.toml of a Flower app: {error}"
        ) from None
    if project is None:
        raise ConventionError("pyproject.toml: expected the table [tool.flwr.app], as there is no app.py")
    if importlib.util.find_spec("flwr") is None:
        raise ConventionError(
            "this environment has no flwr; expected it among the dependencies in pyproject.toml"
        )
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # which would wait for a network
    from dao.app.flower_app import load_flower_app

    sys.path.insert(0, str(folder))
    return load_flower_app(folder, project, settings)


def _bind_settings(app: ModuleType, settings: dict[str, Any]) -> Any:
    bound = SimpleNamespace(**{name: getattr(app, name) for name in DECLARED if hasattr(app, name)})
    for name in (*APP_FUNCTIONS, *OPTIONAL_FUNCTIONS):
        function = getattr(app, name, None)
        if callable(function):
            takes_them = "settings" in inspect.signature(function).parameters
            setattr(bound, name, partial(function, settings=settings) if takes_them else function)
    return bound


@dataclass(frozen=True)
class ModelFile:
    """A model file (docs/protocol.md) in memory: `head` are its bytes before the values, `tensors` views of those."""

    head: bytes
    tensors: dict[str, Floats]
    carried: frozenset[str]  # names of those that are not scored


def open_model_file(path: Path) -> ModelFile:
    """Map a model file to read. The daemon has verified it; nothing is checked again here."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _model_in(data, data[: 8 + int.from_bytes(data[:8], "little")])


def create_model_file(path: Path, head: bytes) -> ModelFile:
    """Map a file to write a model with this head into; a file of the right size is written over where it stands."""
    size = len(head) + 4 * sum(math.prod(field["shape"]) for field in _read_head(head)[0].values())
    with path.open("a+b") as file:
        if os.fstat(file.fileno()).st_size != size:
            file.truncate(size)
        data = mmap.mmap(file.fileno(), size)
    data[: len(head)] = head
    return _model_in(data, head)


def _model_in(data: mmap.mmap, head: bytes) -> ModelFile:
    fields, carried = _read_head(head)
    tensors = {
        name: np.frombuffer(
            data, "<f4", math.prod(field["shape"]), len(head) + field["data_offsets"][0]
        ).reshape(field["shape"])
        for name, field in fields.items()
    }
    return ModelFile(head, tensors, carried)


def _read_head(head: bytes) -> tuple[dict[str, Any], frozenset[str]]:
    fields = json.loads(head[8:])
    metadata = fields.pop("__metadata__", None)
    return fields, frozenset(json.loads(metadata["carried"]) if metadata else ())


def count_rows(data: Any) -> int | None:
    """Return how many rows an app's data have: the length of their columns, or as they or their app say; None where nobody does."""
    if isinstance(data, DataPath):
        return data.rows
    columns = list(data.values()) if isinstance(data, Mapping) else [data]
    try:
        return min(len(column) for column in columns)
    except (TypeError, ValueError):
        return None


def to_json(value: object) -> Any:
    """Return what JSON can hold of an app's value: finite numbers, texts of at most 200 letters, mappings of these."""
    if isinstance(value, Mapping):
        return {str(key)[:200]: to_json(item) for key, item in value.items()}
    item = value.item() if hasattr(value, "item") else value
    if isinstance(item, (bool, int)) or item is None:
        return item
    if isinstance(item, float):
        return item if math.isfinite(item) else None
    return str(item)[:200]


def summarize(error: BaseException) -> str:
    """Return an error's message, and the last line of the app that led to it, if any."""
    frames = list(traceback.extract_tb(error.__traceback__))
    ours = [frame for frame in frames if _folder and _folder in Path(frame.filename).parents]
    where = "".join(f" ({Path(f.filename).name} line {f.lineno})" for f in (ours or frames)[-1:])
    text = str(error) if isinstance(error, ConventionError) else f"{type(error).__name__}: {error}{where}"
    return " ".join(text.split())[:2000]
