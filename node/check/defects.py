"""What is wrong with data, by file, row and column; never with a value of it."""

from collections import Counter
from dataclasses import dataclass, field

MOST = 200  # kinds of defects that are kept; a table that is wrong throughout has no more to say


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind of defect in one place: its first row (the header is row 1; 0: no row) and how many rows have it."""

    file: str
    row: int
    column: str  # "" where it is no single column's
    what: str
    rows: int

    def __str__(self) -> str:
        row = f", row {self.row}" if self.row else ""
        column = f", column {self.column!r}" if self.column else ""
        more = f" (and {self.rows - 1} rows more)" if self.rows > 1 else ""
        return f"{self.file}{row}{column}: {self.what}{more}"


@dataclass
class Defects:
    """The defects found so far; of each kind the first row is kept, and the others counted."""

    _first: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, file: str, what: str, *, row: int = 0, column: str = "", rows: int = 1) -> None:
        """Note a defect; `row` is the first of `rows` that have it."""
        kind = file, column, what
        if kind in self._first or len(self._first) < MOST:
            self._first.setdefault(kind, row)
            self._counts[kind] += rows

    def list(self) -> list[Defect]:
        """Return them in the order in which they were found."""
        return [
            Defect(file, row, column, what, self._counts[file, column, what])
            for (file, column, what), row in self._first.items()
        ]
