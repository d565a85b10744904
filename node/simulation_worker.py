"""Trains many simulated Supernodes in one process, each on its part of some data, as `node.training_worker` trains one.

Beside the calls of that module it answers `list_labels` and `train_part`. It keeps the newest data, whole, between calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dao.app import worker
from node.training_worker import Runner


class PartRunner(Runner):
    """One app with its model, kept warm between the trainings of many nodes."""

    def __init__(self, host: worker.CallServer) -> None:
        super().__init__(host)
        self._whole: tuple[str, Any] = ("", None)

    def list_labels(self, data: str, label: str, out: str) -> dict[str, int]:
        """Write the class of each row, counted from 0, as int64; answer with rows and classes.

        Data without a column of that name have 0 classes, and every row is of class 0.
        """
        whole = self._read(data)
        if not isinstance(whole, Mapping) or label not in whole:
            rows = len(next(iter(whole.values()))) if isinstance(whole, Mapping) else len(whole)
            classes, codes = 0, np.zeros(rows, np.int64)
        else:
            values, codes = np.unique(np.asarray(whole[label]), return_inverse=True)
            classes = len(values)
        codes.astype("<i8").tofile(out)
        return {"rows": len(codes), "classes": classes}

    def train_part(
        self,
        base: str,
        out: str,
        seed: int,
        round: int,  # noqa: A002
        public: Mapping[str, str],
        data: str,
        rows: str | None,
        flips: str | None,
        partition: Sequence[int] | None,
    ) -> dict[str, object]:
        """Train as `train` does, on the rows whose numbers the file `rows` has (int64; None: on all), and `public` ones.

        `flips` names the column of labels in which class d is to be called the last class minus d. `partition` is a node's part
        of so many, where the app itself deals the data.
        """
        whole = self._read(data)
        if flips is not None:
            whole = _flip(whole, flips)
        if partition is not None:
            whole = whole.take_partition(*partition)
        self._data = whole if rows is None else _take(whole, np.fromfile(rows, "<i8"))
        self._joined = ((), self._data)
        return self.train(base, out, seed, round, public)

    def _read(self, data: str) -> Any:
        if self._whole[0] != data:
            self._whole = (data, self._app.data(data))
        return self._whole[1]


def _take(data: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Return rows of data: of every column of a mapping, or of anything that takes an array of numbers."""
    if isinstance(data, Mapping):
        return {name: _take_of(column, rows) for name, column in data.items()}
    return _take_of(data, rows)


def _take_of(column: Any, rows: npt.NDArray[np.int64]) -> Any:
    if isinstance(column, (list, tuple)):
        return [column[row] for row in rows]
    try:
        return column[rows]
    except (TypeError, IndexError, KeyError):
        raise worker.ConventionError(
            f"data(): gave a {type(column).__name__}, of which no rows can be taken; give a mapping of arrays to deal "
            "rows among simulated nodes"
        ) from None


def _flip(data: Any, label: str) -> Any:
    if not isinstance(data, Mapping) or label not in data:
        raise worker.ConventionError(f"data(): gave no column {label!r} to flip labels of")
    column = data[label]
    values, codes = np.unique(np.asarray(column), return_inverse=True)
    flipped = values[::-1][codes].reshape(np.shape(column))
    return {**data, label: column.new_tensor(flipped) if hasattr(column, "new_tensor") else flipped}


def main() -> None:
    """Serve the simulation that started this process."""
    host = worker.connect()
    runner = PartRunner(host)
    calls = (runner.load, runner.shapes, runner.create, runner.measure, runner.list_labels, runner.train_part)
    host.serve({call.__name__: call for call in calls})
