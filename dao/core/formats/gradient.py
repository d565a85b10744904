"""A gradient's file: 16-bit integers on the grid 2^-48, with an exponent for each chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import CHUNK, GRADIENT_LEAF, GRADIENT_MAGIC, GRADIENT_MAX_EXPONENT, GRADIENT_POWER
from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Each, Scratch, Sink, Span, sweep
from dao.core.engine.exact import Unfit
from dao.core.engine.products import read_factors
from dao.core.engine.reference import Exponents
from dao.core.formats.canonical import write_canonical
from dao.core.formats.layout import Model, StepModel
from dao.errors import DecodeError, RuleError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True, eq=False)
class Gradient:
    """A quantised gradient's rows, one chunk each; spans are given in chunks."""

    body: NDArray[np.uint8]  # (chunks, LEAF)

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.body)

    @property
    def digits(self) -> NDArray[np.int16]:
        """The 16-bit integers, (chunks, CHUNK), big-endian."""
        return self.body[:, :-1].view(">i2")

    @property
    def exponents(self) -> Exponents:
        """The exponents, (chunks,)."""
        return self.body[:, -1]


def quantise_gradient(gradient: Model | StepModel, each: Each = map) -> NDArray[np.uint8]:
    """Return the rows, (scored chunks, LEAF), of a gradient that has the layout of its model; errors as in `write_rows`."""
    rows = np.empty((gradient.layout.scored_chunks, GRADIENT_LEAF), np.uint8)
    write_gradient_rows(gradient, rows, each)
    return rows


def write_gradient_rows(gradient: Model | StepModel, out: Sink, each: Each = map) -> None:
    """Write the rows, (scored chunks, LEAF), of a gradient that has the layout of its model into `out`.

    Raises RuleError, naming the tensor, for a value that is not finite, or 16,383 and more.
    """
    layout = gradient.layout
    chunks = layout.scored_chunks
    if out.shape != (chunks, GRADIENT_LEAF):
        raise RuleError(f"gradient rows: expected {(chunks, GRADIENT_LEAF)} bytes, got {out.shape}")

    loops = get_loops(chunks)

    def write(span: Span, scratch: Scratch) -> None:
        rows = scratch.array("rows", span[1] - span[0], np.uint8, GRADIENT_LEAF)
        try:
            loops.quantise_floats(gradient.span(*span), rows, scratch)
        except Unfit as unfit:
            name = layout.name_at(span[0] * CHUNK + unfit.index)
            raise RuleError(
                f"tensor {name[:80]!r}: expected a gradient that is finite and below 16,383, got {unfit.value * 2.0**-GRADIENT_POWER}"
            ) from None
        out[slice(*span)] = rows

    list(sweep(write, chunks, each))


def encode_gradient_prefix(values: int) -> bytes:
    """Return a gradient file's bytes before the body, for a number of padded values."""
    header = write_canonical({"values": values})
    return GRADIENT_MAGIC + len(header).to_bytes(4, "big") + header


def compute_gradient_size(values: int) -> int:
    """Return the length of a gradient file in bytes."""
    return len(encode_gradient_prefix(values)) + values // CHUNK * GRADIENT_LEAF


def decode_gradient(data: ReadableBuffer, values: int, each: Each = map) -> Gradient:
    """Read a gradient of this many padded values without copying its body.

    Raises DecodeError for another header, any length but the exact one, -32768, or an exponent above 47.
    """
    view = memoryview(data).cast("B")
    prefix = encode_gradient_prefix(values)
    if view[: len(prefix)] != prefix:
        raise DecodeError(f"gradient header: expected {prefix!r}, got {bytes(view[: len(prefix)])!r}")
    if len(view) != compute_gradient_size(values):
        raise DecodeError(
            f"gradient body: expected {compute_gradient_size(values)} bytes in all, got {len(view)}"
        )
    gradient = Gradient(np.frombuffer(view, np.uint8, offset=len(prefix)).reshape(-1, GRADIENT_LEAF))

    def check(span: Span, scratch: Scratch) -> None:
        digits, exponents = read_factors(gradient, span, scratch)
        if digits.min() == -32768:
            chunk = span[0] + int((digits == -32768).argmax()) // CHUNK
            raise DecodeError(f"gradient chunk {chunk}: expected values from -32767 to 32767, got -32768")
        if exponents.max() > GRADIENT_MAX_EXPONENT:
            chunk = span[0] + int((exponents > GRADIENT_MAX_EXPONENT).argmax())
            got = gradient.exponents[chunk]
            raise DecodeError(
                f"gradient chunk {chunk}: expected an exponent up to {GRADIENT_MAX_EXPONENT}, got {got}"
            )

    list(sweep(check, gradient.chunks, each))
    return gradient
