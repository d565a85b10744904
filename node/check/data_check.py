"""Checks a site's data by the task's schema, in this process: it reads and counts, and runs no code of an app.

What it gives is defects by row and column, and counts: no value of the data is in either.
"""

import gc
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dao.app.data_schema import DataSchema
from node.check.column_checks import Place, Repetitions, make_check
from node.check.defects import Defect, Defects
from node.check.table_files import Row, RowBlock, find_files, read_blocks

_FILE = 40  # a row's place: its file above this bit, its number below


@dataclass(frozen=True)
class DataReport:
    """What was found; `skipped` rows have no value where the schema lets apps leave such rows out."""

    files: int
    others: int  # files beside them that are no table
    rows: int
    skipped: int
    labels: Mapping[str, int]  # how many rows have each code of the label
    defects: Sequence[Defect]
    seconds: float

    @property
    def used(self) -> int:
        """Return the rows that an app trains on."""
        return self.rows - self.skipped

    def counts(self) -> dict[str, object]:
        """Return what stands in the record of each training on the data."""
        return {"rows": self.rows, "skipped": self.skipped, "labels": dict(self.labels)}


def check_data(data: Path, schema: DataSchema) -> DataReport:
    """Check the table in a file, or in the files of a folder. ConfigError where there is none. Blocks."""
    started, table = time.monotonic(), _Table(schema)
    files = find_files(data, table.defects)
    with _no_collection():
        for path in files.paths:
            table.read(path)
    table.end(data.name, is_read=bool(files.paths))
    return DataReport(
        len(files.paths),
        files.others,
        table.rows,
        table.skipped,
        {code: table.labels[code] for code in sorted(table.labels)},
        table.defects.list(),
        time.monotonic() - started,
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector off, which looks at each row again and again: two fifths of the time, and rows have no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Table:
    """A table that is read file by file."""

    def __init__(self, schema: DataSchema) -> None:
        self._schema, self.defects = schema, Defects()
        self.rows = self.skipped = 0
        self.labels = Counter[str]()
        self._checks = [
            make_check(column, self.defects, self.labels if column.name == schema.label else None)
            for column in schema.columns
        ]
        self._repetitions = Repetitions([schema.names.index(name) for name in schema.unique])
        self._files: list[str] = []

    def read(self, path: Path) -> None:
        """Read one file; what follows a header that is wrong is not looked at, for no column is where it should be."""
        schema, found, before = self._schema, False, self.rows
        self._files.append(path.name)
        for block in read_blocks(path, schema.delimiter, schema.header, self.defects):
            found = True
            if block.is_header:
                if not self._check_header(block.rows[0], path.name):
                    return
            else:
                self._take(block, path.name)
        if found and self.rows == before and not self.defects.list():
            self.defects.add(path.name, "there is no row but the header")

    def end(self, name: str, *, is_read: bool) -> None:
        """Look at what only the whole table shows."""
        count, least = self.rows - self.skipped, self._schema.least_rows
        if count >= least:  # of fewer rows the median says little
            for check in self._checks:
                check.end(name)
        elif is_read:
            self.defects.add(name, f"{count} row{'s' * (count != 1)} can be used, expected at least {least}")
        if (repeated := self._repetitions.find()) is not None:
            (file, row), (first_file, first_row), count = *map(self._locate, repeated[:2]), repeated[2]
            where = f"row {first_row}" if file == first_file else f"{first_file}, row {first_row}"
            what = f"is {where} once more, by {', '.join(self._schema.unique)}"[:500]
            self.defects.add(file, what, row=row, rows=count)

    def _locate(self, place: int) -> tuple[str, int]:
        """Return the file and the row of a place among the rows of all files."""
        return self._files[place >> _FILE], place & ((1 << _FILE) - 1)

    def _check_header(self, header: Row, file: str) -> bool:
        expected, got = self._schema.names, tuple(header)
        if got == expected:
            return True
        note = partial(self.defects.add, file, row=1)
        known = set(expected)
        for name in expected:
            if name not in got:
                note("the column is missing", column=name)
        for place, name in enumerate(got, 1):
            if name not in known:
                note(f"column {place} of the header is none that the task knows")
        if len(set(got)) < len(got):
            note("a column stands there twice")
        elif set(got) == known:
            note(f"the columns are in another order; expected {', '.join(expected)}"[:500])
        if len(got) == 1 < len(expected):
            note(f"there is one column; is {self._schema.delimiter!r} between the columns?")
        return False

    def _take(self, block: RowBlock, file: str) -> None:
        rows, numbers = block.rows, block.numbers
        wanted = len(self._checks)
        if any(map(wanted.__ne__, map(len, rows))):
            rows, numbers = self._drop_broken(rows, numbers, file)
            if not rows:
                return
        place, columns = Place(file, numbers), list(zip(*rows, strict=True))
        skips = np.zeros(len(rows), bool)
        for check, cells in zip(self._checks, columns, strict=True):
            if (skip := check.check(cells, place)) is not None:
                skips |= skip
        if self._repetitions.places:
            self._repetitions.add(columns, np.asarray(numbers) + (len(self._files) - 1 << _FILE))
        self.rows += len(rows)
        self.skipped += int(skips.sum())

    def _drop_broken(
        self, rows: Sequence[Row], numbers: Sequence[int], file: str
    ) -> tuple[Sequence[Row], Sequence[int]]:
        """Note rows of another length, and return the others; empty lines are no rows."""
        whole = []
        for row, number in zip(rows, numbers, strict=True):
            if len(row) == len(self._checks):
                whole.append((row, number))
            elif row:
                what = f"has {len(row)} columns, expected {len(self._checks)}"
                self.defects.add(file, what, row=number)
        return [row for row, _ in whole], [number for _, number in whole]
