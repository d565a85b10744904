"""What tests of sandboxes share."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np


def head_of(shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The head of a model file with these tensors."""
    fields, start = {}, 0
    for name, shape in sorted(shapes.items()):
        stop = start + 4 * int(np.prod(shape))
        fields[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(fields, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def find_processes(word: str) -> list[str]:
    """The processes of this machine with a word among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
    return found
