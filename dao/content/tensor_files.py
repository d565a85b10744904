"""Models, updates and gradients as files, mapped rather than read: the shell of the core's arithmetic.

Everything here blocks: call it in a thread. A mapped file must not be shortened by anyone; content in a store is not.
"""

import math
import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dao.core.aggregate import AggregateRoots
from dao.core.constants import GRADIENT_LEAF, MAX_HEADER
from dao.core.engine.backend import get_step_codec
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import Gradient, decode_gradient, encode_gradient_prefix, write_gradient_rows
from dao.core.formats.layout import FLOAT, Layout, Model, StepModel, encode_model_header, parse_model
from dao.core.formats.update import (
    Update,
    apply_step,
    compute_update_size,
    count_leaves,
    decode_update,
    encode_update_prefix,
    get_leaf_size,
)
from dao.core.transition import RoundInputs, compute_round_model
from dao.core.types import Codec
from dao.core.weigh import UpdateEntry, Weighing
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
    return decode_gradient(map_file(path), layout.scored_values, each)


def write_gradient(floats: Path, layout: Layout, out: Path) -> Gradient:
    """Quantise the evaluator's float32 values, which stand as in a model file, into a gradient's file.

    RuleError, naming the tensor, for a value that is not finite or too large.
    """
    return _write_rows(Model(layout, np.frombuffer(map_file(floats), FLOAT)), out)


def write_step(before: Model, after: Model, out: Path) -> Gradient:
    """Quantise what a model differs from an earlier one by into a gradient's file."""
    return _write_rows(StepModel(before, after), out)


def _write_rows(values: Model | StepModel, out: Path) -> Gradient:
    layout = values.layout
    with new_file(
        out, encode_gradient_prefix(layout.scored_values), (layout.scored_chunks, GRADIENT_LEAF), np.uint8
    ) as rows:
        write_gradient_rows(values, rows, each)
    return Gradient(map_rows(out, rows))


def write_new_model(
    inputs: RoundInputs,
    entries: Sequence[UpdateEntry],
    weighing: Weighing,
    base: Model,
    step: Path,
    out: Path,
) -> AggregateRoots:
    """Aggregate into the files of the step and of the new model; return the roots over aggregate, step and model."""
    with (
        _new_step(base.layout, get_step_codec(inputs.rules.codec), step) as rows,
        _new_model(base.layout, out) as values,
    ):
        return compute_round_model(inputs, entries, weighing, base, rows, values, each)


def write_moved_model(base: Model, step: Update, out: Path) -> None:
    """Write the file of the model that a step leads to."""
    with _new_model(base.layout, out) as values:
        apply_step(base, step, values, each)


def _new_model(layout: Layout, path: Path) -> AbstractContextManager["FileArray"]:
    return new_file(path, encode_model_header(layout), (layout.size,), FLOAT)


def _new_step(layout: Layout, codec: Codec, path: Path) -> AbstractContextManager["FileArray"]:
    prefix, shape = (
        encode_update_prefix(layout, codec),
        (count_leaves(codec, layout.chunks), get_leaf_size(codec)),
    )
    return new_file(path, prefix, shape, np.uint8)


def compute_cid(path: Path) -> Cid:
    """The CID of a file's bytes."""
    with path.open("rb") as file:
        return cid_of_file(file.fileno(), os.fstat(file.fileno()).st_size)


def compute_update_limit(layout: Layout, codec: Codec) -> int:
    """How many bytes of what claims to be an update are worth reading: its size, and room for another header."""
    return compute_update_size(layout, codec) + MAX_HEADER


class FileArray:
    """An array in a file, set by writing there: to a mapping of it, every page is a fault, ten times the cost."""

    def __init__(self, descriptor: int, start: int, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """The array begins `start` bytes into the file."""
        self.shape = shape
        self.start, self._descriptor, self._dtype = start, descriptor, np.dtype(dtype)
        self._row = self._dtype.itemsize * math.prod(shape[1:])  # bytes
        self._writing = threading.Lock()  # the system lets one write at a time, and has others spin

    def __setitem__(self, rows: slice, values: NDArray[Any], /) -> None:
        left = np.ascontiguousarray(values, self._dtype).view(np.uint8).reshape(-1).data
        at = self.start + rows.start * self._row
        with self._writing:
            while left:
                written = os.pwrite(self._descriptor, left, at)
                left, at = left[written:], at + written


@contextmanager
def new_file(path: Path, prefix: bytes, shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[FileArray]:
    """Write a new file, a prefix and then an array; what stood there stays whole for whoever has it open."""
    with suppress(FileNotFoundError):
        path.unlink()
    with path.open("xb", buffering=0) as file:
        file.write(prefix)
        yield FileArray(file.fileno(), len(prefix), shape, dtype)


def map_rows(path: Path, written: FileArray) -> NDArray[np.uint8]:
    """Map the rows of bytes that were written to a file, to read."""
    return np.frombuffer(map_file(path), np.uint8, offset=written.start).reshape(written.shape)
