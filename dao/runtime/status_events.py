"""Reads the newest events of a Superlink's status stream, a JSON line each."""

from pathlib import Path
from typing import Any

from dao.runtime.json_lines import parse_lines

TAIL = 256 << 10  # bytes that are read


def read_status_events(path: Path, tail: int = TAIL) -> list[dict[str, Any]]:
    """Return the events in the last `tail` bytes, oldest first; none where there is no file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - tail))
        lines = file.read(tail).splitlines()[1 if size > tail else 0 :]
    return list(parse_lines(lines))
