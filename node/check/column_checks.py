"""Checks the columns of a table, block by block: numbers, codes, days, texts. What is wrong is named by row, never by value."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from dao.app.data_schema import CodeColumn, Column, DateColumn, NumberColumn, TextColumn
from node.check.defects import Defects

SAMPLE = 1 << 20  # values by which a column's median is told
Cells = Sequence[str]
Mask = NDArray[np.bool_]


@dataclass
class Place:
    """Where a block of a column stands: its file, and the number of each of its rows."""

    file: str
    numbers: Sequence[int]


class ColumnCheck(ABC):
    """One column of a table; `check` takes it block by block, `end` what only the whole shows."""

    def __init__(self, column: Column, defects: Defects) -> None:
        self._column, self._defects = column, defects

    def check(self, cells: Cells, place: Place) -> Mask | None:
        """Note what is wrong in a block; return which rows are to be skipped for want of a value, None for none."""
        missing = None
        if "" in cells:
            missing = np.fromiter((not cell for cell in cells), bool, len(cells))
            if self._column.missing == "refuse":
                self._note(missing, place, "no value")
        self._check(cells, missing, place)
        return missing if self._column.missing == "skip" else None

    def end(self, file: str) -> None:  # noqa: B027  (most columns have shown all by then)
        """Note what only the whole column shows."""

    @abstractmethod
    def _check(self, cells: Cells, missing: Mask | None, place: Place) -> None: ...

    def _note(self, wrong: Mask, place: Place, what: str) -> None:
        """Note a defect of some rows, if of any."""
        count = int(wrong.sum())
        if count:
            row = place.numbers[int(wrong.argmax())]
            self._defects.add(place.file, what, row=row, column=self._column.name, rows=count)

    def _note_cells(
        self, is_wrong: Callable[[str], bool], cells: Cells, missing: Mask | None, place: Place, what: str
    ) -> None:
        wrong = np.fromiter((is_wrong(cell) for cell in cells), bool, len(cells))
        self._note(wrong if missing is None else wrong & ~missing, place, what)


class NumberCheck(ColumnCheck):
    """Numbers: finite, in range, whole where they are to be; the median tells another unit."""

    def __init__(self, column: NumberColumn, defects: Defects) -> None:
        super().__init__(column, defects)
        self._number = column
        self._sample: list[NDArray[np.float32]] = []
        self._sampled = 0

    def _check(self, cells: Cells, missing: Mask | None, place: Place) -> None:
        number = self._number
        values = self._parse(cells, missing, place)
        here = ~np.isnan(values)
        infinite = np.isinf(values)
        self._note(infinite, place, "not a finite number")
        here &= ~infinite
        unit = f" {number.unit}" if number.unit else ""
        if number.least is not None:
            self._note(here & (values < number.least), place, f"below {number.least:g}{unit}")
        if number.most is not None:
            self._note(here & (values > number.most), place, f"above {number.most:g}{unit}")
        if number.type == "integer":
            self._note(here & (values != np.rint(values)), place, "not a whole number")
        if number.median is not None and self._sampled < SAMPLE:
            kept = values[here][: SAMPLE - self._sampled].astype(np.float32)
            self._sample.append(kept)
            self._sampled += len(kept)

    def _parse(self, cells: Cells, missing: Mask | None, place: Place) -> NDArray[np.float64]:
        """Return the values; NaN where there is none, or what stands there is no number."""
        try:
            if missing is None and _is_plain("".join(cells)):
                values = np.fromiter(map(float, cells), np.float64, len(cells))
                if not np.isnan(values).any():
                    return values
        except ValueError:
            pass
        values = np.fromiter(map(_parse_number, cells), np.float64, len(cells))
        absent = np.isnan(values)
        self._note(absent if missing is None else absent & ~missing, place, "not a number")
        return values

    def end(self, file: str) -> None:
        """Compare the median with what the schema says of good data."""
        number = self._number
        if number.median is None or not self._sampled:
            return
        low, high = number.median
        median = float(np.median(np.concatenate(self._sample)))
        if low <= median <= high:
            return
        what = f"the median of all rows is {'below' if median < low else 'above'} {low:g} to {high:g}"
        unit = f" {number.unit}" if number.unit else ""
        hint = self._guess_unit(median)
        self._defects.add(file, f"{what}{unit}, where good data have it{hint}", column=number.name)

    def _guess_unit(self, median: float) -> str:
        low, high = self._number.median or (0.0, 0.0)
        for name, factor in self._number.units.items():
            if low <= median * factor <= high:
                return f"; it looks like {name}, expected {self._number.unit}"
        for power in (1, 2, 3, 6, 9):
            for factor, how in ((10.0**power, "small"), (10.0**-power, "large")):
                if low <= median * factor <= high:
                    return f"; values seem {10**power} times too {how}: another unit?"
        return ""


class CodeCheck(ColumnCheck):
    """Codes of a list; those of the label are counted."""

    def __init__(self, column: CodeColumn, defects: Defects, counts: Counter[str] | None) -> None:
        super().__init__(column, defects)
        self._codes, self._counts = frozenset(column.codes), counts

    def _check(self, cells: Cells, missing: Mask | None, place: Place) -> None:
        unknown = set(cells) - self._codes - {""}
        if unknown:
            self._note_cells(unknown.__contains__, cells, missing, place, "an unknown code")
        if self._counts is not None:
            counts = Counter(cells)
            self._counts.update({code: counts[code] for code in self._codes & counts.keys()})


class DateCheck(ColumnCheck):
    """Days as 2026-11-30, in range."""

    def __init__(self, column: DateColumn, defects: Defects) -> None:
        super().__init__(column, defects)
        self._date = column

    def _check(self, cells: Cells, missing: Mask | None, place: Place) -> None:
        days = {cell: _parse_day(cell) for cell in set(cells)}
        least, most = self._date.least, self._date.most

        def is_early(cell: str) -> bool:
            day = days[cell]
            return day is not None and least is not None and day < least

        def is_late(cell: str) -> bool:
            day = days[cell]
            return day is not None and most is not None and day > most

        checks: list[tuple[Callable[[str], bool], str]] = [
            (lambda cell: days[cell] is None, "not a day as 2026-11-30"),
            (is_early, f"a day before {least}"),
            (is_late, f"a day after {most}"),
        ]
        for is_wrong, what in checks:
            if any(map(is_wrong, days)):
                self._note_cells(is_wrong, cells, missing, place, what)


class TextCheck(ColumnCheck):
    """Texts, of a bounded length."""

    def __init__(self, column: TextColumn, defects: Defects) -> None:
        super().__init__(column, defects)
        self._most = column.most

    def _check(self, cells: Cells, missing: Mask | None, place: Place) -> None:
        if max(map(len, cells)) > self._most:
            what = f"longer than {self._most} letters"
            self._note_cells(lambda cell: len(cell) > self._most, cells, missing, place, what)


@dataclass
class Repetitions:
    """Finds rows that are alike in some columns, by a hash of 64 bits each: 8 bytes a row."""

    places: Sequence[int]  # of these columns
    _hashes: list[NDArray[np.int64]] = field(default_factory=list)
    _numbers: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, columns: Sequence[Cells], numbers: NDArray[np.int64]) -> None:
        """Take a block of rows with these numbers, each another."""
        rows = zip(*(columns[place] for place in self.places), strict=True)
        self._hashes.append(np.fromiter(map(hash, rows), np.int64, len(numbers)))
        self._numbers.append(numbers)

    def find(self) -> tuple[int, int, int] | None:
        """Return the first row that repeats another one, that one's number, and how many rows repeat one; None for none."""
        if not self._hashes:
            return None
        hashes, numbers = np.concatenate(self._hashes), np.concatenate(self._numbers)
        order = np.argsort(hashes, kind="stable")
        _, firsts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
        if len(firsts) == len(hashes):
            return None
        origin = np.empty(len(hashes), np.int64)
        origin[order] = np.repeat(order[firsts], counts)
        repeats = origin != np.arange(len(hashes))
        at = int(repeats.argmax())
        return int(numbers[at]), int(numbers[origin[at]]), int(repeats.sum())


def make_check(column: Column, defects: Defects, counts: Counter[str] | None) -> ColumnCheck:
    """Return the check of a column; `counts` takes the codes of the label."""
    match column:
        case NumberColumn():
            return NumberCheck(column, defects)
        case CodeColumn():
            return CodeCheck(column, defects, counts)
        case DateColumn():
            return DateCheck(column, defects)
        case TextColumn():
            return TextCheck(column, defects)


def _is_plain(text: str) -> bool:
    """Whether others read numbers here as Python does, which takes 1_000 and the digits of all scripts."""
    return "_" not in text and text.isascii()


def _parse_number(cell: str) -> float:
    try:
        return float(cell) if _is_plain(cell) else float("nan")
    except ValueError:
        return float("nan")


def _parse_day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell) if len(cell) == 10 and cell[4] == "-" else None
    except ValueError:
        return None
