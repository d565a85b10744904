"""Reads the newest events of a Superlink's status stream, a JSON line each."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

TAIL = 256 << 10  # bytes that are read


def read_status_events(path: Path, tail: int = TAIL) -> list[dict[str, Any]]:
    """Return the events in the last `tail` bytes, oldest first; none where there is no file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - tail))
        lines = file.read(tail).splitlines()[1 if size > tail else 0 :]
    return list(_read_whole(lines))


def _read_whole(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Read the lines that are whole: of one that a full disk or a power cut has ended, the rest is lost."""
    for line in lines:
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event
