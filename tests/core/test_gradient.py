"""Gradients: quantised as the protocol says, decoded strictly, and multiplied without an error."""

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import GRADIENT_LEAF
from dao.core.engine.chunking import Each
from dao.core.engine.products import (
    compute_distance,
    compute_dots,
    compute_gradient_square,
    compute_update_square,
)
from dao.core.formats.gradient import (
    Gradient,
    compute_gradient_size,
    decode_gradient,
    encode_gradient_prefix,
    quantise_gradient,
    write_gradient_rows,
)
from dao.core.formats.layout import Layout, Model
from dao.core.formats.update import Update
from dao.core.types import Codec
from dao.errors import DecodeError, RuleError
from tests.core.sample import (
    DENSE,
    EXTREMES,
    backwards,
    model_of,
    padded,
    plain_dot,
    plain_gradient,
    plain_norm,
    q_of,
    random_gradient,
    random_model,
    random_update,
    seeds,
    shapes,
    short_spans,
    values_of,
)

codecs = st.sampled_from(list(Codec))
LAYOUT = Layout.of({"a": (70,), "b": (200, 2), "c": ()})
CHUNKS = LAYOUT.chunks


def file_of(gradient: Gradient) -> bytes:
    return encode_gradient_prefix(gradient.chunks * 256) + gradient.body.tobytes()


@given(shapes, seeds, st.sampled_from([2.0**-60, 2.0**-20, 1.0, 100.0]))
def test_quantise__any_values__those_of_the_protocol(
    sizes: dict[str, tuple[int, ...]], seed: int, scale: float
) -> None:
    model = random_model(Layout.of(sizes), seed, scale)
    gradient = Gradient(quantise_gradient(model))
    assert gradient.body.shape == (model.layout.chunks, GRADIENT_LEAF)
    assert values_of(gradient) == plain_gradient([Fraction(value) * 2**48 for value in padded(model)])
    decoded = decode_gradient(file_of(gradient), model.layout.values)
    assert np.array_equal(decoded.body, gradient.body)


def test_quantise__denormals__as_any_value() -> None:
    model = model_of({"a": [1e-45, 1e-40, 2.0**-49, 3 * 2.0**-49, -(2.0**-126)]})
    assert values_of(Gradient(quantise_gradient(model)))[:5] == [0, 0, 0, 2, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 16384.0, -(2.0**100)])
def test_quantise__value_that_does_not_fit__its_tensor_is_named(bad: float) -> None:
    model = Model(LAYOUT, np.zeros(LAYOUT.size, np.float32))
    model.tensors["b"][150, 1] = bad
    with pytest.raises(
        RuleError, match=r"tensor 'b': expected a gradient that is finite and below 16,383, got"
    ):
        quantise_gradient(model)


def test_quantise__the_largest__fits() -> None:
    largest = np.nextafter(np.float32(16383.75), np.float32(0))
    gradient = Gradient(quantise_gradient(model_of({"a": [largest, -largest]})))
    assert values_of(gradient)[:2] == [32767 << 47, -32767 << 47]


def test_quantise__out_of_another_shape__refused() -> None:
    with pytest.raises(RuleError, match="gradient rows"):
        write_gradient_rows(random_model(LAYOUT, 1), np.empty((CHUNKS + 1, GRADIENT_LEAF), np.uint8))


@given(seeds, st.integers(0, LAYOUT.values - 1))
def test_decode_gradient__minus_32768__refused(seed: int, value: int) -> None:
    gradient = random_gradient(LAYOUT, seed)
    gradient.digits[value // 256, value % 256] = -32768
    with pytest.raises(DecodeError, match=f"gradient chunk {value // 256}: .* got -32768"):
        decode_gradient(file_of(gradient), LAYOUT.values)


@given(seeds, st.integers(0, CHUNKS - 1), st.integers(48, 255))
def test_decode_gradient__exponent_above_47__refused(seed: int, chunk: int, exponent: int) -> None:
    gradient = random_gradient(LAYOUT, seed)
    gradient.exponents[chunk] = exponent
    with pytest.raises(DecodeError, match=f"gradient chunk {chunk}: .* up to 47, got {exponent}"):
        decode_gradient(file_of(gradient), LAYOUT.values)


@given(st.integers(0, len(encode_gradient_prefix(LAYOUT.values)) - 1), st.integers(0, 7))
def test_decode_gradient__bit_of_the_prefix_flipped__refused(byte: int, bit: int) -> None:
    data = bytearray(file_of(random_gradient(LAYOUT, 1)))
    data[byte] ^= 1 << bit
    with pytest.raises(DecodeError, match="gradient header: expected"):
        decode_gradient(data, LAYOUT.values)


@pytest.mark.parametrize("cut", [slice(0), slice(-1), slice(30)])
def test_decode_gradient__too_short__refused(cut: slice) -> None:
    with pytest.raises(DecodeError, match="gradient"):
        decode_gradient(file_of(random_gradient(LAYOUT, 1))[cut], LAYOUT.values)


def test_decode_gradient__too_long__refused() -> None:
    data = file_of(random_gradient(LAYOUT, 1))
    assert len(data) == compute_gradient_size(LAYOUT.values)
    with pytest.raises(DecodeError, match=f"expected {len(data)} bytes in all, got {len(data) + 1}"):
        decode_gradient(data + b"\0", LAYOUT.values)


@given(shapes, seeds, codecs)
def test_dot__any__exact(sizes: dict[str, tuple[int, ...]], seed: int, codec: Codec) -> None:
    layout = Layout.of(sizes)
    gradient, update = random_gradient(layout, seed), random_update(layout, seed + 1, codec)
    assert compute_dots(gradient, [update])[0].total == plain_dot(values_of(gradient), q_of(update))
    assert isqrt(compute_update_square(update).total) == plain_norm(q_of(update))
    assert compute_update_square(update).total == plain_dot(q_of(update), q_of(update))
    assert isqrt(compute_gradient_square(gradient).total) == plain_norm(values_of(gradient))


@given(seeds, st.sampled_from(DENSE), st.integers(1, 2))
def test_dots__other_spans_order_and_threads__same(seed: int, codec: Codec, chunks: int) -> None:
    gradient = random_gradient(LAYOUT, seed)
    updates = [random_update(LAYOUT, seed + i, codec) for i in range(3)]

    def products(each: Each) -> list[bytes]:
        dots = compute_dots(gradient, updates, each)
        squares = compute_update_square(updates[0], each), compute_gradient_square(gradient, each)
        return [totals.words.tobytes() for totals in (*dots, *squares)]

    expected = products(map)
    with short_spans(chunks), ThreadPoolExecutor(3) as pool:
        for each in (backwards, pool.map):
            assert products(each) == expected


@pytest.mark.parametrize("codec", DENSE)
@pytest.mark.parametrize("sign", [1, -1])
def test_dot__the_largest_values__no_overflow(codec: Codec, sign: int) -> None:
    chunks = 512
    layout = Layout.of({"a": (256 * chunks,)})
    gradient = Gradient(np.empty((chunks, GRADIENT_LEAF), np.uint8))
    gradient.digits[:] = 32767 * sign
    gradient.exponents[:] = 47
    q = EXTREMES[codec].q
    update = Update(layout, codec, np.tile(np.frombuffer(EXTREMES[codec].chunk, np.uint8), (chunks, 1)))
    assert compute_dots(gradient, [update])[0].total == sign * 32767 * 2**47 * q * layout.values
    assert compute_update_square(update).total == q * q * layout.values
    assert compute_gradient_square(gradient).total == (32767 << 47) ** 2 * layout.values


@given(seeds, st.sampled_from([0.0, 1e-6, 1e-3, 1.0]))
def test_relative_distance__two_gradients__that_of_their_values(seed: int, amount: float) -> None:
    reference = random_gradient(LAYOUT, seed)
    moved = Model(LAYOUT, random_model(LAYOUT, seed).flat + np.float32(amount))
    found = Gradient(quantise_gradient(moved))
    a, b = values_of(found), values_of(reference)
    difference = [x - y for x, y in zip(a, b, strict=True)]
    expected = math.sqrt(Fraction(plain_dot(difference, difference), plain_dot(b, b)))
    assert compute_distance(found, reference) == pytest.approx(expected, rel=1e-12)
    assert compute_distance(reference, reference) == 0


def test_relative_distance__zero_gradients__zero_or_infinite() -> None:
    zero = Gradient(np.zeros((CHUNKS, GRADIENT_LEAF), np.uint8))
    assert compute_distance(zero, zero) == 0
    assert compute_distance(random_gradient(LAYOUT, 1), zero) == math.inf
    assert compute_distance(zero, random_gradient(LAYOUT, 1)) == 1


def test_products__other_sizes__refused() -> None:
    small = Layout.of({"a": (3,)})
    with pytest.raises(RuleError, match="gradient: expected 1 chunks like the other vector, got 3"):
        compute_dots(random_gradient(LAYOUT, 1), [random_update(small, 1)])
    with pytest.raises(RuleError, match="gradient: expected"):
        compute_distance(random_gradient(small, 1), random_gradient(LAYOUT, 1))
