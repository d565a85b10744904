"""Computes losses and loss gradients of a task's app, inside the app's own interpreter: with torch or without.

The daemon's end is `dao.app.gradient_client`. What `model()` gives decides: a mapping of numpy arrays is
`dao.app.array_gradients`' work, a torch module that of `dao.app.gradient_worker`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dao.app.worker import ConventionError, connect, load_app, to_json

_SHOWN = 200  # characters of names in an error


class Evaluator:
    """The worker that an app's model asks for, once it is open."""

    def __init__(self) -> None:
        self._app: Any = None
        self._worker: Any = None
        # as an app of torch finds it: an environment that has torch has it here
        has_torch = importlib.util.find_spec("torch") is not None
        self._torch = importlib.import_module("dao.app.gradient_worker") if has_torch else None

    def open(self, folder: str, threads: int, settings: Mapping[str, Any]) -> None:
        """Import the app and make its model; ConventionError for a model that cannot be evaluated here."""
        if self._torch:
            self._torch.prepare(threads)
        self._app = app = load_app(Path(folder), settings)
        model = app.model()
        if isinstance(model, Mapping):
            from dao.app.array_gradients import ArrayGradients

            self._worker = ArrayGradients(app, model)
        elif self._torch:
            self._worker = self._torch.GradientWorker(app, model)
        else:
            raise ConventionError(
                f"model(): gave a {type(model).__name__}, and this environment has no torch; expected a mapping of numpy "
                "arrays, or torch among the dependencies"
            )

    def loss(self, model: str, shard: str) -> Any:
        """Mean loss over the shard at a model."""
        return self._worker.loss(model, shard)

    def halve(self, model: str, shard: str) -> Any:
        """Loss at a model of the shard's first batch, and of each of its halves."""
        return self._worker.halve(model, shard)

    def export(self, model: str, shard: str, output: str) -> None:
        """Write a model as ONNX; ConventionError says why that cannot be."""
        self._worker.export(model, shard, output)

    def metric(self, name: str, model: str, shard: str) -> Any:
        """The one of the app's metrics that has this name, at a model on a shard; ConventionError unless it is a number."""
        if not callable(getattr(self._app, "metrics", None)):
            raise ConventionError(f"metrics(): the app has none; expected one that gives {name!r}")
        figures = self._worker.metrics(model, shard)
        if not isinstance(figures, Mapping):
            raise ConventionError(f"metrics(): gave a {type(figures).__name__}; expected figures by name")
        if name not in figures:
            names = ", ".join(map(str, figures))
            shown = names if len(names) <= _SHOWN else f"{names[:_SHOWN]}…"
            raise ConventionError(f"metrics(): gave {shown or 'nothing'}; expected {name!r} among them")
        value = to_json(figures[name])  # None for what is not finite
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConventionError(
                f"metrics(): gave {figures[name]!r:.80} for {name!r}; expected a finite number"
            )
        return value

    def gradient(self, base: str, model: str | None, points: Sequence[float], shard: str, output: str) -> Any:
        """Write minus the loss gradient, the mean over base + point * (model - base), to `output`; return the mean loss."""
        return self._worker.gradient(base, model, points, shard, output)


def main() -> None:
    """Answer the daemon's calls until it is gone."""
    worker = Evaluator()
    names = ("open", "loss", "halve", "metric", "export", "gradient")
    connect().serve({name: getattr(worker, name) for name in names})
