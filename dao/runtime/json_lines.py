"""A file of JSON objects, a line each, that only grows: what is appended is on the disk, whole or not at all."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def append_line(path: Path, value: Mapping[str, object]) -> None:
    """Append an object and wait until it is on the disk. A line that a power cut left torn is ended first."""
    text = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            text = b"\n" + text
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects, the oldest first, as `parse_lines` does; none where there is no file."""
    if path.exists():
        with path.open("rb") as file:
            yield from parse_lines(file)


def parse_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects of lines. A line that is none, such as one that a full disk or a power cut has ended, is left out."""
    for line in lines:
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value
