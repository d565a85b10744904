"""Reads a validation shard by the app's `data`, and deals it in the batches of the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dao.app.worker import ConventionError

BATCH = 64  # samples; a constant of the protocol, for it changes the bits of a gradient


class ShardReader:
    """The newest shard of an app, kept between calls."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._shard: tuple[str, Any] = ("", None)

    def read_batches(self, shard: str) -> Iterator[tuple[float, Any]]:
        """Yield the shard's batches in order, each with its part of the whole; ConventionError for unlike columns."""
        if self._shard[0] != shard:
            self._shard = (shard, self._app.data(shard))
        data = self._shard[1]
        columns = dict(data) if isinstance(data, Mapping) else None
        lengths = {len(column) for column in columns.values()} if columns is not None else {len(data)}
        if len(lengths) != 1 or 0 in lengths:
            raise ConventionError(
                f"data(): gave columns of {sorted(lengths)} rows, expected one length above 0"
            )
        (rows,) = lengths
        for first in range(0, rows, BATCH):
            part = slice(first, min(first + BATCH, rows))
            batch = data[part] if columns is None else {name: c[part] for name, c in columns.items()}
            yield (part.stop - first) / rows, batch
