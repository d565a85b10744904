"""Turns what a training changed into an update: a file to reveal, and the root that the commit binds."""

from pathlib import Path

import numpy as np

from dao.content.tensor_files import each, map_file, map_rows, new_file
from dao.core.formats.layout import parse_model
from dao.core.formats.update import encode_update_prefix, get_leaf_size, write_update_rows
from dao.core.merkle import compute_body_root
from dao.core.types import Codec, Digest


def write_update(base: Path, trained: Path, codec: Codec, depth: int, out: Path) -> Digest:
    """Write the update from model file `base` to model file `trained`; return its body root. Blocks.

    DecodeError, naming the tensor, when the models differ in layout or the change cannot be encoded.
    """
    before, after = parse_model(map_file(base)), parse_model(map_file(trained))
    shape = before.layout.chunks, get_leaf_size(codec)
    with new_file(out, encode_update_prefix(before.layout, codec), shape, np.uint8) as rows:
        write_update_rows(before, after, codec, rows, each)
    return compute_body_root(map_rows(out, rows), depth)
