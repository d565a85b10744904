"""Losses and loss gradients of an app with torch: what `dao.app.evaluation_worker` answers with where `model()` gives a module.

A model takes the memory of one module with its parameters: model files
are mapped, and a gradient accumulates in the mapped file that it is handed over in.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dao.app.model_state import get_kind, inspect_model, set_mode
from dao.app.shard_batches import ShardReader
from dao.app.worker import (
    ConventionError,
    Floats,
    ModelFile,
    open_model_file,
)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
# bytes: what is larger is given back at once, as a gap that the next one does not fit grows to twice the model; and what is kept
_LARGEST_KEPT, _MOST_KEPT = 32 << 20, 256 << 20


class GradientWorker:
    """The app and its model, kept warm between calls."""

    def __init__(self, app: Any, model: Any) -> None:
        """ConventionError for a parameter that is not in the model's state_dict."""
        self._app, self._reader = app, ShardReader(app)
        self._output: tuple[str, mmap.mmap | None] = ("", None)
        self._model = model
        set_mode(model, training=False)  # no dropout: a model has one loss
        self._state = inspect_model(app, model)

    def loss(self, model: str, shard: str) -> dict[str, float]:
        """Mean loss over the shard at a model."""
        self._place(open_model_file(Path(model)))
        with torch.no_grad():
            batches = self._reader.read_batches(shard)
            return {"loss": sum(part * self._loss(batch).item() for part, batch in batches)}

    def halve(self, model: str, shard: str) -> list[float]:
        """Loss at a model of the shard's first batch, and of each of its halves."""
        self._place(open_model_file(Path(model)))
        with torch.no_grad():
            return [self._loss(batch).item() for batch in self._reader.read_halves(shard)]

    def export(self, model: str, shard: str, output: str) -> None:
        """Write a model as ONNX, as it takes the shard's first batch; ConventionError says why that cannot be."""
        from dao.app.onnx_export import write_onnx

        self._place(open_model_file(Path(model)))
        _, batch = next(self._reader.read_batches(shard))
        if not isinstance(self._model, torch.nn.Module):
            raise ConventionError("model() gave no torch module")
        write_onnx(self._model, lambda: self._loss(batch), output)

    def metrics(self, model: str, shard: str) -> Any:
        """What the app's `metrics` gives for a model on a shard; what travels is as before at the next call."""
        self._place(open_model_file(Path(model)))
        for parameter in self._state.parameters.values():
            parameter.grad = None  # else a backward of the app's would add to the gradient's file
        try:
            with torch.no_grad():
                return self._app.metrics(self._model, self._reader.take(shard))
        finally:
            set_mode(self._model, training=False)

    def gradient(
        self, base: str, model: str | None, points: Sequence[float], shard: str, output: str
    ) -> dict[str, float]:
        """Write minus the loss gradient, the mean over base + point * (model - base), to `output`; return the mean loss.

        `output` becomes float32 in the order of a model file, without its header.
        """
        start, end = open_model_file(Path(base)), open_model_file(Path(model)) if model else None
        gradients = self._gradients(output)
        total = 0.0
        for point in points:
            self._place(start, end, point)
            for part, batch in self._reader.read_batches(shard):
                loss = self._loss(batch)
                torch.autograd.backward(loss, torch.full_like(loss, -part / len(points)))
                total += part / len(points) * loss.item()
        parameters = self._state.parameters
        for name, gradient in gradients.items():
            own = parameters[name].grad if name in parameters else None
            if own is not None and own.data_ptr() != gradient.data_ptr():
                gradient.copy_(own.to_dense())  # sparse ones are not added in place
        return {"loss": total}

    def _place(self, base: ModelFile, model: ModelFile | None = None, point: float = 0.0) -> None:
        """Set the parameters to base + point * (model - base)."""
        if model is None:
            self._state.load(base)
            return
        self._state.require_layout(base)
        self._state.require_layout(model)
        for name, tensor in self._state.tensors.items():
            start, end = _tensor_of(base.tensors[name]), _tensor_of(model.tensors[name])
            if get_kind(tensor) == "float32" and tensor.device.type == "cpu":
                torch.lerp(start, end, point, out=tensor.detach())
            else:
                tensor.detach().copy_(torch.lerp(start, end, point))

    def _loss(self, batch: Any) -> torch.Tensor:
        loss = self._app.loss(self._model, batch)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise ConventionError("loss(): expected a tensor of one value, the mean over the batch")
        if not torch.isfinite(loss):
            raise ConventionError(f"loss(): gave {loss.item()}; the model or the shard is out of range")
        return loss

    def _gradients(self, output: str) -> dict[str, torch.Tensor]:
        """Zero the output file; return one view of it per tensor, to which autograd then adds in place."""
        sizes = {name: math.prod(shape) for name, shape in self._state.shapes.items()}
        size = sum(sizes.values())
        if self._output[0] != output:
            with Path(output).open("w+b") as file:
                file.truncate(4 * size)
                self._output = (output, mmap.mmap(file.fileno(), 4 * size))
        values = torch.frombuffer(self._output[1], dtype=torch.float32)
        values.zero_()
        views, first = {}, 0
        for name, shape in self._state.shapes.items():
            views[name] = values[first : first + sizes[name]].view(shape)
            first += sizes[name]
        for name, parameter in self._state.parameters.items():
            # one of another type or place gets its own, and is copied in the end
            in_place = get_kind(parameter) == "float32" and parameter.device.type == "cpu"
            # detached: a model that its app moves takes its gradients along, and this view stays
            parameter.grad = views[name].detach() if in_place else None
        return views


def prepare(threads: int) -> None:
    """Set this process up for gradients that are the same each time; before an app is imported."""
    keep_memory()
    torch.set_num_threads(threads)
    # does what use_deterministic_algorithms does, without its 86 MB of imports
    torch.set_deterministic_debug_mode("error")


def keep_memory() -> None:
    """Set the C library to keep some freed memory: asking for it anew takes half of a gradient's time."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)


def _tensor_of(values: Floats) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the mapping is read-only; nothing writes to it
        return torch.from_numpy(values)
