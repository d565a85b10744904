"""Trains in a process of its own, in the app's environment; `node.trainer` starts and watches it.

It answers `load` and then `train` for each round; beside these, `shapes` and `create` make the first model of a task,
and `measure` gives an app's own metrics, for people to read.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from dao.app import worker
from dao.app.array_model import ArrayModel, unwrap_model, wrap_model
from dao.app.joining import join_data
from dao.app.model_state import copy_left_out, find_changed_buffers, inspect_model, set_mode

MOST_NAMED = 20  # tensors that an answer names


class Runner:
    """One app with its model and its data, kept warm between rounds, and the public rows of the last one."""

    def __init__(self, host: worker.CallServer) -> None:
        self._host = host
        self._app: Any = None
        self._state: Any = None
        self._data: Any = None
        self._path: str | None = None  # of these data
        self._public: dict[str, Any] = {}  # what `data` gave for each shard, by the name of its file
        self._joined: tuple[tuple[str, ...], Any] = ((), None)  # own data and these shards'

    def load(self, app: str, data: str | None, settings: Mapping[str, Any]) -> None:
        """Import the app, build its model, load its data."""
        self._app = worker.load_app(Path(app), settings)
        self._state = inspect_model(self._app, wrap_model(self._app.model()))
        self._data, self._path = None if data is None else self._app.data(data), data
        self._joined = ((), self._data)

    def shapes(self) -> dict[str, object]:
        """Answer with the shape of each tensor of the app's model that travels, and which of them are only carried."""
        return {
            "shapes": self._state.shapes,
            "carried": sorted(self._state.carried),
        }

    def train(
        self,
        base: str,
        out: str,
        seed: int,
        round: int,  # noqa: A002
        public: Mapping[str, str],
    ) -> dict[str, object]:
        """Train from the model file `base` and write the model file `out`; answers with seconds and metrics.

        `public` are files of public rows by their names, to train on beside the node's own. Where the app cannot have both, it trains on
        its own alone, and the answer says why.
        """
        started = time.monotonic()
        data, problem = self._join(public)
        source = worker.open_model_file(Path(base))
        state = self._state
        state.load(source)
        set_mode(state.model, training=True)
        before = copy_left_out(state.model, state.left_out)
        loaded = time.monotonic()
        metrics = self._train(data, seed, round)
        trained = time.monotonic()
        state.store(worker.create_model_file(Path(out), source.head), source)
        changed = find_changed_buffers(state.model, before, state.left_out)
        return {
            "metrics": worker.to_json(metrics),
            "kept_here": [name[:200] for name in islice(changed, MOST_NAMED)],
            "rows": worker.count_rows(self._data),
            "load_s": loaded - started,
            "train_s": trained - loaded,
            "store_s": time.monotonic() - trained,
            "public_shards": 0 if problem else len(public),
            "public_problem": problem,
        }

    def try_join(self, public: Mapping[str, str]) -> str:
        """Answer why the rows of these files cannot be trained on beside the node's own; "" where they can."""
        return self._join(public)[1]

    def _join(self, public: Mapping[str, str]) -> tuple[Any, str]:
        """Return own data and the rows of these files; own data alone, and why, where they cannot be joined."""
        names = tuple(public)
        try:
            if names != self._joined[0]:
                self._joined = ((), self._data)  # the old one's memory is free for the new one
                self._public = {
                    name: self._public[name] if name in self._public else self._read_public(path)
                    for name, path in public.items()
                }
                self._joined = (names, join_data(self._app, self._data, [*self._public.values()]))
        except Exception as error:  # noqa: BLE001  (of the app's)
            return self._data, worker.summarize(error)
        return self._joined[1], ""

    def _read_public(self, path: str) -> Any:
        """Return what `data` gives for a file, which a check may have be the node's own: that is not loaded twice."""
        return self._data if path == self._path else self._app.data(path)

    def create(self, out: str, head: str) -> None:
        """Write the app's untrained model under a file head (base64), which is that of the `shapes`."""
        target = worker.create_model_file(Path(out), base64.b64decode(head))
        self._state.store(target)

    def measure(self, model: str, data: str) -> object:
        """Answer with the app's own metrics of a model file on some data, {} for an app that has none."""
        self._state.load(worker.open_model_file(Path(model)))
        set_mode(self._state.model, training=False)
        metrics = getattr(self._app, "metrics", None)
        return worker.to_json(
            metrics(unwrap_model(self._state.model), self._app.data(data)) if metrics else {}
        )

    def _train(self, data: Any, seed: int, number: int) -> Mapping[str, object]:
        """Train in memory; return the app's metrics."""
        last, result = self._follow(
            self._app.train(unwrap_model(self._state.model), data, seed=seed, round=number)
        )
        if not isinstance(self._state.model, ArrayModel):
            last = result if isinstance(result, Mapping) else last
        elif isinstance(result, Mapping):
            self._state.model.adopt(result)
        elif result is not None:
            raise worker.ConventionError(
                f"train(): returned a {type(result).__name__}, expected the new weights by name, as model() gives them"
            )
        return last if isinstance(last, Mapping) else {}

    def _follow(self, outcome: Any) -> tuple[object, Any]:
        """Follow a `train` that yields its progress to its end; return the last of that, and what it returned."""
        last: object = {}
        if isinstance(outcome, Mapping) or not isinstance(outcome, Iterable):
            return last, outcome
        steps = iter(outcome)
        while True:
            try:
                last = next(steps)
            except StopIteration as end:
                return last, end.value
            self._host.progress(last)


def main() -> None:
    """Serve the daemon that started this process."""
    host = worker.connect()
    runner = Runner(host)
    calls = (runner.load, runner.shapes, runner.train, runner.try_join, runner.create, runner.measure)
    host.serve({call.__name__: call for call in calls})
