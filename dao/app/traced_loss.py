"""The gradient of a loss that an app computes with torch and gives away as a plain number, as Flower's evaluations do.

The evaluation runs as it is, while torch keeps the graph that `no_grad` would have dropped. What leaves torch by `item()` is noted;
how the loss depends on each such number is found by nudging them one by one. The parameters are those of the module that took
the model by `load_state_dict`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from dao.app.worker import ConventionError

Arrays = list[npt.NDArray[Any]]
NUDGE = 1e-4  # of a number that leaves torch: a mean of them is exact whatever it is, a smooth function near to it
_LEAVES_AS_NUMBER = {"item", "__float__"}
_LEAVES_AS_ARRAY = {"numpy", "__array__", "tolist"}


@dataclass(frozen=True)
class ModuleState:
    """The entries of a module's state_dict, in order, and which of them are parameters; the others are buffers."""

    names: tuple[str, ...]
    parameters: frozenset[str]


@contextmanager
def record_modules(method: str) -> Iterator[list[Any]]:
    """Record the torch modules of which a method is called, without their parts; none where the app has no torch."""
    torch, modules, depth = sys.modules.get("torch"), list[Any](), 0
    if torch is None:
        yield modules
        return
    original = getattr(torch.nn.Module, method)

    def record(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal depth
        if not depth:
            modules.append(self)
        depth += 1
        try:
            return original(self, *arguments, **named)
        finally:
            depth -= 1

    with patch.object(torch.nn.Module, method, record):
        yield modules


def find_state(modules: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> ModuleState | None:
    """Return the state of the newest module whose entries have these shapes, in order."""
    for module in reversed(modules):
        state = module.state_dict()
        if [tuple(tensor.shape) for tensor in state.values()] == list(shapes):
            parameters = dict(module.named_parameters(remove_duplicate=False))
            return ModuleState(tuple(state), frozenset(state.keys() & parameters.keys()))
    return None


class TracedLoss:
    """Differentiates evaluations of one module; remembers how the loss follows from the numbers of the newest data."""

    def __init__(self, state: ModuleState) -> None:
        self._state = state
        self._factors: tuple[object, list[float]] = (None, [])

    def differentiate(self, evaluate: Callable[[], float], data: object) -> Arrays:
        """Return the gradient by each entry of the state_dict, zeros for buffers; ConventionError where torch has none.

        `data` is what the evaluation is on: while it is the same, so are the factors of its numbers.
        """
        trace = _make_trace()
        with record_modules("load_state_dict") as modules, trace:
            loss = evaluate()
        if self._factors[0] != data or len(self._factors[1]) != len(trace.numbers):
            self._factors = data, _find_factors(evaluate, loss, len(trace.numbers))
        total = sum(
            factor * number for factor, number in zip(self._factors[1], trace.numbers, strict=True) if factor
        )
        module = next(
            (one for one in reversed(modules) if tuple(one.state_dict()) == self._state.names), None
        )
        if isinstance(total, int) or module is None:
            why = (
                "the loss does not come from tensors by item()"
                if module
                else "load_state_dict was not called"
            )
            raise ConventionError(f"ClientApp: evaluate: torch cannot follow the loss: {why}")
        return self._take_gradients(total, module)

    def _take_gradients(self, total: Any, module: Any) -> Arrays:
        torch = sys.modules["torch"]
        parameters = dict(module.named_parameters(remove_duplicate=False))
        # of tied ones the last is what load_state_dict leaves
        last = {id(parameters[name]): name for name in self._state.names if name in self._state.parameters}
        taken = [name for name in last.values() if parameters[name].requires_grad]
        slopes = torch.autograd.grad(total, [parameters[name] for name in taken], allow_unused=True)
        found = dict(zip(taken, slopes, strict=True))
        return [
            np.zeros(tuple(tensor.shape)) if found.get(name) is None else found[name].double().cpu().numpy()
            for name, tensor in module.state_dict().items()
        ]


def _find_factors(evaluate: Callable[[], float], loss: float, count: int) -> list[float]:
    """Return the slope of the loss by each of the numbers that leave torch."""

    def rise(nudges: npt.NDArray[np.float64]) -> float:
        with _make_trace(nudges):
            return evaluate() - loss

    if not count:
        return []
    # most losses are plain means: that takes two evaluations to see
    even = rise(np.full(count, NUDGE)) / NUDGE / count
    dice = NUDGE * np.random.Generator(np.random.Philox(count)).random(count)
    if math.isclose(rise(dice), even * dice.sum(), rel_tol=1e-6, abs_tol=1e-9 * NUDGE):
        return [even] * count
    return [rise(nudges) / NUDGE for nudges in NUDGE * np.eye(count)]


def _make_trace(nudges: Sequence[float] | npt.NDArray[np.float64] = ()) -> Any:
    """Return a mode of torch that keeps graphs, and notes in `numbers` what leaves it, larger by these nudges in turn."""
    torch = sys.modules["torch"]
    from torch.overrides import TorchFunctionMode

    class Trace(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.numbers: list[Any] = []

        def __torch_function__(
            self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
        ) -> Any:
            name = getattr(function, "__name__", "")
            tensor: Any = args[0] if args and isinstance(args[0], torch.Tensor) else None
            has_graph = tensor is not None and tensor.grad_fn is not None
            if has_graph and name in _LEAVES_AS_NUMBER and tensor.numel() == 1:
                self.numbers.append(tensor)
                place = len(self.numbers) - 1
                return tensor.detach().item() + (float(nudges[place]) if place < len(nudges) else 0.0)
            if has_graph and name == "detach":
                return tensor  # `loss.detach().item()` is the loss
            if has_graph and name in _LEAVES_AS_ARRAY:
                return function(tensor.detach(), *args[1:], **(kwargs or {}))
            # the app's own mode: it is set here, and a parameter is written to under it, as by load_state_dict
            is_write = tensor is not None and tensor.is_leaf and tensor.requires_grad and name.endswith("_")
            if is_write or name == "_set_grad_enabled":
                return function(*args, **(kwargs or {}))
            with torch.inference_mode(False), torch.enable_grad():
                return function(*args, **(kwargs or {}))

    return Trace()
