"""What of an app's model travels, at the child's end: which tensors, as float32, and which of them are only carried.

It imports what `dao.app.worker` does, and nothing else. A model is anything with `state_dict` and `load_state_dict`; torch
is used where the app's tensors are torch's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from dao.app.worker import ConventionError, Floats, ModelFile

# what becomes of float buffers: an app's `buffers`, the first where it says nothing
BUFFERS = ("median", "base", "local")
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_NARROW = ("float16", "bfloat16")
# why a parameter that asks for no gradient does not travel
FROZEN = "is frozen: it stays as model() makes it"
# values of a frozen parameter that are compared after training: a copy would take its memory again
_PROBES = 256


@dataclass(frozen=True)
class ModelState:
    """The tensors of a model that travel, sorted by name, with their shapes; `left_out` says of the others why they do not."""

    model: Any
    shapes: Mapping[str, list[int]]
    carried: frozenset[str]
    kept_as_in_base: frozenset[str]  # of those carried: training does not change them
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, Any]:
        """The tensors that travel, as they are now: an app may give any of them other memory. ConventionError for another shape."""
        return self._pick(self.model.state_dict())

    @property
    def parameters(self) -> dict[str, Any]:
        """The trained parameters of torch, as they are now, by the names that travel."""
        if not hasattr(self.model, "named_parameters"):
            return {}
        named = self.model.named_parameters(remove_duplicate=False)
        return {name: parameter for name, parameter in named if name in self.shapes}

    def load(self, file: ModelFile) -> None:
        """Copy a model file's values into the model; ConventionError for another layout."""
        self.require_layout(file)
        state, elsewhere = self.model.state_dict(), {}
        for name, tensor in self._pick(state).items():
            if not hasattr(tensor, "detach"):
                elsewhere[name] = file.tensors[name].astype(tensor.dtype)
            elif tensor.device.type == "cpu" and get_kind(tensor) == "float32":
                np.copyto(tensor.detach().numpy(), file.tensors[name])
            else:
                tensor.detach().copy_(_to_torch(file.tensors[name]))
        if elsewhere:
            self.model.load_state_dict({**state, **elsewhere})

    def store(self, file: ModelFile, base: ModelFile | None = None) -> None:
        """Copy the model's values into a file; with the `base` that was loaded, as what training made of it.

        A value of a narrow type moves from the base's by what it moved in that type: rounding it there is no training.
        """
        self.require_layout(file)
        for name, tensor in self.tensors.items():
            values = _to_floats(tensor)
            if base is not None and name in self.kept_as_in_base:
                values = base.tensors[name]
            elif base is not None and get_kind(tensor) in _NARROW:
                values = base.tensors[name] + (values - _narrow(base.tensors[name], tensor))
            np.copyto(file.tensors[name], values, casting="same_kind")

    def require_layout(self, file: ModelFile) -> None:
        """Raise ConventionError, which names the tensor, where model and file differ in names, shapes or what is carried."""
        require_same_shapes(self.shapes, file)
        for name in sorted(self.carried ^ file.carried):
            app, stated = (
                "is only carried" if name in names else "is scored" for names in (self.carried, file.carried)
            )
            raise ConventionError(
                f"tensor {name!r}: it {app} by the app, and {stated} by the model file; have the app make the first model"
            )

    def _pick(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of a state_dict that travel; ConventionError where it no longer has them."""
        for name, shape in self.shapes.items():
            found = list(state[name].shape) if name in state else None
            if found != shape:
                raise ConventionError(
                    f"tensor {name!r}: has shape {found} now, model() made it with {shape}; the app must keep the "
                    "model's tensors"
                )
        return {name: state[name] for name in self.shapes}


def inspect_model(app: Any, model: Any) -> ModelState:
    """Find what of a model travels by the conventions of its app (docs/data-scientist.md); ConventionError for a type that cannot."""
    state = dict(sorted(model.state_dict().items()))
    if not state:
        raise ConventionError("model(): its state_dict is empty; there is nothing to train")
    local, mode, named = _read_local(app), _read_buffers(app), getattr(app, "carried", frozenset[str]())
    of_torch = hasattr(model, "named_parameters")
    parameters = dict(model.named_parameters(remove_duplicate=False)) if of_torch else {}
    shapes: dict[str, list[int]] = {}
    carried: set[str] = set()
    left_out: dict[str, str] = {}
    seen: dict[object, str] = {}
    frozen = {name for name, parameter in parameters.items() if not parameter.requires_grad}
    for name, tensor in state.items():
        is_buffer = name in named or (of_torch and name not in parameters)
        reason = FROZEN if name in frozen else ""
        reason = reason or _explain_staying(name, tensor, local, is_buffer and mode == "local", seen)
        if reason:
            left_out[name] = reason
            continue
        shapes[name] = list(tensor.shape)
        if is_buffer:
            carried.add(name)
    _require_trained(parameters, shapes, left_out)
    if not shapes.keys() - carried:
        raise ConventionError(
            "model(): none of its tensors is trained and travels; there is nothing to score"
        )
    kept = frozenset(carried) if mode == "base" else frozenset()
    return ModelState(model, shapes, frozenset(carried), kept, left_out)


def get_kind(tensor: Any) -> str:
    """Return the name of a tensor's type, such as bfloat16."""
    return str(tensor.dtype).rpartition(".")[2]


def require_same_shapes(shapes: Mapping[str, Sequence[int]], file: ModelFile) -> None:
    """Raise ConventionError, which names the tensor, where a file has other tensors than these."""
    theirs = {name: list(tensor.shape) for name, tensor in file.tensors.items()}
    for name in sorted(shapes.keys() | theirs.keys()):
        if shapes.get(name) != theirs.get(name):
            raise ConventionError(
                f"tensor {name!r}: the app has shape {shapes.get(name)}, the model file {theirs.get(name)}; "
                "the app and the task's base model do not belong together"
            )


def set_mode(model: Any, *, training: bool) -> None:
    """Put a model into training or evaluation mode, where it has such."""
    change = getattr(model, "train" if training else "eval", None)
    if callable(change) and hasattr(model, "named_parameters"):
        change()


def find_changed_buffers(model: Any, before: Mapping[str, Any], left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of tensors that do not travel and that training has changed, but for what counts batches."""
    for name, tensor in model.state_dict().items():
        if name not in before or name not in left_out or name.endswith("num_batches_tracked"):
            continue
        now = _probe(tensor) if left_out[name] == FROZEN else _copy(tensor)
        if not np.array_equal(before[name], now, equal_nan=True):
            yield name


def copy_left_out(model: Any, left_out: Mapping[str, str]) -> dict[str, Any]:
    """Return copies of the tensors that do not travel, to be compared with after training; of frozen ones some values, of tied ones none."""
    state = model.state_dict()
    return {
        name: _probe(state[name]) if why == FROZEN else _copy(state[name])
        for name, why in left_out.items()
        if not why.startswith("tied")
    }


def _explain_staying(
    name: str, tensor: Any, local: Sequence[str], stays_as_buffer: bool, seen: dict[object, str]
) -> str:
    """Return why a tensor does not travel; "" where it does."""
    if any(fnmatchcase(name, pattern) for pattern in local):
        return "the app declares it local"
    kind = get_kind(tensor)
    if kind.startswith(("int", "uint", "bool")):
        return f"is {kind}: integers do not travel"
    if stays_as_buffer:
        return "the app keeps its buffers local"
    if kind not in _FLOATS:
        raise ConventionError(
            f"tensor {name!r}: is {kind}, expected one of {', '.join(_FLOATS)}, or an integer; convert it, or declare "
            f'it local: local = ["{name}"]'
        )
    if not hasattr(tensor, "data_ptr") or not tensor.numel():
        return ""
    first = seen.setdefault((tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()), kind), name)
    return "" if first == name else f"tied to {first!r}, which travels"


def _require_trained(
    parameters: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], left_out: Mapping[str, str]
) -> None:
    travel = {id(parameter) for name, parameter in parameters.items() if name in shapes}
    for name, parameter in parameters.items():
        if parameter.requires_grad and name not in left_out and id(parameter) not in travel:
            raise ConventionError(
                f"model(): parameter {name!r} is not in its state_dict: it could not be trained together; leave "
                "state_dict as torch has it"
            )


def _read_local(app: Any) -> Sequence[str]:
    local = getattr(app, "local", ())
    if isinstance(local, str) or not all(isinstance(pattern, str) for pattern in local):
        raise ConventionError('app.py: local: expected a list of names or patterns, such as ["head.*"]')
    return tuple(local)


def _read_buffers(app: Any) -> str:
    mode = getattr(app, "buffers", BUFFERS[0])
    if mode not in BUFFERS:
        raise ConventionError(f"app.py: buffers: expected one of {', '.join(BUFFERS)}, got {mode!r:.80}")
    return str(mode)


def _to_torch(values: Floats) -> Any:
    return sys.modules["torch"].from_numpy(values.copy())


def _to_floats(tensor: Any) -> Floats:
    if hasattr(tensor, "detach"):
        return np.asarray(tensor.detach().float().cpu().numpy(), np.float32)
    return np.asarray(tensor, np.float32)


def _narrow(values: Floats, like: Any) -> Floats:
    """Return values as a tensor's narrow type holds them."""
    if hasattr(like, "detach"):
        return _to_floats(_to_torch(values).to(like.dtype))
    return np.asarray(values.astype(like.dtype), np.float32)


def _probe(tensor: Any) -> Any:
    """Return copies of some of a torch tensor's values, from its first to its last part."""
    flat = tensor.detach().reshape(-1)
    return _copy(flat[:: max(1, len(flat) // _PROBES)])


def _copy(tensor: Any) -> Any:
    if not hasattr(tensor, "detach"):
        return np.array(tensor)
    plain = tensor.detach().cpu()
    return (plain.float() if get_kind(tensor) == "bfloat16" else plain).numpy().copy()
