"""Data that an app reads by itself: where a site's rows lie, and which part of them is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class DataPath:
    """Rows at a path that nobody but their app can deal; `partition` is one of so many, in a simulation.

    `rows` is how many the app trained on, as it said last.
    """

    path: str
    partition: tuple[int, int] | None = None
    rows: int | None = None

    def take_partition(self, index: int, count: int) -> DataPath:
        """Return one of `count` parts, as the app itself deals them."""
        return DataPath(self.path, (index, count))
