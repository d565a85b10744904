"""The model of an app without torch: numpy arrays by name, which `train` returns anew and `loss` gets.

It runs in the app's own environment: standard library, numpy, and `dao.app.worker`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dao.app.worker import ConventionError

Arrays = dict[str, npt.NDArray[Any]]


class ArrayModel:
    """Arrays in the types that the app gave them. Files have float32, as of any model."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        """ConventionError names an array that is none of floating point."""
        self.arrays: Arrays = {}
        for name, value in arrays.items():
            array = np.array(value)
            if not np.issubdtype(array.dtype, np.floating):
                raise ConventionError(
                    f"model(): {name!r} is {array.dtype}; expected arrays of floating point, by their names"
                )
            self.arrays[name] = array

    def state_dict(self) -> Arrays:
        """Return all arrays in float32."""
        return {name: array.astype(np.float32) for name, array in self.arrays.items()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take values over, into fresh arrays of the app's types."""
        self.arrays = {
            name: np.array(state[name], array.dtype).reshape(array.shape)
            for name, array in self.arrays.items()
        }

    def adopt(self, trained: Mapping[str, Any]) -> None:
        """Take over what `train` returned; ConventionError where names or shapes differ from those of `model`."""
        shapes = {name: np.shape(value) for name, value in trained.items()}
        expected = {name: array.shape for name, array in self.arrays.items()}
        if shapes != expected:
            wrong = sorted(name for name in {*shapes, *expected} if shapes.get(name) != expected.get(name))
            raise ConventionError(
                f"train(): returned {wrong[0]!r} of shape {shapes.get(wrong[0])}, expected {expected.get(wrong[0])}; "
                "return all weights as model() has them"
            )
        self.arrays = {name: np.array(trained[name], array.dtype) for name, array in self.arrays.items()}


def wrap_model(model: Any) -> Any:
    """Return an app's model as the rest takes it: what is no mapping of arrays as it is."""
    return ArrayModel(model) if isinstance(model, Mapping) else model


def unwrap_model(model: Any) -> Any:
    """Return a model as its app knows it."""
    return model.arrays if isinstance(model, ArrayModel) else model
