"""A reference gradient as 16-bit integers on the grid 2^-48, and the exact products that scores and gates are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dao.core.canonical import canonical_json
from dao.core.errors import DecodeError, RuleError
from dao.core.exact import Unfit, scale, shifted_sum
from dao.core.layout import CHUNK, Model
from dao.core.spans import Each, spans
from dao.core.update import Update

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAGIC = b"CWG1"
LEAF = 2 * CHUNK + 1  # bytes: big-endian int16 values, then their exponent
DIGITS = 15  # bits of a value beside its sign
MAX_EXPONENT = 47
SCALE = 2.0**48


@dataclass(frozen=True, eq=False)
class Gradient:
    """A quantised gradient's rows, one chunk each; spans are given in chunks."""

    body: NDArray[np.uint8]  # (chunks, LEAF)

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.body)

    def digits(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the 16-bit integers of a span, (n, CHUNK)."""
        return self.body[start:stop, :-1].view(">i2").astype(np.float64)

    def exponents(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the exponents of a span, (n,)."""
        return self.body[start:stop, -1]


def quantise_span(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Quantise floats, (n, CHUNK), in units of the grid, in place: return their 16-bit integers and exponents (n,).

    Raises Unfit for a chunk that does not fit.
    """
    exponents = scale(values, DIGITS, MAX_EXPONENT)
    return values, exponents


def quantise(gradient: Model, out: NDArray[np.uint8] | None = None, each: Each = map) -> NDArray[np.uint8]:
    """Return the rows, (chunks, LEAF), of a gradient that has the layout of its model; in `out` where that is given.

    Raises RuleError, naming the tensor, for a value that is not finite, or 16,383 and more.
    """
    layout = gradient.layout
    rows = np.empty((layout.chunks, LEAF), np.uint8) if out is None else out
    if rows.shape != (layout.chunks, LEAF):
        raise RuleError(f"gradient rows: expected {(layout.chunks, LEAF)} bytes, got {rows.shape}")

    def write(span: tuple[int, int]) -> None:
        with np.errstate(over="ignore"):
            values = gradient.span(*span) * np.float32(SCALE)  # exact: a power of two
        try:
            digits, exponents = quantise_span(values)
        except Unfit as unfit:
            name = layout.name_at((span[0] + unfit.group) * CHUNK)
            raise RuleError(
                f"tensor {name[:80]!r} or the next: expected gradients that are finite and below 16,383,"
                f" got {unfit.value / SCALE}"
            ) from None
        part = rows[slice(*span)]
        part[:, :-1].view(">i2")[:] = digits
        part[:, -1] = exponents

    list(each(write, spans(layout.chunks)))
    return rows


def gradient_prefix(values: int) -> bytes:
    """Return a gradient file's bytes before the body, for a number of padded values."""
    header = canonical_json({"values": values})
    return MAGIC + len(header).to_bytes(4, "big") + header


def gradient_size(values: int) -> int:
    """Return the length of a gradient file in bytes."""
    return len(gradient_prefix(values)) + values // CHUNK * LEAF


def decode_gradient(data: ReadableBuffer, values: int, each: Each = map) -> Gradient:
    """Read a gradient of this many padded values without copying its body.

    Raises DecodeError for another header, any length but the exact one, -32768, or an exponent above 47.
    """
    view = memoryview(data).cast("B")
    prefix = gradient_prefix(values)
    if view[: len(prefix)] != prefix:
        raise DecodeError(f"gradient header: expected {prefix!r}, got {bytes(view[: len(prefix)])!r}")
    if len(view) != gradient_size(values):
        raise DecodeError(f"gradient body: expected {gradient_size(values)} bytes in all, got {len(view)}")
    body = np.frombuffer(view, np.uint8, offset=len(prefix)).reshape(-1, LEAF)

    def check(span: tuple[int, int]) -> None:
        part = body[slice(*span)]
        digits = part[:, :-1].view(">i2").astype(np.int16)
        if digits.min() == -32768:
            chunk = span[0] + int((digits == -32768).argmax()) // CHUNK
            raise DecodeError(f"gradient chunk {chunk}: expected values from -32767 to 32767, got -32768")
        if part[:, -1].max() > MAX_EXPONENT:
            chunk = span[0] + int((part[:, -1] > MAX_EXPONENT).argmax())
            raise DecodeError(
                f"gradient chunk {chunk}: expected an exponent up to {MAX_EXPONENT}, got {body[chunk, -1]}"
            )

    list(each(check, spans(len(body))))
    return Gradient(body)


def dot(gradient: Gradient, update: Update, each: Each = map) -> int:
    """Return <gradient, update>, exact, in units of 2^-80."""
    _same_size(gradient.chunks, update.layout.chunks)

    def part(span: tuple[int, int]) -> int:
        return update.coding.dot(update.body[slice(*span)], gradient.digits(*span), gradient.exponents(*span))

    return sum(each(part, spans(gradient.chunks)))


def square(vector: Gradient | Update, each: Each = map) -> int:
    """Return the exact sum of squares of a gradient (in units of 2^-96) or an update (2^-64)."""
    if isinstance(vector, Gradient):
        return _inner(vector, vector, each)
    coding, body = vector.coding, vector.body
    return sum(each(lambda span: coding.square(body[slice(*span)]), spans(len(body))))


def norm(vector: Gradient | Update, each: Each = map) -> int:
    """Return the integer square root of `square`, in units of 2^-48 for a gradient and 2^-32 for an update."""
    return math.isqrt(square(vector, each))


def relative_distance(found: Gradient, reference: Gradient, each: Each = map) -> float:
    """Return |found - reference| / |reference|; infinite when only the reference is zero."""
    reference_square = square(reference, each)
    distance = square(found, each) - 2 * _inner(found, reference, each) + reference_square
    if reference_square == 0:
        return math.inf if distance else 0.0
    return math.sqrt(distance / reference_square)


def _inner(one: Gradient, other: Gradient, each: Each) -> int:
    _same_size(one.chunks, other.chunks)

    def part(span: tuple[int, int]) -> int:
        # at most 256 * 32,767^2 < 2^38
        dots = np.vecdot(one.digits(*span), other.digits(*span))
        return shifted_sum(dots, one.exponents(*span) + other.exponents(*span))

    return sum(each(part, spans(one.chunks)))


def _same_size(chunks: int, other: int) -> None:
    if chunks != other:
        raise RuleError(f"gradient: expected {other} chunks like the other vector, got {chunks}")
