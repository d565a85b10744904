"""Turns what a training changed into an update: a file to reveal, and the root that the commit binds."""

import mmap
from pathlib import Path

import numpy as np

from dao.core.layout import parse_model
from dao.core.merkle import body_root
from dao.core.types import Codec, Digest
from dao.core.update import encode_body, leaf_size, update_prefix, update_size
from dao.files import each, map_file


def write_update(base: Path, trained: Path, codec: Codec, depth: int, out: Path) -> Digest:
    """Write the update from model file `base` to model file `trained`; return its body root. Blocks.

    DecodeError, naming the tensor, when the models differ in layout or the change cannot be encoded.
    """
    before, after = parse_model(map_file(base)), parse_model(map_file(trained))
    prefix, size = update_prefix(before.layout, codec), update_size(before.layout, codec)
    with out.open("w+b") as file:
        file.truncate(size)
        buffer = mmap.mmap(file.fileno(), size)
    buffer[: len(prefix)] = prefix
    rows = np.frombuffer(buffer, np.uint8, offset=len(prefix)).reshape(-1, leaf_size(codec))
    encode_body(before, after, codec, rows, each)
    return body_root(rows, depth)
