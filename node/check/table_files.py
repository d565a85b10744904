"""Reads tables in blocks of rows: CSV in UTF-8, and Parquet where pyarrow is installed. Reads only, and in bounds.

A row is a sequence of texts, "" for no value. Rows are numbered as a spreadsheet does: a header is row 1.
"""

import csv
import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from dao.errors import ConfigError, DataError
from node.check.defects import Defects

ENDINGS = (".csv", ".parquet")
MAX_LINE = 1 << 20  # bytes
BLOCK_ROWS, BLOCK_BYTES = 10_000, 32 << 20
_TAKEN = 100  # rows between two looks at how large a block has become
Row = Sequence[str]


@dataclass(frozen=True)
class RowBlock:
    """Some rows that follow each other, with the number of each; `is_header` of the row of names alone."""

    rows: Sequence[Row]
    numbers: Sequence[int]
    is_header: bool = False


@dataclass(frozen=True)
class TableFiles:
    """The files of a table, in the order of their names, and how many others lie beside them."""

    paths: Sequence[Path]
    others: int


def find_files(data: Path, defects: Defects) -> TableFiles:
    """Find the files of a table: the file that is named, or those of a folder that end as tables do.

    What an app cannot read as a file (a link, a pipe, a folder) is a defect. ConfigError where there is nothing.
    """
    if not data.exists():
        raise ConfigError(f"{data}: no such file or folder; name your data")
    if not data.is_dir():
        if not data.is_file():
            raise ConfigError(f"{data}: expected a file or a folder of files")
        return TableFiles([data], 0)
    paths, others = [], 0
    for entry in sorted(os.scandir(data), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if odd := _describe_odd(entry):
            defects.add(entry.name, odd)
        elif entry.name.lower().endswith(ENDINGS):
            paths.append(Path(entry.path))
        else:
            others += 1
    if not paths and not defects.list():
        defects.add(data.name, f"the folder has no file that ends in {' or '.join(ENDINGS)}")
    return TableFiles(paths, others)


def _describe_odd(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "is a symbolic link, which may lead nowhere in the sandbox; expected the file itself"
    if entry.is_dir():
        return "is a folder; expected the table's files alone, side by side"
    if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
        return "is no regular file; expected none but these"
    return ""


def read_blocks(path: Path, delimiter: str, header: bool, defects: Defects) -> Iterator[RowBlock]:
    """Yield a file's rows in blocks, the header first where there is to be one; what cannot be read is a defect."""
    try:
        if not path.stat().st_size:
            defects.add(path.name, "the file is empty")
        elif path.suffix.lower() == ".parquet":
            yield from _read_parquet(path, header)
        else:
            yield from _read_csv(path, delimiter, header, defects)
    except DataError as error:
        defects.add(path.name, str(error), row=error.row)
    except OSError as error:
        defects.add(path.name, f"cannot be read: {error.strerror}")


@dataclass
class _Lines:
    """The lines of a file as text, and how many bytes (`size`) and lines have been given."""

    file: IO[bytes]
    size: int = 0
    lines: int = 0

    def __iter__(self) -> Iterator[str]:
        rest = b""
        while chunk := self.file.read(MAX_LINE):
            if not self.size:
                _refuse_mark(chunk)
            self.size += len(chunk)
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            yield from self._decode(whole + end)
            if len(rest) > MAX_LINE:
                raise DataError(f"a line is longer than {MAX_LINE} bytes", self.lines + 1)
        yield from self._decode(rest)

    def _decode(self, data: bytes) -> Iterator[str]:
        """Yield lines that are whole; where one is no text, those before it, and then DataError."""
        try:
            text, wrong = data.decode(), data.find(b"\0")
            what = "has a byte of value 0; expected text in UTF-8"
        except UnicodeDecodeError as error:
            text, wrong = "", error.start
            at = wrong - data.rfind(b"\n", 0, wrong)
            what = f"byte {at} of the row is no UTF-8; save the file in UTF-8"
        if wrong >= 0:
            text = data[: data.rfind(b"\n", 0, wrong) + 1].decode()
        yield from io.StringIO(text, newline="\n")  # which ends lines nowhere else
        self.lines += text.count("\n")
        if wrong >= 0:
            raise DataError(what, self.lines + 1)


def _refuse_mark(line: bytes) -> None:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("is UTF-16; save the file in UTF-8", 1)
    if line.startswith(b"\xef\xbb\xbf"):
        raise DataError("begins with a byte order mark, which an app may take for a name; save without", 1)


def _read_csv(path: Path, delimiter: str, header: bool, defects: Defects) -> Iterator[RowBlock]:
    with path.open("rb") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        rows: list[Row] = []
        first, read = 1, 0
        try:
            if header and (names := next(reader, None)) is not None:
                yield RowBlock([names], [1], is_header=True)
                first = 2
            while _take(reader, rows):
                if len(rows) >= BLOCK_ROWS or lines.size - read > BLOCK_BYTES:
                    yield RowBlock(rows, range(first, first + len(rows)))
                    first, rows, read = first + len(rows), [], lines.size
        except csv.Error as error:
            how = "a quotation mark that does not end" if "end of data" in str(error) else str(error)
            defects.add(path.name, f"cannot be read as CSV: {how}", row=first + len(rows))
        except DataError as error:  # what came before it is looked at all the same
            defects.add(path.name, str(error), row=error.row)
        if rows:
            yield RowBlock(rows, range(first, first + len(rows)))


def _take(reader: Iterator[Row], rows: list[Row]) -> bool:
    """Append the next rows, those before an error, too; return whether there were any."""
    before = len(rows)
    rows.extend(islice(reader, _TAKEN))
    return len(rows) > before


def _read_parquet(path: Path, header: bool) -> Iterator[RowBlock]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            "Parquet takes pyarrow: pip install pyarrow into this environment, or save as CSV"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            if header:
                yield RowBlock([file.schema_arrow.names], [1], is_header=True)
            first = 2 if header else 1
            for batch in file.iter_batches(BLOCK_ROWS):
                texts = [[value or "" for value in column.cast(pa.string()).to_pylist()] for column in batch]
                yield RowBlock(list(zip(*texts, strict=True)), range(first, first + batch.num_rows))
                first += batch.num_rows
    except pa.ArrowException as error:
        raise DataError(f"cannot be read as Parquet: {type(error).__name__}") from None
