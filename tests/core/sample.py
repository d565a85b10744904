"""Small models, and the arithmetic of docs/protocol.md word for word in Python's own integers, to compare with."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from dao.core.engine.chunking import Span
from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import Layout, Model, compute_model_size, write_model
from dao.core.formats.update import Update, encode_update_rows
from dao.core.types import Address, Codec

T = TypeVar("T")
Floats = NDArray[np.float32]

NAMES = ["a", "a.b", "weight", "z/0", "é", "日"]
shapes = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.integers(1, 9), max_size=3).map(tuple), min_size=1, max_size=4
)
seeds = st.integers(0, 2**32)
DENSE = [Codec.INT8, Codec.FLOAT32]  # codecs that store every value


@dataclass(frozen=True)
class Extreme:
    """The ends of a codec: a chunk of its largest values, and how coarse it is."""

    chunk: bytes
    q: int  # the value that all of the chunk have
    fits: float  # just below what is too large to encode
    block: int  # values whose largest decides how exact all of them are
    error: float  # of an encoded value at most, as a part of that largest


EXTREMES = {
    Codec.INT8: Extreme(
        bytes([127] * 256 + [31] * 4),
        127 << 31,
        float(np.nextafter(np.float32(63.75), np.float32(0))),
        64,
        1 / 63,
    ),
    Codec.FLOAT32: Extreme(
        np.full(256, 63.999996, ">f4").tobytes(), int(np.float32(63.999996) * 2**32), 63.999996, 1, 2.0**-23
    ),
}


def backwards(function: Callable[[Span], T], spans: Iterable[Span]) -> Iterator[T]:
    """An Each that goes from the last span to the first."""
    order = list(spans)
    results = {span: function(span) for span in reversed(order)}
    return iter([results[span] for span in order])


@contextmanager
def short_spans(chunks: int) -> Iterator[None]:
    """Cut small models into several spans; no span may cut a leaf."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dao.core.engine.chunking.SPAN", chunks)
        yield


def model_of(tensors: Mapping[str, Any]) -> Model:
    layout = Layout.of({name: np.shape(values) for name, values in tensors.items()})
    model = write_model(layout, bytearray(compute_model_size(layout)))
    for name, values in model.tensors.items():
        values[...] = tensors[name]
    return model


def floats(seed: int, count: int, scale: float = 1.0) -> Floats:
    """Values of very different sizes, some of them on the half steps that rounding is about."""
    rng = np.random.Generator(np.random.Philox(seed))
    values = rng.standard_normal(count) * np.exp2(rng.integers(-40, 6, count)) * scale
    halves = (rng.integers(-300, 300, count) + 0.5) * np.exp2(rng.integers(-32, -8, count)) * scale
    kind = rng.integers(0, 4, count)
    return np.where(kind == 0, halves, np.where(kind == 1, 0, values)).astype(np.float32)


def random_model(layout: Layout, seed: int, scale: float = 1.0) -> Model:
    return Model(layout, floats(seed, layout.size, scale))


def random_update(layout: Layout, seed: int, codec: Codec = Codec.INT8, scale: float = 0.1) -> Update:
    base = Model(layout, np.zeros(layout.size, np.float32))
    return Update(layout, codec, encode_update_rows(base, random_model(layout, seed, scale), codec))


def random_gradient(layout: Layout, seed: int, scale: float = 1.0) -> Gradient:
    return Gradient(quantise_gradient(random_model(layout, seed, scale)))


def node_at(index: int) -> Address:
    return Address(index.to_bytes(20, "big"))


def padded(model: Model) -> list[float]:
    """All values in order, with the padding."""
    values: list[float] = []
    for _, tensor in sorted(model.tensors.items()):
        values += [float(value) for value in tensor.flat]
        values += [0.0] * (-len(values) % 64)
    return values + [0.0] * (-len(values) % 256)


def plain_scale(group: Sequence[Fraction], limit: int, most: int) -> tuple[list[int], int]:
    """The integers and the least exponent of a group."""
    for exponent in range(most + 1):
        integers = [round(value / 2**exponent) for value in group]  # half to even
        if all(-limit <= integer <= limit for integer in integers):
            return integers, exponent
    raise OverflowError


def plain_q(base: Model, trained: Model, codec: Codec) -> list[int]:
    """The values q of an update."""
    # float64 differences, as the protocol has it, made exact from there on
    x = [Fraction(new - old) * 2**32 for old, new in zip(padded(base), padded(trained), strict=True)]
    return plain_step(x, codec)


def plain_step(x: Sequence[Fraction | int], codec: Codec) -> list[int]:
    """The values that a codec has in place of these, in units of the grid."""
    if codec is Codec.FLOAT32:
        return [int(Fraction(float(np.float32(round(value) / 2**32))) * 2**32) for value in x]
    if codec is Codec.TOPK:
        return plain_topk(x)
    q: list[int] = []
    for first in range(0, len(x), 64):
        integers, exponent = plain_scale([Fraction(value) for value in x[first : first + 64]], 127, 31)
        q += [integer << exponent for integer in integers]
    return q


def plain_topk(x: Sequence[Fraction | int]) -> list[int]:
    """The largest 58 of each 4,096, of equal ones the first, and nothing of the others."""
    q = [0] * len(x)
    for first in range(0, len(x), 4096):
        group = [*x[first : first + 4096], *[0] * (58 - min(58, len(x) - first))]
        kept = sorted(range(len(group)), key=lambda place: (-abs(group[place]), place))[:58]
        integers, exponent = plain_scale([Fraction(group[place]) for place in kept], 7, 35)
        for place, integer in zip(kept, integers, strict=True):
            if integer:
                q[first + place] = integer << exponent
    return q


def plain_gradient(values: Sequence[Fraction]) -> list[int]:
    """The values of a gradient in units of its grid, quantised."""
    quantised: list[int] = []
    for first in range(0, len(values), 256):
        integers, exponent = plain_scale(values[first : first + 256], 32767, 47)
        quantised += [integer << exponent for integer in integers]
    return quantised


def q_of(update: Update) -> list[int]:
    return [int(value) for value in update.q(0, update.layout.chunks).flat]


def values_of(gradient: Gradient) -> list[int]:
    exponents = np.repeat(gradient.exponents, 256)
    return [int(v) << int(e) for v, e in zip(gradient.digits.flat, exponents, strict=True)]


def plain_dot(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(one, other, strict=True))


def plain_norm(values: Sequence[int]) -> int:
    return isqrt(plain_dot(values, values))
