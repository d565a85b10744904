"""Losses and loss gradients of an app without torch: by its own `gradient`, else by differences of its loss.

A central difference for each value, in float64, comes as near to the gradient as other machines' rounding does, far
below what an audit allows: so gate, scores and every proof stay as they are. It costs two losses a value, which suits models
of a few thousand; a larger one gives `gradient(weights, batch)`, as its framework has it. Either is compared with the loss along a few directions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dao.app.array_model import ArrayModel, Arrays
from dao.app.model_state import inspect_model, require_same_shapes
from dao.app.shard_batches import ShardReader
from dao.app.worker import ConventionError, ModelFile, open_model_file

MOST_VALUES = 10_000  # of a model whose gradient is taken by differences
STEP = 6e-6  # about the cube root of what float64 resolves: rounding and curvature err alike
CHECKS = 3  # directions that a gradient is compared along
# along each: the step, and how far apart slopes may be, in parts of the gradient's length and beside it. Differences are taken
# of a loss that resolves 10^-7; a gradient of the app's own may be that of a loss in float32
OF_DIFFERENCES, OF_OWN = (1e-7, 1e-3, 1e-6), (1e-3, 2e-3, 3e-4)


class ArrayGradients:
    """The app's loss at arrays of float64, kept warm between calls."""

    def __init__(self, app: Any, model: Mapping[str, Any]) -> None:
        """ConventionError where a large model comes without a gradient of its own."""
        self._app, self._reader = app, ShardReader(app)
        arrays = ArrayModel(model)
        state = inspect_model(app, arrays)
        self._shapes = {name: tuple(shape) for name, shape in state.shapes.items()}  # of those that travel
        self._carried = state.carried
        self._local = {name: arrays.arrays[name] for name in state.left_out}
        self._own = getattr(app, "gradient", None)
        size = sum(math.prod(shape) for shape in self._shapes.values())
        if self._own is None and size > MOST_VALUES:
            raise ConventionError(
                f"model(): has {size} values, at most {MOST_VALUES} without a gradient(weights, batch) in app.py, or torch to take it"
            )

    def loss(self, model: str, shard: str) -> dict[str, float]:
        """Mean loss over the shard at a model."""
        return {"loss": self._mean_loss(self._place(open_model_file(Path(model))), shard)}

    def halve(self, model: str, shard: str) -> list[float]:
        """Loss at a model of the shard's first batch, and of each of its halves."""
        weights = self._place(open_model_file(Path(model)))
        return [self._loss(weights, batch) for batch in self._reader.read_halves(shard)]

    def export(self, model: str, shard: str, output: str) -> None:  # noqa: ARG002
        """ConventionError: arrays have no graph that could be written as ONNX."""
        raise ConventionError("model() gave arrays, and no torch module")

    def metrics(self, model: str, shard: str) -> Any:
        """What the app's `metrics` gives for a model on a shard."""
        return self._app.metrics(self._place(open_model_file(Path(model))), self._reader.take(shard))

    def gradient(
        self, base: str, model: str | None, points: Sequence[float], shard: str, output: str
    ) -> dict[str, float]:
        """Write minus the loss gradient, the mean over base + point * (model - base), to `output`; return the mean loss.

        `output` becomes float32 in the order of a model file, without its header.
        """
        start = self._place(open_model_file(Path(base)))
        end = self._place(open_model_file(Path(model))) if model else start
        total, mean = 0.0, {name: np.zeros(shape) for name, shape in self._shapes.items()}
        for point in points:
            # as arrays, which a sum of those without a dimension is not
            between = {
                name: np.array(start[name] + point * (end[name] - start[name])) for name in self._shapes
            }
            weights = {**start, **between}
            slopes = self._differentiate(weights, shard)
            self._require_slopes(weights, slopes, shard)
            total += self._mean_loss(weights, shard) / len(points)
            for name, slope in slopes.items():
                mean[name] += slope / len(points)
        with Path(output).open("wb") as file:
            file.writelines((-values).astype("<f4").tobytes() for values in mean.values())
        return {"loss": total}

    def _place(self, file: ModelFile) -> Arrays:
        """Return a model's arrays, beside those that do not travel."""
        require_same_shapes({name: list(shape) for name, shape in self._shapes.items()}, file)
        placed = {**self._local, **{name: file.tensors[name] for name in self._shapes}}
        return {name: array.astype(np.float64) for name, array in placed.items()}

    def _differentiate(self, weights: Arrays, shard: str) -> Arrays:
        """Return the gradient by each array that travels."""
        if self._own is None:
            return {
                name: np.zeros(shape) if name in self._carried else self._differ(weights, name, shard)
                for name, shape in self._shapes.items()
            }
        total = {name: np.zeros(shape) for name, shape in self._shapes.items()}
        for part, batch in self._reader.read_batches(shard):
            slopes = self._own(weights, batch)
            shapes = {name: array.shape for name, array in weights.items()}
            if not isinstance(slopes, Mapping) or {n: np.shape(s) for n, s in slopes.items()} != shapes:
                raise ConventionError("gradient(): expected a mapping of arrays, in the shapes of model()")
            for name in total:
                total[name] += part * np.asarray(slopes[name], np.float64)
        return total

    def _differ(self, weights: Arrays, name: str, shard: str) -> npt.NDArray[np.float64]:
        """Take the central difference of the loss at each value of an array."""
        values = weights[name].reshape(-1)
        slopes = np.empty(values.size)
        for index in range(values.size):
            middle, step = values[index], STEP * max(1.0, abs(values[index]))
            values[index] = middle + step
            above = self._mean_loss(weights, shard)
            values[index] = middle - step
            below = self._mean_loss(weights, shard)
            values[index] = middle
            slopes[index] = (above - below) / (2 * step)
        return slopes.reshape(weights[name].shape)

    def _require_slopes(self, weights: Arrays, slopes: Arrays, shard: str) -> None:
        """Compare a gradient with the loss along a few directions: ConventionError where it is not the loss's, or too coarse."""
        length = math.sqrt(sum(float((slope**2).sum()) for slope in slopes.values()))
        if not math.isfinite(length):
            raise ConventionError("gradient: is not finite; the model or the shard is out of range")
        size, near, floor = OF_DIFFERENCES if self._own is None else OF_OWN
        dice = np.random.Generator(np.random.Philox(len(slopes)))
        for _ in range(CHECKS):
            way = {
                name: dice.standard_normal(shape) * (name not in self._carried)
                for name, shape in self._shapes.items()
            }
            scale = 1 / math.sqrt(sum(float((part**2).sum()) for part in way.values()))
            above, below = (
                self._mean_loss(
                    {**weights, **{name: np.array(weights[name] + step * scale * way[name]) for name in way}},
                    shard,
                )
                for step in (size, -size)
            )
            rise = (above - below) / (2 * size)
            expected = scale * sum(float((slopes[name] * part).sum()) for name, part in way.items())
            if abs(rise - expected) > near * length + floor:
                raise ConventionError(
                    f"loss(): rises by {rise:.4g} where its gradient says {expected:.4g}; {self._remedy}"
                )

    @property
    def _remedy(self) -> str:
        if self._own is None:
            return "compute the loss in float64, or give a gradient(weights, batch)"
        return "the gradient must be that of loss(weights, batch), which a Flower app's evaluate gives as torch computed it"

    def _mean_loss(self, weights: Arrays, shard: str) -> float:
        batches = self._reader.read_batches(shard)
        return sum(part * self._loss(weights, batch) for part, batch in batches)

    def _loss(self, weights: Arrays, batch: Any) -> float:
        try:
            loss = float(self._app.loss(weights, batch))
        except TypeError as error:
            raise ConventionError(f"loss(): expected a number, the mean over the batch ({error})") from None
        if not math.isfinite(loss):
            raise ConventionError(f"loss(): gave {loss}; the model or the shard is out of range")
        return loss
