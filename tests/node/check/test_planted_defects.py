"""A planted set: each defect that a site's table may have is found, and named by its row and column without a value of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dao.app.data_schema import DataSchema, read_schema
from node.check.data_check import check_data

SECRET = "Zanzibar"  # a value that may stand nowhere
SCHEMA = {
    "format": "schema/1",
    "least_rows": 20,
    "unique": ["patient"],
    "label": "diagnosis",
    "columns": [
        {"name": "patient", "type": "text", "most": 12},
        {"name": "visit", "type": "date", "least": "2000-01-01", "most": "2026-12-31"},
        {
            "name": "radius",
            "type": "number",
            "unit": "mm",
            "least": 0,
            "most": 100,
            "median": [8, 20],
            "units": {"inch": 25.4},
        },
        {"name": "cells", "type": "integer", "missing": "skip"},
        {"name": "diagnosis", "type": "code", "codes": ["B", "M"]},
    ],
}
HEADER = "patient,visit,radius,cells,diagnosis"
Lines = list[str]
Plant = Callable[[Lines], str | bytes]


def good_lines(rows: int = 30) -> Lines:
    """A header and rows without a defect; row 1 is the header."""
    body = [f"p{n},2024-01-{1 + n % 28:02},{10 + n % 7}.5,{n},{'BM'[n % 3 == 0]}" for n in range(rows)]
    return [HEADER, *body]


def replaced(row: int, column: int, text: str) -> Callable[[Lines], str]:
    """Put a text into a cell; the header is row 1."""

    def plant(lines: Lines) -> str:
        cells = lines[row - 1].split(",")
        cells[column] = text
        lines[row - 1] = ",".join(cells)
        return "\n".join(lines) + "\n"

    return plant


def each(change: Callable[[list[str]], list[str]]) -> Plant:
    """Change the cells of every row, the header included."""
    return lambda lines: "\n".join(",".join(change(line.split(","))) for line in lines) + "\n"


def scaled(factor: float) -> Plant:
    def change(cells: list[str]) -> list[str]:
        return cells if cells[2] == "radius" else [*cells[:2], f"{float(cells[2]) * factor:g}", *cells[3:]]

    return each(change)


def text_of(lines: Lines) -> str:
    return "\n".join(lines) + "\n"


PLANTED: dict[str, tuple[Plant, str]] = {
    "units off by a known factor": (
        scaled(1 / 25.4),
        "column 'radius': the median of all rows is below 8 to 20 mm, where good data have it; it looks like inch, expected mm",
    ),
    "units off by a power of ten": (
        scaled(0.1),
        "values seem 10 times too small: another unit?",
    ),
    "unknown code": (replaced(9, 4, SECRET), "row 9, column 'diagnosis': an unknown code"),
    "missing column": (
        each(lambda cells: [*cells[:3], *cells[4:]]),
        "row 1, column 'cells': the column is missing",
    ),
    "column the task does not know": (
        each(lambda cells: [*cells, SECRET]),
        "row 1: column 6 of the header is none that the task knows",
    ),
    "column named twice": (replaced(1, 4, "visit"), "row 1: a column stands there twice"),
    "columns in another order": (
        each(lambda cells: [cells[1], cells[0], *cells[2:]]),
        "row 1: the columns are in another order; expected patient, visit,",
    ),
    "one column fewer in a row": (
        lambda lines: text_of([*lines[:5], lines[5].rpartition(",")[0], *lines[6:]]),
        "row 6: has 4 columns, expected 5",
    ),
    "one column more in a row": (
        lambda lines: text_of([*lines[:5], f"{lines[5]},{SECRET}", *lines[6:]]),
        "row 6: has 6 columns, expected 5",
    ),
    "quotation mark that does not end": (
        replaced(12, 0, f'"{SECRET}'),
        "row 12: cannot be read as CSV: a quotation mark that does not end",
    ),
    "another delimiter": (
        lambda lines: text_of(lines).replace(",", ";"),
        "row 1: there is one column; is ',' between the columns?",
    ),
    "too few rows": (lambda lines: text_of(lines[:11]), "10 rows can be used, expected at least 20"),
    "header only": (lambda lines: text_of(lines[:1]), "there is no row but the header"),
    "empty file": (lambda lines: "", "the file is empty"),
    "one row": (lambda lines: text_of(lines[:2]), "1 row can be used, expected at least 20"),
    "Latin-1": (
        lambda lines: replaced(7, 0, "Müller")(lines).encode("latin-1"),
        "row 7: byte 2 of the row is no UTF-8; save the file in UTF-8",
    ),
    "UTF-16": (lambda lines: text_of(lines).encode("utf-16"), "row 1: is UTF-16; save the file in UTF-8"),
    "byte order mark": (lambda lines: text_of(lines).encode("utf-8-sig"), "begins with a byte order mark"),
    "byte of value 0": (replaced(4, 0, f"{SECRET[:3]}\0"), "row 4: has a byte of value 0"),
    "duplicate": (replaced(20, 0, "p3"), "row 20: is row 5 once more, by patient"),
    "no number": (replaced(8, 2, SECRET), "row 8, column 'radius': not a number"),
    "number with a decimal comma": (replaced(8, 2, '"12,5"'), "row 8, column 'radius': not a number"),
    "number as only Python reads it": (replaced(8, 2, "1_2"), "row 8, column 'radius': not a number"),
    "digits of another script": (replaced(8, 2, "\u0661\u0662"), "row 8, column 'radius': not a number"),
    "infinite": (replaced(8, 2, "inf"), "row 8, column 'radius': not a finite number"),
    "not a number, literally": (replaced(8, 2, "nan"), "row 8, column 'radius': not a number"),
    "below its range": (replaced(8, 2, "-4321.5"), "row 8, column 'radius': below 0 mm"),
    "above its range": (replaced(8, 2, "4321.5"), "row 8, column 'radius': above 100 mm"),
    "half a cell": (replaced(30, 3, "4321.5"), "row 30, column 'cells': not a whole number"),
    "no value": (replaced(3, 2, ""), "row 3, column 'radius': no value"),
    "no day": (replaced(3, 1, "31.12.2024"), "row 3, column 'visit': not a day as 2026-11-30"),
    "day that there is not": (replaced(3, 1, "2024-02-30"), "row 3, column 'visit': not a day"),
    "day too early": (replaced(3, 1, "1900-01-01"), "row 3, column 'visit': a day before 2000-01-01"),
    "day too late": (replaced(3, 1, "2036-01-01"), "row 3, column 'visit': a day after 2026-12-31"),
    "text too long": (replaced(3, 0, SECRET * 2), "row 3, column 'patient': longer than 12 letters"),
    "line without an end": (
        lambda lines: text_of([*lines[:9], "x" * (1 << 21)]),
        "row 10: a line is longer than 1048576 bytes",
    ),
}


@pytest.fixture
def schema() -> DataSchema:
    found = read_schema({"schema.json": json.dumps(SCHEMA)})
    assert found is not None
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_check__planted_defect__is_named_by_row_and_column_without_a_value(
    name: str, tmp_path: Path, schema: DataSchema
) -> None:
    plant, expected = PLANTED[name]
    planted = plant(good_lines())
    path = tmp_path / "mine.csv"
    path.write_bytes(planted.encode() if isinstance(planted, str) else planted)
    found = [str(defect) for defect in check_data(path, schema).defects]
    assert any(line.startswith("mine.csv") and expected in line for line in found), found
    assert not [line for line in found if SECRET in line or "4321" in line or "31.12" in line]


def test_check__good_data__has_no_defect_and_is_counted(tmp_path: Path, schema: DataSchema) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text_of(good_lines(31)))
    report = check_data(path, schema)
    assert report.defects == []
    assert (report.rows, report.skipped, report.used) == (31, 0, 31)
    assert report.labels == {"B": 20, "M": 11}


def test_check__value_missing_where_the_schema_allows__skips_the_row(
    tmp_path: Path, schema: DataSchema
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(replaced(4, 3, "")(good_lines()))
    report = check_data(path, schema)
    assert (report.defects, report.rows, report.skipped, report.used) == ([], 30, 1, 29)
    assert report.counts() == {"rows": 30, "skipped": 1, "labels": {"B": 20, "M": 10}}


def test_check__many_rows_with_one_defect__are_one_line(tmp_path: Path, schema: DataSchema) -> None:
    lines = good_lines()
    for row in (5, 9, 13):
        replaced(row, 4, "?")(lines)
    (tmp_path / "mine.csv").write_text(text_of(lines))
    (defect,) = check_data(tmp_path / "mine.csv", schema).defects
    assert str(defect) == "mine.csv, row 5, column 'diagnosis': an unknown code (and 2 rows more)"


def test_check__folder__reads_its_tables_and_names_what_no_app_can_read(
    tmp_path: Path, schema: DataSchema
) -> None:
    data, lines = tmp_path / "data", good_lines()
    data.mkdir()
    (data / "a.csv").write_text(text_of(lines[:16]))
    (data / "b.csv").write_text(text_of([HEADER, *lines[16:], lines[3]]))
    (data / "notes.txt").write_text(SECRET)
    (data / "c.csv").symlink_to(tmp_path / "elsewhere.csv")
    os.mkfifo(data / "pipe.csv")
    (data / "more").mkdir()
    report = check_data(data, schema)
    assert (report.files, report.others, report.rows) == (2, 1, 31)
    assert [str(defect) for defect in report.defects] == [
        "c.csv: is a symbolic link, which may lead nowhere in the sandbox; expected the file itself",
        "more: is a folder; expected the table's files alone, side by side",
        "pipe.csv: is no regular file; expected none but these",
        "b.csv, row 17: is a.csv, row 4 once more, by patient",
    ]


def test_check__one_row_far_from_the_median__is_said_to_be_one_alone(
    tmp_path: Path, schema: DataSchema
) -> None:
    (tmp_path / "mine.csv").write_text(replaced(2, 2, "90")(good_lines(1)))
    (defect,) = check_data(tmp_path / "mine.csv", schema).defects
    assert str(defect) == "mine.csv: 1 row can be used, expected at least 20"


def test_check__no_header__takes_columns_in_order(tmp_path: Path) -> None:
    schema = read_schema({"schema.json": json.dumps({**SCHEMA, "header": False, "delimiter": ";"})})
    assert schema is not None
    lines = good_lines()
    replaced(5, 4, "?")(lines)
    (tmp_path / "mine.csv").write_text(text_of(lines[1:]).replace(",", ";"))
    (defect,) = check_data(tmp_path / "mine.csv", schema).defects
    assert str(defect) == "mine.csv, row 4, column 'diagnosis': an unknown code"


def test_check__parquet__is_read_as_csv_is(tmp_path: Path, schema: DataSchema) -> None:
    import pyarrow.csv
    from pyarrow import parquet

    lines = good_lines()
    replaced(5, 4, "?")(lines)
    replaced(6, 3, "")(lines)
    (tmp_path / "mine.csv").write_text(text_of(lines))
    parquet.write_table(pyarrow.csv.read_csv(tmp_path / "mine.csv"), tmp_path / "mine.parquet")
    report = check_data(tmp_path / "mine.parquet", schema)
    assert [str(one) for one in report.defects] == [
        "mine.parquet, row 5, column 'diagnosis': an unknown code"
    ]
    assert (report.rows, report.skipped) == (30, 1)
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "mine.parquet").read_bytes()[:-9])
    (torn, _) = check_data(tmp_path / "torn.parquet", schema).defects
    assert str(torn) == "torn.parquet: cannot be read as Parquet: ArrowInvalid"
