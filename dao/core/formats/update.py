"""An update: what training changed, as integers on the grid 2^-32, encoded in a few bytes and decoded strictly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import CHUNK, MAX_HEADER, UPDATE_MAGIC, VALUE_POWER
from dao.core.engine.backend import get_codec_loops
from dao.core.engine.chunking import Each, Scratch, Sink, Span, cut_spans, sweep
from dao.core.engine.codec_base import CodecLoops, Rows, subtract
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.exact import Unfit
from dao.core.formats.canonical import read_json, write_canonical
from dao.core.formats.fault import BadValue
from dao.core.formats.feedback import GAIN, Feedback
from dao.core.formats.layout import FLOAT, Layout, Model, put_chunks
from dao.core.types import Codec
from dao.errors import DecodeError, RuleError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True, eq=False)
class Update:
    """An update's rows, most often a view of its file; spans are given in chunks, and begin with a row's first one."""

    layout: Layout
    codec: Codec
    body: Rows  # (leaves, leaf)

    @property
    def loops(self) -> CodecLoops:
        """The arithmetic on rows of its codec."""
        return get_codec_loops(self.codec, self.layout.chunks)

    @property
    def scored_chunks(self) -> int:
        """How many of its chunks are of scored tensors, the first ones."""
        return self.layout.scored_chunks

    @property
    def scored(self) -> Update:
        """Its chunks of scored tensors alone, of which products are."""
        return replace(self, body=self.body[: self.loops.count_rows(self.scored_chunks)])

    def q(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the values of a span, (n, CHUNK), in units of 2^-32."""
        return self.loops.values(self.body[self.loops.find_rows((start, stop))])[: stop - start]


def get_leaf_size(codec: Codec) -> int:
    """Return the bytes of one leaf."""
    return CODEC_LOOPS[codec].leaf


def get_leaf_chunks(codec: Codec) -> int:
    """Return how many chunks a leaf has room for."""
    return CODEC_LOOPS[codec].leaf_chunks


def count_leaves(codec: Codec, chunks: int) -> int:
    """Return how many leaves hold so many chunks."""
    return CODEC_LOOPS[codec].count_rows(chunks)


def encode_update_prefix(layout: Layout, codec: Codec) -> bytes:
    """Return an update file's bytes before the body."""
    tensors = [[name, list(shape)] for name, shape in layout.tensors]
    header = write_canonical({"carried": list(layout.carried), "codec": codec.value, "tensors": tensors})
    return UPDATE_MAGIC + len(header).to_bytes(4, "big") + header


def compute_update_size(layout: Layout, codec: Codec) -> int:
    """Return the length of an update file in bytes."""
    return len(encode_update_prefix(layout, codec)) + count_leaves(codec, layout.chunks) * get_leaf_size(
        codec
    )


def encode_update_rows(base: Model, trained: Model, codec: Codec, each: Each = map) -> Rows:
    """Return `trained - base` as rows, (leaves, leaf); errors are those of `write_update_rows`."""
    rows = np.empty((count_leaves(codec, base.layout.chunks), get_leaf_size(codec)), np.uint8)
    write_update_rows(base, trained, codec, rows, each)
    return rows


def write_update_rows(
    base: Model,
    trained: Model,
    codec: Codec,
    out: Sink,
    each: Each = map,
    feedback: Feedback | None = None,
) -> None:
    """Write `trained - base` as rows, (leaves, leaf), into `out`, with what earlier updates left out where there is feedback.

    Raises RuleError when the layouts differ, or naming the tensor when a difference is not finite or too large: from
    63.75 on for int8, 64 for float32, 60 for topk, 34 with feedback.
    """
    layout = base.layout
    loops = get_codec_loops(codec, layout.chunks)
    gain = 1.0 if feedback is None else GAIN
    if trained.layout != layout:
        raise RuleError(f"trained model: {_difference(layout, trained.layout)}")
    shape = loops.count_rows(layout.chunks), loops.leaf
    if out.shape != shape:
        raise RuleError(f"rows: expected {shape} bytes, got {out.shape}")

    def encode(span: Span, scratch: Scratch) -> None:
        before, after = base.span(*span), trained.span(*span)
        rows = scratch.array("rows", loops.count_rows(len(after)), np.uint8, loops.leaf)
        try:
            if feedback is None:
                loops.encode(before, after, rows, scratch)
            else:
                feedback.pack(loops, subtract(before, after, scratch)[0], rows, span, scratch)
        except Unfit as unfit:
            name = layout.name_at(span[0] * CHUNK + unfit.index)
            raise RuleError(
                f"tensor {name[:80]!r}: expected training to change values by less than {loops.limit / gain:.5g},"
                f" got {unfit.value * 2.0**-VALUE_POWER / gain}"
            ) from None
        out[loops.find_rows(span)] = rows

    list(sweep(encode, layout.chunks, each))


def apply_step(base: Model, step: Update, out: Sink, each: Each = map) -> None:
    """Write the values of the model that a step leads to, (size,) float32 in the order of the file, into `out`.

    Raises RuleError when the layouts differ.
    """
    if step.layout != base.layout:
        raise RuleError(f"step: {_difference(base.layout, step.layout)}")

    def move(span: Span, scratch: Scratch) -> None:
        moved = step.loops.move(step.body[step.loops.find_rows(span)], base.span(*span), scratch)
        put_chunks(base.layout, out, span[0], np.ascontiguousarray(moved, FLOAT))

    list(sweep(move, base.layout.chunks, each))


def decode_update(data: ReadableBuffer, layout: Layout, codec: Codec, each: Each = map) -> Update:
    """Read an update to a model of this layout, without copying its body.

    Raises DecodeError, naming the tensor or field, for another codec, other tensors than the base model's, any length
    but the exact one, a value or exponent out of range, and values in the padding.
    """
    view = memoryview(data).cast("B")
    loops, prefix = get_codec_loops(codec, layout.chunks), encode_update_prefix(layout, codec)
    if view[: len(prefix)] != prefix:
        _refuse_prefix(view, layout, codec)
    expected = len(prefix) + loops.count_rows(layout.chunks) * loops.leaf
    if len(view) != expected:
        raise DecodeError(f"update body: expected {expected} bytes in all, got {len(view)}")
    body = np.frombuffer(view, np.uint8, offset=len(prefix)).reshape(-1, loops.leaf)

    def first_bad(span: Span) -> tuple[int, str] | None:
        bad = loops.first_bad(body[loops.find_rows(span)])
        return bad and (span[0] * CHUNK + bad[0], bad[1])

    for bad in each(first_bad, cut_spans(layout.chunks)):
        if bad:
            raise BadValue(f"tensor {layout.name_at(bad[0])[:80]!r}: {bad[1]}", bad[0])
    beyond = np.arange(layout.values, len(body) * loops.leaf_chunks * CHUNK)
    padding = np.concatenate([layout.padding(), beyond])
    filled = loops.find_set(body, padding)
    if filled.any():
        name = layout.name_at(int(padding[filled.argmax()]))
        raise DecodeError(f"tensor {name[:80]!r}: expected zeros in the padding after it, got another value")
    return Update(layout, codec, body)


def read_body(data: ReadableBuffer, codec: Codec) -> Rows:
    """Return the rows of an update of which nothing else is known, valid or not; DecodeError where they are not whole."""
    view, leaf = memoryview(data).cast("B"), get_leaf_size(codec)
    start = 8 + int.from_bytes(view[4:8], "big")
    if view[:4] != UPDATE_MAGIC or start > len(view) or (len(view) - start) % leaf:
        raise DecodeError(f"update: expected a header and chunks of {leaf} bytes")
    return np.frombuffer(view, np.uint8, offset=start).reshape(-1, leaf)


def _refuse_prefix(view: memoryview, layout: Layout, codec: Codec) -> None:
    """Say how a prefix differs from the one expected."""
    length = int.from_bytes(view[4:8], "big")
    if view[:4] != UPDATE_MAGIC:
        raise DecodeError(f"update: expected it to begin with {UPDATE_MAGIC!r}, got {bytes(view[:4])!r}")
    if length > MAX_HEADER or 8 + length > len(view):
        raise DecodeError(
            f"update header: expected at most {MAX_HEADER} and the {len(view)} bytes there are, got {length}"
        )
    header = read_json(bytes(view[8 : 8 + length]), "update header", MAX_HEADER)
    if header.get("codec") != codec.value:
        raise DecodeError(f"codec: expected {codec.value!r}, got {str(header.get('codec'))[:80]!r}")
    try:
        # one more than there should be is enough to tell, however many there are
        rows = islice(header["tensors"], len(layout.tensors) + 1)  # type: ignore[call-overload]
        carried = tuple(islice(header["carried"], len(layout.tensors) + 1))  # type: ignore[call-overload]
        found = Layout(tuple((name, tuple(shape)) for name, shape in rows), carried)
    except (KeyError, TypeError, ValueError):
        raise DecodeError(
            "update header: expected tensors as pairs of name and shape, and the names of those carried"
        ) from None
    if found != layout:
        raise DecodeError(f"update header: {_difference(layout, found)}")
    raise DecodeError("update header: expected canonical JSON of codec, tensors and carried ones alone")


def _difference(expected: Layout, found: Layout) -> str:
    """Name the first tensor in which two layouts differ."""
    have, want = dict(found.tensors), dict(expected.tensors)
    for name, shape in expected.tensors:
        if have.get(name) != shape:
            got = f"got {list(have[name])}" if name in have else "it is missing"
            return f"tensor {name[:80]!r}: expected shape {list(shape)}, {got}"
    if have.keys() == want.keys():
        name = min({*expected.carried} ^ {*found.carried})
        how = "is carried" if name in expected.carried else "is scored"
        return f"tensor {name[:80]!r}: expected it as in the base model, where it {how}"
    extra = next(name for name in have if name not in want)
    return f"tensor {extra[:80]!r}: expected none of this name, the base model has none"
