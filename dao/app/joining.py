"""Joins a node's own data with public rows, as its app's `data` reads both: columns, rows or datasets, one after the other.

Runs in the app's process, where `dao.app.worker` says what that may import.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dao.app.worker import ConventionError

REMEDY = "give a mapping of columns or a map-style dataset, or define join(data, public) in app.py"


class JoinedDataset:
    """Several map-style datasets as one, their rows by number; all else is the first one's, which is the node's own."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts
        self._lengths = [len(part) for part in parts]

    def __len__(self) -> int:
        return sum(self._lengths)

    def __getitem__(self, index: Any) -> Any:
        if not hasattr(index, "__index__"):
            raise TypeError(f"rows of joined datasets are taken by number, not by {index!r:.40}; {REMEDY}")
        place = index.__index__() + (len(self) if index.__index__() < 0 else 0)
        for part, length in zip(self._parts, self._lengths):  # noqa: B905  (Python 3.9)
            if 0 <= place < length:
                return part[place]
            place -= length
        raise IndexError(index)

    def __getattr__(self, name: str) -> Any:
        # an optional method of a protocol knows the first dataset's rows alone
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._parts[0], name)


def join_data(app: Any, own: Any, public: Sequence[Any]) -> Any:
    """Return a node's own data followed by public rows: what the app's `data` gave for each of some shards.

    By the app's `join(data, public)` where it has one. ConventionError where they cannot be joined.
    """
    join = getattr(app, "join", None)
    if callable(join):
        return join(own, public)
    if isinstance(own, Mapping):
        return {name: _join_columns(name, own, public) for name in own}
    if _is_array(own) or isinstance(own, list):
        return _concatenate("rows", [own, *public])
    kind = type(own)
    if isinstance(own, (str, bytes, tuple)) or not (
        hasattr(kind, "__len__") and hasattr(kind, "__getitem__")
    ):
        raise ConventionError(
            f"data(): gave {kind.__name__}, which cannot be joined with public rows; {REMEDY}"
        )
    if _is_frame(own):
        return sys.modules["pandas"].concat([own, *public], ignore_index=True)
    return JoinedDataset([own, *public])


def _join_columns(name: str, own: Mapping[str, Any], public: Sequence[Any]) -> Any:
    for part in public:
        if not isinstance(part, Mapping) or name not in part:
            raise ConventionError(
                f"data(): your own data has a column {name!r} that a public shard lacks; {REMEDY}"
            )
    return _concatenate(f"column {name!r}", [own[name], *(part[name] for part in public)])


def _concatenate(what: str, parts: Sequence[Any]) -> Any:
    """Return arrays, tensors or lists of one kind, one after the other."""
    try:
        if all(isinstance(part, list) for part in parts):
            return [row for part in parts for row in part]
        if all(_is_frame(part) for part in parts):
            return sys.modules["pandas"].concat(parts, ignore_index=True)
        if all(hasattr(part, "detach") for part in parts):
            return sys.modules["torch"].cat(list(parts))
        if all(isinstance(part, np.ndarray) for part in parts):
            return np.concatenate(parts)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ConventionError(
            f"data(): {what}: cannot be joined with public rows: {error}; {REMEDY}"
        ) from None
    kinds = sorted({type(part).__name__ for part in parts})
    raise ConventionError(
        f"data(): {what}: {' and '.join(kinds)} cannot be joined; expected torch tensors, numpy arrays or lists"
    )


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "detach")


def _is_frame(value: Any) -> bool:
    """Whether it is a table or column of pandas, which only an app can have imported."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series))
