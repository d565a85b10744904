"""Times the check of a table of a million rows by its schema, as `dao node check` and a daemon make it."""

import json
import resource
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dao.app.data_schema import read_schema
from dao.errors import ConfigError
from node.check.data_check import check_data

NUMBERS = 12  # columns of numbers, beside a name, a day and a code


def measure(rows: int) -> dict[str, Any]:
    """Write a table of so many rows, check it, and return rows, bytes, seconds and most memory in bytes."""
    schema = read_schema({"schema.json": json.dumps(_describe_columns())})
    if schema is None:
        raise ConfigError("schema.json: expected one")
    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as folder:
        path = Path(folder) / "table.csv"
        _write_table(path, rows)
        report = check_data(path, schema)
        size = path.stat().st_size
    if report.defects:
        raise ConfigError(f"the table was written without a defect: {report.defects[0]}")
    return {
        "rows": report.rows,
        "columns": len(schema.columns),
        "bytes": size,
        "seconds": round(report.seconds, 1),
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
    }


def _describe_columns() -> dict[str, Any]:
    number = {"type": "number", "unit": "mm", "least": -50, "most": 100, "median": [8, 12]}
    return {
        "format": "schema/1",
        "unique": ["patient", "visit"],
        "label": "kind",
        "columns": [
            {"name": "patient", "type": "text", "most": 40},
            {"name": "visit", "type": "date", "least": "2000-01-01"},
            {"name": "kind", "type": "code", "codes": ["B", "M"]},
            *({"name": f"m{n}", **number} for n in range(NUMBERS)),
        ],
    }


def _write_table(path: Path, rows: int) -> None:
    dice = np.random.Generator(np.random.Philox(0))
    with path.open("w") as file:
        file.write(",".join(["patient", "visit", "kind", *(f"m{n}" for n in range(NUMBERS))]) + "\n")
        for first in range(0, rows, 10_000):
            values = dice.normal(10, 2, (min(10_000, rows - first), NUMBERS)).round(4)
            for number, row in enumerate(values.tolist(), first):
                day = f"2024-{1 + number % 12:02}-{1 + number % 28:02}"
                file.write(f"p{number},{day},{'BM'[number % 2]}," + ",".join(map(str, row)) + "\n")
