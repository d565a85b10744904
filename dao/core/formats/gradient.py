"""A reference gradient as 16-bit integers on the grid 2^-48, and the exact products that scores and gates are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dao.core.engine.chunking import CHUNK, Each, Scratch, Sink, Span, sweep
from dao.core.engine.reference import MAX_EXPONENT, SCALE, Digits, Exponents, loops_for
from dao.core.errors import DecodeError, RuleError
from dao.core.exact import Unfit
from dao.core.formats.canonical import canonical_json
from dao.core.formats.layout import Model
from dao.core.formats.update import Update

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAGIC = b"CWG1"
TOLERANCE = 1e-3  # relative distance at most of two machines' gradients and losses; docs/protocol.md
LEAF = 2 * CHUNK + 1  # bytes: big-endian int16 values, then their exponent


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

    def factors(self, span: Span, scratch: Scratch, name: str = "factors") -> tuple[Digits, Exponents]:
        """Return a span's integers, as the loops multiply them, and exponents, both in scratch under this name."""
        loops = loops_for(self.chunks)
        digits = scratch.array(name, span[1] - span[0], loops.digit)
        exponents = scratch.array(f"{name} exponents", len(digits), np.uint8, 1).reshape(-1)
        loops.read_digits(self.body[slice(*span)], digits, exponents)
        return digits, exponents


def quantise(gradient: Model, each: Each = map) -> NDArray[np.uint8]:
    """Return the rows, (chunks, LEAF), of a gradient that has the layout of its model; errors as in `write_rows`."""
    rows = np.empty((gradient.layout.chunks, LEAF), np.uint8)
    write_rows(gradient, rows, each)
    return rows


def write_rows(gradient: Model, out: Sink, each: Each = map) -> None:
    """Write the rows, (chunks, LEAF), of a gradient that has the layout of its model into `out`.

    Raises RuleError, naming the tensor, for a value that is not finite, or 16,383 and more.
    """
    layout = gradient.layout
    if out.shape != (layout.chunks, LEAF):
        raise RuleError(f"gradient rows: expected {(layout.chunks, LEAF)} bytes, got {out.shape}")

    loops = loops_for(layout.chunks)

    def write(span: Span, scratch: Scratch) -> None:
        rows = scratch.array("rows", span[1] - span[0], np.uint8, LEAF)
        try:
            loops.quantise_floats(gradient.span(*span), rows, scratch)
        except Unfit as unfit:
            name = layout.name_at(span[0] * CHUNK + unfit.index)
            raise RuleError(
                f"tensor {name[:80]!r}: expected a gradient that is finite and below 16,383, got {unfit.value / SCALE}"
            ) from None
        out[slice(*span)] = rows

    list(sweep(write, layout.chunks, each))


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
    gradient = Gradient(np.frombuffer(view, np.uint8, offset=len(prefix)).reshape(-1, LEAF))

    def check(span: Span, scratch: Scratch) -> None:
        digits, exponents = gradient.factors(span, scratch)
        if digits.min() == -32768:
            chunk = span[0] + int((digits == -32768).argmax()) // CHUNK
            raise DecodeError(f"gradient chunk {chunk}: expected values from -32767 to 32767, got -32768")
        if exponents.max() > MAX_EXPONENT:
            chunk = span[0] + int((exponents > MAX_EXPONENT).argmax())
            got = gradient.exponents[chunk]
            raise DecodeError(f"gradient chunk {chunk}: expected an exponent up to {MAX_EXPONENT}, got {got}")

    list(sweep(check, gradient.chunks, each))
    return gradient


def dot(gradient: Gradient, update: Update, each: Each = map) -> int:
    """Return <gradient, update>, exact, in units of 2^-80."""
    return dots(gradient, [update], each)[0]


def dots(gradient: Gradient, updates: Sequence[Update], each: Each = map) -> list[int]:
    """Return <gradient, update> for each update, in one pass over the gradient."""
    for update in updates:
        _same_size(gradient.chunks, update.layout.chunks)

    def part(span: Span, scratch: Scratch) -> list[int]:
        return span_dots(*gradient.factors(span, scratch), updates, span, scratch)

    return sums(sweep(part, gradient.chunks, each), len(updates))


def span_dots(
    digits: Digits,
    exponents: Exponents,
    updates: Sequence[Update],
    span: Span,
    scratch: Scratch,
) -> list[int]:
    """Return each update's product with `digits << exponents` over a span."""
    return [update.coding.dot(update.body[slice(*span)], digits, exponents, scratch) for update in updates]


def sums(parts: Iterable[list[int]], count: int) -> list[int]:
    """Add up lists of `count` integers."""
    totals = [0] * count
    for part in parts:
        totals = [total + one for total, one in zip(totals, part, strict=True)]
    return totals


def square(vector: Gradient | Update, each: Each = map) -> int:
    """Return the exact sum of squares of a gradient (in units of 2^-96) or an update (2^-64)."""
    if isinstance(vector, Gradient):
        return _gram([vector], each)[0]
    coding, body = vector.coding, vector.body

    def part(span: Span, scratch: Scratch) -> int:
        return coding.square(body[slice(*span)], scratch)

    return sum(sweep(part, len(body), each))


def norm(vector: Gradient | Update, each: Each = map) -> int:
    """Return the integer square root of `square`, in units of 2^-48 for a gradient and 2^-32 for an update."""
    return math.isqrt(square(vector, each))


def relative_distance(found: Gradient, reference: Gradient, each: Each = map) -> float:
    """Return |found - reference| / |reference|; infinite when only the reference is zero."""
    found_square, both, reference_square = _gram([found, reference], each)
    distance = found_square - 2 * both + reference_square
    if reference_square == 0:
        return math.inf if distance else 0.0
    return math.sqrt(distance / reference_square)


def _gram(gradients: Sequence[Gradient], each: Each) -> list[int]:
    """Return the products of all pairs of gradients, each with itself first and then with those after it."""
    for gradient in gradients:
        _same_size(gradient.chunks, gradients[0].chunks)
    pairs = list(combinations_with_replacement(range(len(gradients)), 2))
    loops = loops_for(gradients[0].chunks)

    def part(span: Span, scratch: Scratch) -> list[int]:
        factors = [gradient.factors(span, scratch, f"factors {i}") for i, gradient in enumerate(gradients)]
        return [
            loops.dot_digits(left, right, exponents + others)
            for (left, exponents), (right, others) in ((factors[i], factors[j]) for i, j in pairs)
        ]

    return sums(sweep(part, gradients[0].chunks, each), len(pairs))


def _same_size(chunks: int, other: int) -> None:
    if chunks != other:
        raise RuleError(f"gradient: expected {other} chunks like the other vector, got {chunks}")
