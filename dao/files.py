"""Models, updates and gradients as files, mapped rather than read: the shell of the core's arithmetic.

Everything here blocks: call it in a thread. A mapped file must not be shortened by anyone; content in a store is not.
"""

import mmap
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from dao.core.aggregate import aggregate
from dao.core.gradient import LEAF, Gradient, decode_gradient, gradient_prefix, gradient_size, quantise
from dao.core.layout import FLOAT, MAX_HEADER, Layout, Model, model_size, parse_model
from dao.core.types import Codec, Digest
from dao.core.update import Update, decode_update, update_size
from dao.core.weigh import Entry, Weighing
from dao.store.cid import Cid
from dao.store.hashing import cid_of_file

_pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="arithmetic")
each = _pool.map


def map_file(path: Path) -> mmap.mmap:
    """Map a file to read."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def open_model(path: Path) -> Model:
    """Read a model's file; DecodeError, naming the tensor, when it is malformed or not finite."""
    model = parse_model(map_file(path))
    model.check_finite(each)
    return model


def open_update(path: Path, layout: Layout, codec: Codec) -> Update:
    """Read an update's file; DecodeError names the tensor."""
    return decode_update(map_file(path), layout, codec, each)


def open_gradient(path: Path, layout: Layout) -> Gradient:
    """Read a gradient's file; DecodeError says what is wrong."""
    return decode_gradient(map_file(path), layout.values, each)


def write_gradient(floats: Path, layout: Layout, out: Path) -> Gradient:
    """Quantise the evaluator's float32 values, which stand as in a model file, into a gradient's file.

    RuleError, naming the tensor, for a value that is not finite or too large.
    """
    values = Model(layout, np.frombuffer(map_file(floats), FLOAT))
    prefix = gradient_prefix(layout.values)
    buffer = _new_file(out, gradient_size(layout.values))
    buffer[: len(prefix)] = prefix
    body = np.frombuffer(buffer, np.uint8, offset=len(prefix)).reshape(-1, LEAF)
    quantise(values, body, each)
    return Gradient(body)


def write_model(entries: Sequence[Entry], weighing: Weighing, base: Model, out: Path, depth: int) -> Digest:
    """Aggregate into the new model's file; return the root over the aggregate."""
    buffer = _new_file(out, model_size(base.layout))
    return aggregate(entries, weighing.weights, weighing.weight_sum, base, buffer, depth, each)


def cid_of(path: Path) -> Cid:
    """The CID of a file's bytes."""
    with path.open("rb") as file:
        return cid_of_file(file.fileno(), os.fstat(file.fileno()).st_size)


def update_limit(layout: Layout, codec: Codec) -> int:
    """How many bytes of what claims to be an update are worth reading: its size, and room for another header."""
    return update_size(layout, codec) + MAX_HEADER


def _new_file(path: Path, size: int) -> mmap.mmap:
    """Map a new file of this size to write; what stood there stays whole for whoever has it open."""
    with suppress(FileNotFoundError):
        path.unlink()
    with path.open("x+b") as file:
        file.truncate(size)
        return mmap.mmap(file.fileno(), size)
