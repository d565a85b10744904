"""The tensors of a model: their order, their place among the padded values, and the safetensors file they are in."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import BLOCK, CHUNK, MAX_HEADER, MAX_RANK, MAX_TENSORS, MAX_VALUES
from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Each, Scratch, Sink, Span, sweep
from dao.core.engine.merkle import compute_roots
from dao.core.formats.canonical import read_json
from dao.core.types import Digest
from dao.errors import DecodeError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


Shape = tuple[int, ...]
FLOAT = np.dtype("<f4")
METADATA, CARRIED = "__metadata__", "carried"  # of a model file: its one key, where there is one


class Run(NamedTuple):
    """Values that lie side by side in the file and among the padded values alike."""

    padded: int  # index of its first value among the padded values
    raw: int  # index of its first value in the file
    size: int


@dataclass(frozen=True)
class Layout:
    """Names and shapes of a model's tensors, sorted by name, and which of them are only carried, sorted too.

    The padded values begin with the tensors that are scored; those that are carried follow from the next whole chunk on.
    Raises DecodeError, naming the tensor, for a name that is no text, names out of order or twice, no tensor or too
    many, an empty tensor, a dimension that is no positive integer, more than MAX_VALUES values, or a carried name that is no
    tensor's, out of order, or leaves nothing to score.
    """

    tensors: tuple[tuple[str, Shape], ...]
    carried: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.tensors) <= MAX_TENSORS:
            raise DecodeError(f"tensors: expected 1 to {MAX_TENSORS}, got {len(self.tensors)}")
        before = None
        for name, shape in self.tensors:
            if type(name) is not str:  # a header may hold anything in its place
                raise DecodeError(f"tensor {name!r:.80}: expected text as its name")
            if name == METADATA:
                raise DecodeError(f"tensor {METADATA!r}: expected another name, this one is metadata")
            if before is not None and name <= before:
                raise DecodeError(f"tensor {name[:80]!r}: expected names sorted and once each")
            if len(shape) > MAX_RANK or not all(type(n) is int and 0 < n <= MAX_VALUES for n in shape):
                raise DecodeError(
                    f"tensor {name[:80]!r}: expected at most {MAX_RANK} positive dimensions, got {shape!s:.80}"
                )
            before = name
        self._check_carried()
        if self.values > MAX_VALUES:
            raise DecodeError(f"tensors: expected at most {MAX_VALUES} values, got more")

    def _check_carried(self) -> None:
        names, before = {name for name, _ in self.tensors}, None
        for name in self.carried:
            if type(name) is not str or name not in names:
                raise DecodeError(f"carried {name!r:.80}: expected the name of a tensor")
            if before is not None and name <= before:
                raise DecodeError(f"carried {name[:80]!r}: expected names sorted and once each")
            before = name
        if len(self.carried) == len(self.tensors):
            raise DecodeError("carried: expected a tensor beside them that is scored")

    @classmethod
    def of(cls, shapes: Mapping[str, Sequence[int]], carried: Iterable[str] = ()) -> Layout:
        """Put named shapes in canonical order."""
        return cls(tuple((name, tuple(shapes[name])) for name in sorted(shapes)), tuple(sorted(carried)))

    @cached_property
    def _order(self) -> tuple[int, ...]:
        """The tensors as their padded values follow each other: the scored ones, then the carried ones."""
        carried = set(self.carried)
        return tuple(sorted(range(len(self.tensors)), key=lambda i: (self.tensors[i][0] in carried, i)))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each tensor, without padding."""
        return tuple(math.prod(shape) for _, shape in self.tensors)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Index of each tensor's first value in the file; their total comes last."""
        starts = [0]
        for size in self.sizes:
            starts.append(starts[-1] + size)
        return tuple(starts)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Index of each tensor's first padded value, a multiple of BLOCK, in the order of these; their end comes last.

        The first carried one's is a multiple of CHUNK.
        """
        offsets = [0]
        for place, index in enumerate(self._order):
            if place and place == len(self.tensors) - len(self.carried):
                offsets[-1] = -(-offsets[-1] // CHUNK) * CHUNK
            offsets.append(offsets[-1] + -(-self.sizes[index] // BLOCK) * BLOCK)
        return tuple(offsets)

    @property
    def size(self) -> int:
        """Number of values without padding."""
        return self.starts[-1]

    @property
    def chunks(self) -> int:
        """Number of chunks of CHUNK padded values."""
        return -(-self.offsets[-1] // CHUNK)

    @property
    def values(self) -> int:
        """Number of padded values, a multiple of CHUNK."""
        return self.chunks * CHUNK

    @property
    def scored_chunks(self) -> int:
        """Number of chunks of the scored tensors, the first ones."""
        return -(-self.offsets[len(self.tensors) - len(self.carried)] // CHUNK)

    @property
    def scored_values(self) -> int:
        """Number of their padded values, a multiple of CHUNK."""
        return self.scored_chunks * CHUNK

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The fewest runs that cover all tensors: a tensor that needs no padding joins the next one in the file."""
        runs: list[Run] = []
        for padded, index in zip(self.offsets[:-1], self._order, strict=True):
            run = Run(padded, self.starts[index], self.sizes[index])
            if runs and (runs[-1].padded + runs[-1].size, runs[-1].raw + runs[-1].size) == run[:2]:
                runs[-1] = runs[-1]._replace(size=runs[-1].size + run.size)
            else:
                runs.append(run)
        return tuple(runs)

    @cached_property
    def _run_starts(self) -> list[int]:
        return [run.padded for run in self.runs]

    def runs_within(self, start: int, stop: int) -> list[Run]:
        """Return the runs, cut to the padded values start to stop, both multiples of BLOCK within the values."""
        first = bisect_right(self._run_starts, start) - 1
        last = bisect_right(self._run_starts, stop - 1)
        within = []
        for padded, raw, size in self.runs[first:last]:
            skip = max(start - padded, 0)
            within.append(Run(padded + skip, raw + skip, min(padded + size, stop) - padded - skip))
        return within

    def name_at(self, value: int) -> str:
        """Return the name of the tensor that a padded value belongs to, be it padding after it."""
        place = bisect_right(self.offsets, value) - 1
        return self.tensors[self._order[min(place, len(self.tensors) - 1)]][0]

    def padding(self) -> NDArray[np.int64]:
        """Return the indices of all padded values that belong to no tensor."""
        stops = np.array([run.padded + run.size for run in self.runs])
        nexts = np.array([*self._run_starts[1:], self.values])
        counts = nexts - stops
        within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        return np.asarray(np.repeat(stops, counts) + within, np.int64)


def compute_depth(chunks: int) -> int:
    """Return the least depth of a tree with room for `chunks` leaves."""
    return max(chunks - 1, 0).bit_length()


@dataclass(frozen=True, eq=False)
class Model:
    """A model's values in the order of the file, float32 (size,), most often a view of the file itself."""

    layout: Layout
    flat: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.flat.dtype != FLOAT or self.flat.shape != (self.layout.size,):
            raise DecodeError(
                f"values: expected {self.layout.size} of float32, got {self.flat.size} of {self.flat.dtype}"
            )

    @property
    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The tensors by name, as views."""
        starts = self.layout.starts
        return {
            name: self.flat[starts[i] : starts[i + 1]].reshape(shape)
            for i, (name, shape) in enumerate(self.layout.tensors)
        }

    def span(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return chunks start to stop, (n, CHUNK), padded with zeros; a view where no padding is in between."""
        low, high = start * CHUNK, stop * CHUNK
        runs = self.layout.runs_within(low, high)
        if len(runs) == 1 and runs[0].size == high - low:
            return self.flat[runs[0].raw : runs[0].raw + runs[0].size].reshape(-1, CHUNK)
        padded = np.zeros(high - low, FLOAT)
        for run in runs:
            padded[run.padded - low : run.padded - low + run.size] = self.flat[run.raw : run.raw + run.size]
        return padded.reshape(-1, CHUNK)

    def put(self, start: int, chunks: NDArray[np.floating]) -> None:
        """Set chunks from `start` on, as `put_chunks` does."""
        put_chunks(self.layout, self.flat, start, chunks)

    def check_finite(self, each: Each = map) -> None:
        """Raise DecodeError, naming the tensor, when a value is NaN or infinite."""
        step = 1 << 17
        parts = [(start, min(start + step, self.layout.size)) for start in range(0, self.layout.size, step)]

        def first_bad(part: tuple[int, int]) -> int | None:
            finite = np.isfinite(self.flat[part[0] : part[1]])
            return None if finite.all() else part[0] + int(finite.argmin())

        for bad in each(first_bad, parts):
            if bad is not None:
                name = self.layout.tensors[bisect_right(self.layout.starts, bad) - 1][0]
                raise DecodeError(f"tensor {name[:80]!r}: expected finite values, got {self.flat[bad]}")


def compute_model_root(model: Model, depth: int, each: Each = map) -> Digest:
    """Return the root over a model's chunks, (chunks, CHUNK) float32, little-endian as in its file."""
    loops = get_loops(model.layout.chunks)

    def hash_span(span: Span, _: Scratch) -> list[bytes]:
        return [loops.hash_rows(np.ascontiguousarray(model.span(*span)).view(np.uint8))]

    (root,) = compute_roots(sweep(hash_span, model.layout.chunks, each), model.layout.chunks, depth)
    return root


@dataclass(frozen=True)
class StepModel:
    """What one model differs from an earlier one by, float32, taken as its chunks are read."""

    before: Model
    after: Model

    @property
    def layout(self) -> Layout:
        """The layout of both."""
        return self.after.layout

    def span(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return chunks start to stop, (n, CHUNK)."""
        return self.after.span(start, stop) - self.before.span(start, stop)


def put_chunks(layout: Layout, flat: Sink, start: int, chunks: NDArray[np.floating]) -> None:
    """Set a model's values, in the order of the file, to chunks from `start` on, (n, CHUNK), without their padding."""
    low, padded = start * CHUNK, chunks.reshape(-1)
    for run in layout.runs_within(low, low + padded.size):
        flat[run.raw : run.raw + run.size] = padded[run.padded - low : run.padded - low + run.size]


def encode_model_header(layout: Layout) -> bytes:
    """Return a model file's bytes before the values: those that the safetensors library writes.

    Raises DecodeError when they exceed MAX_HEADER.
    """
    entries = []
    if layout.carried:
        carried = json.dumps(write_names(layout.carried), ensure_ascii=False)
        entries.append(f'"{METADATA}":{{"{CARRIED}":{carried}}}')
    for i, (name, shape) in enumerate(layout.tensors):
        ends = f"[{4 * layout.starts[i]},{4 * layout.starts[i + 1]}]"
        dimensions = ",".join(map(str, shape))
        entries.append(
            f'{json.dumps(name, ensure_ascii=False)}:{{"dtype":"F32","shape":[{dimensions}],"data_offsets":{ends}}}'
        )
    try:
        text = ("{" + ",".join(entries) + "}").encode()
    except UnicodeEncodeError as error:
        raise DecodeError(
            f"tensor names: expected text that UTF-8 can hold, got {error.object[:80]!r}"
        ) from None
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise DecodeError(f"model header: expected at most {MAX_HEADER} bytes, got {len(text)}")
    return len(text).to_bytes(8, "little") + text


def write_names(names: Sequence[str]) -> str:
    """Return names as a canonical JSON list."""
    return json.dumps(list(names), ensure_ascii=False, separators=(",", ":"))


def compute_model_size(layout: Layout) -> int:
    """Return the length of a model file in bytes."""
    return len(encode_model_header(layout)) + 4 * layout.size


def write_model(layout: Layout, out: WriteableBuffer) -> Model:
    """Write the header into a buffer of `model_size` bytes; return the model whose values are the rest of it."""
    header = encode_model_header(layout)
    view = memoryview(out).cast("B")
    if len(view) != len(header) + 4 * layout.size:
        raise DecodeError(
            f"model: expected a buffer of {len(header) + 4 * layout.size} bytes, got {len(view)}"
        )
    view[: len(header)] = header
    return Model(layout, np.frombuffer(view, FLOAT, offset=len(header)))


def parse_model(data: ReadableBuffer) -> Model:
    """Read a model file without copying its values.

    Raises DecodeError for whatever `write_model` would not have written: names out of order or twice, another type
    than float32, gaps, metadata, another header or length. Values may be anything: see `Model.check_finite`.
    """
    view = memoryview(data).cast("B")
    length = int.from_bytes(view[:8], "little")
    if len(view) < 8 or length > MAX_HEADER or 8 + length > len(view):
        raise DecodeError(
            f"model header: expected its length, at most {MAX_HEADER} and the {len(view)} bytes there are, got {length}"
        )
    header = bytes(view[8 : 8 + length])
    layout = _read_layout(header)
    if 8 + length + 4 * layout.size != len(view):
        raise DecodeError(f"model: expected {8 + length + 4 * layout.size} bytes, got {len(view)}")
    if encode_model_header(layout)[8:] != header:
        raise DecodeError("model header: expected it as the safetensors library writes it, with sorted names")
    return Model(layout, np.frombuffer(view, FLOAT, offset=8 + length))


def _read_layout(header: bytes) -> Layout:
    entries = read_json(header, "model header", MAX_HEADER)
    carried = _read_carried(entries.pop(METADATA)) if METADATA in entries else ()
    read = [_read_entry(name, entry) for name, entry in entries.items()]
    layout = Layout(tuple((name, shape) for name, (shape, _) in zip(entries, read, strict=True)), carried)
    for i, (name, (_, offsets)) in enumerate(zip(entries, read, strict=True)):
        expected = [4 * layout.starts[i], 4 * layout.starts[i + 1]]
        if offsets != expected:
            raise DecodeError(f"tensor {name[:80]!r}: expected data_offsets {expected}, got {offsets!s:.80}")
    return layout


def _read_carried(metadata: object) -> tuple[str, ...]:
    """Return the names of the carried tensors by a header's metadata."""
    if not isinstance(metadata, dict) or metadata.keys() != {CARRIED} or type(metadata[CARRIED]) is not str:
        raise DecodeError(
            f"model header: expected no metadata but {CARRIED!r}, a list of names as text; save the model without other"
        )
    names = read_json(
        b'{"carried":' + metadata[CARRIED].encode() + b"}", "model header's metadata", MAX_HEADER
    )
    found = names["carried"]
    if not isinstance(found, list) or not found or len(found) > MAX_TENSORS:
        raise DecodeError(
            f"model header: expected {CARRIED!r} to be a list of names, none at all where there is none"
        )
    return tuple(found)


def _read_entry(name: str, entry: object) -> tuple[Shape, object]:
    """Return a tensor's shape and offsets in the file."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise DecodeError(f"tensor {name[:80]!r}: expected dtype, shape and data_offsets")
    if entry["dtype"] != "F32":
        raise DecodeError(f"tensor {name[:80]!r}: expected dtype F32, got {entry['dtype']!s:.80}")
    if not isinstance(entry["shape"], list):
        raise DecodeError(f"tensor {name[:80]!r}: expected a list as shape, got {entry['shape']!s:.80}")
    return tuple(entry["shape"]), entry["data_offsets"]
