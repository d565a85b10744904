"""Reads a validation shard by the app's `data`, and deals it in the batches of the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dao.app.data_path import DataPath
from dao.app.worker import ConventionError

BATCH = 64  # samples; a constant of the protocol, for it changes the bits of a gradient


class ShardReader:
    """The newest shard of an app, kept between calls."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._shard: tuple[str, Any] = ("", None)

    def read_batches(self, shard: str) -> Iterator[tuple[float, Any]]:
        """Yield the shard's batches in order, each with its part of the whole; ConventionError for unlike columns."""
        data, rows = self._read(shard)
        for first in range(0, rows, BATCH):
            end = min(first + BATCH, rows)
            yield (end - first) / rows, _cut(data, first, end)

    def take(self, shard: str) -> Any:
        """Return what the app's `data` gave for a shard, and forget it: whoever gets it may change it."""
        data, self._shard = self._read(shard)[0], ("", None)
        return data

    def read_halves(self, shard: str) -> list[Any]:
        """Return the shard's first batch, and its two halves; the batch thrice where it is one row."""
        data, rows = self._read(shard)
        end = min(BATCH, rows)
        middle = end // 2
        return [_cut(data, *part) for part in ((0, end), (0, middle or end), (middle, end))]

    def _read(self, shard: str) -> tuple[Any, int]:
        if self._shard[0] != shard:
            self._shard = (shard, self._app.data(shard))
        data = self._shard[1]
        if isinstance(data, DataPath):
            return data, 1  # its app deals it in batches of its own
        lengths = {len(c) for c in dict(data).values()} if isinstance(data, Mapping) else {len(data)}
        if len(lengths) != 1 or 0 in lengths:
            raise ConventionError(
                f"data(): gave columns of {sorted(lengths)} rows, expected one length above 0"
            )
        return data, lengths.pop()


def _cut(data: Any, first: int, end: int) -> Any:
    if isinstance(data, DataPath):
        return data
    part = slice(first, end)
    return {name: c[part] for name, c in data.items()} if isinstance(data, Mapping) else data[part]
