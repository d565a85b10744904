"""Trains in a process of its own, in the app's environment; `node.trainer` starts and watches it.

It answers `load` and then `train` for each round; beside these, `shapes` and `create` make the first model of a task,
and `measure` gives an app's own metrics, for people to read.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dao.app import worker
from dao.app.joining import join_data


class Runner:
    """One app with its model and its data, kept warm between rounds, and the public rows of the last one."""

    def __init__(self, host: worker.CallServer) -> None:
        self._host = host
        self._app: Any = None
        self._model: Any = None
        self._data: Any = None
        self._public: dict[str, Any] = {}  # what `data` gave for each shard, by the name of its file
        self._joined: tuple[tuple[str, ...], Any] = ((), None)  # own data and these shards'

    def load(self, app: str, data: str | None) -> None:
        """Import the app, build its model, load its data."""
        self._app = worker.load_app(Path(app))
        self._model = self._app.model()
        self._data = None if data is None else self._app.data(data)
        self._joined = ((), self._data)

    def shapes(self) -> dict[str, list[int]]:
        """Answer with the shape of each tensor of the app's model."""
        return {name: list(tensor.shape) for name, tensor in worker.get_state(self._model).items()}

    def train(
        self,
        base: str,
        out: str,
        seed: int,
        round: int,  # noqa: A002
        public: Sequence[str],
    ) -> dict[str, object]:
        """Train from the model file `base` and write the model file `out`; answers with seconds and metrics.

        `public` are files of public rows, to train on beside the node's own. Where the app cannot have both, it trains on
        its own alone, and the answer says why.
        """
        started = time.monotonic()
        data, problem = self._join(public)
        source = worker.open_model_file(Path(base))
        worker.load_weights(self._model, source.tensors)
        loaded = time.monotonic()
        metrics = self._watched(self._app.train(self._model, data, seed=seed, round=round))
        trained = time.monotonic()
        worker.store_weights(self._model, worker.create_model_file(Path(out), source.head).tensors)
        return {
            "metrics": worker.to_json(metrics),
            "rows": worker.count_rows(self._data),
            "load_s": loaded - started,
            "train_s": trained - loaded,
            "store_s": time.monotonic() - trained,
            "public_shards": 0 if problem else len(public),
            "public_problem": problem,
        }

    def _join(self, public: Sequence[str]) -> tuple[Any, str]:
        """Return own data and the rows of these files; own data alone, and why, where they cannot be joined."""
        names = tuple(Path(path).name for path in public)
        try:
            if names != self._joined[0]:
                self._joined = ((), self._data)  # the old one's memory is free for the new one
                self._public = {
                    name: self._public[name] if name in self._public else self._app.data(path)
                    for name, path in zip(names, public)  # noqa: B905  (Python 3.9)
                }
                self._joined = (names, join_data(self._app, self._data, [*self._public.values()]))
        except Exception as error:  # noqa: BLE001  (of the app's)
            return self._data, worker.summarize(error)
        return self._joined[1], ""

    def create(self, out: str, head: str) -> None:
        """Write the app's untrained model under a file head (base64), which is that of the `shapes`."""
        target = worker.create_model_file(Path(out), base64.b64decode(head))
        worker.store_weights(self._model, target.tensors)

    def measure(self, model: str, data: str) -> object:
        """Answer with the app's own metrics of a model file on some data, {} for an app that has none."""
        worker.load_weights(self._model, worker.open_model_file(Path(model)).tensors)
        metrics = getattr(self._app, "metrics", None)
        return worker.to_json(metrics(self._model, self._app.data(data)) if metrics else {})

    def _watched(self, outcome: object) -> Mapping[str, object]:
        """Follow a `train` that yields its progress to its end; what it returns is its metrics."""
        if isinstance(outcome, Mapping):
            return outcome
        last: object = {}
        if isinstance(outcome, Iterable):
            for last in outcome:
                self._host.progress(last)
        return last if isinstance(last, Mapping) else {}


def main() -> None:
    """Serve the daemon that started this process."""
    host = worker.connect()
    runner = Runner(host)
    calls = (runner.load, runner.shapes, runner.train, runner.create, runner.measure)
    host.serve({call.__name__: call for call in calls})
