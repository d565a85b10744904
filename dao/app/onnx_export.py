"""Writes an app's torch module as ONNX, at the child's end: in the app's environment, which has torch's exporter or not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import torch

from dao.app.worker import ConventionError

NEEDED = ("onnx", "onnxscript")  # by torch's exporter


def write_onnx(model: Any, compute_loss: Callable[[], object], output: str) -> None:
    """Write a module with its values as ONNX to a file, of a number of rows that is free where the module lets it be.

    What goes into it is what `compute_loss` gives it first. ConventionError says why it cannot be had.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConventionError(f"the app's environment has no {' and no '.join(missing)}")
    arguments, named = _record_input(model, compute_loss)
    free = _free_rows(arguments), {name: _free_rows(value) for name, value in named.items()}
    shapes = {"dynamic_shapes": (*free[0], free[1])} if named else {"dynamic_shapes": free[0]}
    with torch.no_grad():
        torch.onnx.export(
            model, arguments, output, kwargs=named, dynamo=True, external_data=False, verbose=False, **shapes
        )


def _record_input(model: Any, compute_loss: Callable[[], object]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of the first call of a module while a loss is computed."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def record(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append((arguments, named))

    hook = model.register_forward_pre_hook(record, with_kwargs=True)
    try:
        with torch.no_grad():
            compute_loss()
    finally:
        hook.remove()
    if not calls:
        raise ConventionError("loss() does not call the model itself, so what goes into it is not known")
    return calls[0]


def _free_rows(value: Any) -> Any:
    """Return, in the form of some arguments, that the first dimension of each tensor may change."""
    if isinstance(value, torch.Tensor):
        return {0: torch.export.Dim.AUTO} if value.dim() else None
    if isinstance(value, Mapping):
        return {name: _free_rows(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_free_rows, value))
    return None
