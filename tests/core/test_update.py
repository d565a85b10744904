"""Updates: encoded as the protocol says, to the bit, and decoded only when nothing is out of place."""

import gc
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import MAX_HEADER, UPDATE_MAGIC
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_loops import DenseLoops
from dao.core.engine.products import compute_weighted_sum
from dao.core.engine.reference import VALUE_GRID
from dao.core.formats.canonical import write_canonical
from dao.core.formats.layout import Layout, Model
from dao.core.formats.update import (
    Update,
    compute_update_size,
    count_leaves,
    decode_update,
    encode_update_prefix,
    encode_update_rows,
    get_leaf_size,
    write_update_rows,
)
from dao.core.types import Codec
from dao.errors import DaoError, DecodeError, RuleError
from tests.core.sample import (
    DENSE,
    EXTREMES,
    backwards,
    model_of,
    padded,
    plain_q,
    q_of,
    random_model,
    random_update,
    seeds,
    shapes,
    short_spans,
)

codecs = st.sampled_from(list(Codec))
each_codec = pytest.mark.parametrize("codec", list(Codec))
LAYOUT = Layout.of({"a": (70,), "b": (200, 2), "c": ()})


def file_of(update: Update) -> bytes:
    return encode_update_prefix(update.layout, update.codec) + update.body.tobytes()


@given(shapes, seeds, seeds, codecs)
def test_encode_body__any_models__values_of_the_protocol(
    sizes: dict[str, tuple[int, ...]], one: int, other: int, codec: Codec
) -> None:
    layout = Layout.of(sizes)
    base, trained = random_model(layout, one, 0.2), random_model(layout, other, 0.2)
    body = encode_update_rows(base, trained, codec)
    assert body.shape == (count_leaves(codec, layout.chunks), get_leaf_size(codec))
    assert q_of(Update(layout, codec, body)) == plain_q(base, trained, codec)


@given(shapes, seeds, codecs)
def test_decode_update__encoded__same_rows_without_a_copy(
    sizes: dict[str, tuple[int, ...]], seed: int, codec: Codec
) -> None:
    update = random_update(Layout.of(sizes), seed, codec)
    data = bytearray(file_of(update))
    assert len(data) == compute_update_size(update.layout, codec)
    decoded = decode_update(data, update.layout, codec)
    assert np.array_equal(decoded.body, update.body)
    assert np.shares_memory(decoded.body, np.frombuffer(data, np.uint8))


@given(shapes, seeds, seeds)
def test_encode_body__int8__error_of_half_a_step_at_most(
    sizes: dict[str, tuple[int, ...]], one: int, other: int
) -> None:
    layout = Layout.of(sizes)
    base, trained = random_model(layout, one, 0.2), random_model(layout, other, 0.2)
    body = encode_update_rows(base, trained, Codec.INT8)
    step = np.ldexp(1.0, body[:, 256:].astype(int)).repeat(64, axis=1)
    delta = np.subtract(padded(trained), padded(base)).reshape(-1, 256) / VALUE_GRID
    error = np.abs(Update(layout, Codec.INT8, body).q(0, layout.chunks) - delta)
    assert (error <= step / 2).all()
    largest = np.abs(delta).reshape(-1, 64).max(axis=1).repeat(64).reshape(-1, 256)
    assert (
        error <= np.maximum(largest / 127, 0.5)
    ).all()  # half of 1/63.5: an exponent is never one too large


@given(seeds, st.sampled_from(DENSE), st.integers(1, 3))
def test_encode_body__other_spans_order_threads_and_buffer__same_bytes(
    seed: int, codec: Codec, chunks: int
) -> None:
    layout = Layout.of({"a": (700,), "b": (33, 20), "c": (5,)})
    base, trained = random_model(layout, seed, 0.2), random_model(layout, seed + 1, 0.2)
    expected = encode_update_rows(base, trained, codec)
    out = np.empty_like(expected)
    with short_spans(chunks), ThreadPoolExecutor(3) as pool:
        assert np.array_equal(encode_update_rows(base, trained, codec, each=pool.map), expected)
        write_update_rows(base, trained, codec, out, backwards)
        decode_update(file_of(Update(layout, codec, out)), layout, codec, pool.map)
    assert np.array_equal(out, expected)


@each_codec
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 64.0, -64.0, 2.0**40])
def test_encode_body__value_that_does_not_fit__its_tensor_is_named(codec: Codec, bad: float) -> None:
    base = Model(LAYOUT, np.zeros(LAYOUT.size, np.float32))
    trained = Model(LAYOUT, base.flat.copy())
    trained.tensors["b"][199, 1] = bad
    with pytest.raises(RuleError, match=f"tensor 'b': expected training to change .*, got {bad}"):
        encode_update_rows(base, trained, codec)


def test_encode_body__infinite_on_both_sides__refused() -> None:
    model = model_of({"a": [np.inf]})
    with pytest.raises(RuleError, match=r"tensor 'a'.*got nan"):
        encode_update_rows(model, model, Codec.INT8)


@pytest.mark.parametrize("codec", DENSE)
def test_encode_body__the_largest__fits(codec: Codec) -> None:
    largest = EXTREMES[codec].fits
    base = model_of({"a": np.zeros(3)})
    update = Update(
        base.layout, codec, encode_update_rows(base, model_of({"a": [largest, -largest, 0]}), codec)
    )
    assert q_of(update)[0] == -q_of(update)[1] > 63.4 * 2**32
    assert decode_update(file_of(update), base.layout, codec).q(0, 1)[0, 0] == q_of(update)[0]


def test_encode_body__denormals__nothing() -> None:
    base = model_of({"a": np.zeros(3)})
    assert not encode_update_rows(base, model_of({"a": [1e-45, -1e-40, 1e-38]}), Codec.INT8).any()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": (70,), "b": (200, 2)}, r"tensor 'c': expected shape \[\], it is missing"),
        ({"a": (70,), "b": (2, 200), "c": ()}, r"tensor 'b': expected shape \[200, 2\], got \[2, 200\]"),
        ({"a": (70,), "b": (200, 2), "c": (), "d": (1,)}, "tensor 'd': expected none of this name"),
    ],
)
def test_layout__another_one__refused_in_models_and_updates(
    tensors: dict[str, tuple[int, ...]], message: str
) -> None:
    other = Layout.of(tensors)
    with pytest.raises(RuleError, match=f"trained model: {message}"):
        encode_update_rows(random_model(LAYOUT, 1), random_model(other, 1), Codec.INT8)
    with pytest.raises(DecodeError, match=f"update header: {message}"):
        decode_update(file_of(random_update(other, 1)), LAYOUT, Codec.INT8)


def test_encode_body__out_of_another_shape__refused() -> None:
    model = random_model(LAYOUT, 1)
    with pytest.raises(RuleError, match=r"rows: expected \(3, 260\) bytes, got \(3, 259\)"):
        write_update_rows(model, model, Codec.INT8, np.empty((3, 259), np.uint8))


@given(seeds, st.data())
def test_decode_update__minus_128__refused(seed: int, data: st.DataObject) -> None:
    update = random_update(LAYOUT, seed)
    value = data.draw(st.integers(0, LAYOUT.values - 1))
    update.body[value // 256, value % 256] = 0x80
    with pytest.raises(DecodeError, match=f"tensor '{LAYOUT.name_at(value)}': expected values .*, got -128"):
        decode_update(file_of(update), LAYOUT, Codec.INT8)


@given(seeds, st.integers(0, LAYOUT.values // 64 - 1), st.integers(32, 255))
def test_decode_update__exponent_above_31__refused(seed: int, block: int, exponent: int) -> None:
    update = random_update(LAYOUT, seed)
    update.body[block // 4, 256 + block % 4] = exponent
    name = LAYOUT.name_at(block * 64)
    with pytest.raises(
        DecodeError, match=f"tensor '{name}': expected exponents from 0 to 31, got {exponent}"
    ):
        decode_update(file_of(update), LAYOUT, Codec.INT8)


@given(st.sampled_from(LAYOUT.padding().tolist()), st.sampled_from(DENSE), st.sampled_from([1, 127, -127]))
def test_decode_update__value_in_the_padding__refused(value: int, codec: Codec, written: int) -> None:
    update = random_update(LAYOUT, 1, codec)
    assert isinstance(update.loops, DenseLoops)
    digits = update.loops.digits(update.body)
    digits[value // 256, value % 256] = written if digits.dtype.kind == "i" else written / 2
    with pytest.raises(DecodeError, match=f"tensor '{LAYOUT.name_at(value)}': expected zeros in the padding"):
        decode_update(file_of(update), LAYOUT, codec)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 64.0, -64.0, 2.0**-33, 1.5 * 2.0**-32, 1e-45])
def test_decode_update__float_off_the_grid__refused(bad: float) -> None:
    update = random_update(LAYOUT, 1, Codec.FLOAT32)
    assert isinstance(update.loops, DenseLoops)
    update.loops.digits(update.body)[1, 3] = bad
    with pytest.raises(DecodeError, match="tensor 'b': expected a multiple of 2"):
        decode_update(file_of(update), LAYOUT, Codec.FLOAT32)


@each_codec
@pytest.mark.parametrize(
    "change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d + d, lambda d: d[:100]]
)
def test_decode_update__another_length__refused(codec: Codec, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DecodeError, match="update"):
        decode_update(change(file_of(random_update(LAYOUT, 1, codec))), LAYOUT, codec)


@given(st.integers(0, len(encode_update_prefix(LAYOUT, Codec.INT8)) - 1), st.integers(0, 7))
def test_decode_update__bit_of_the_prefix_flipped__refused(byte: int, bit: int) -> None:
    data = bytearray(file_of(random_update(LAYOUT, 1)))
    data[byte] ^= 1 << bit
    with pytest.raises(DaoError) as refused:
        decode_update(data, LAYOUT, Codec.INT8)
    assert "\n" not in str(refused.value)


def test_decode_update__another_codec__refused() -> None:
    with pytest.raises(DecodeError, match="codec: expected 'float32', got 'int8'"):
        decode_update(file_of(random_update(LAYOUT, 1)), LAYOUT, Codec.FLOAT32)


GOOD = write_canonical({"codec": "int8", "tensors": [[name, list(shape)] for name, shape in LAYOUT.tensors]})
HEADERS = {
    "white space": GOOD.replace(b":", b": "),
    "another field": GOOD.replace(b'{"codec', b'{"more":1,"codec'),
    "a field twice": GOOD.replace(b'{"codec', b'{"codec":"int8","codec'),
    "no tensors": b'{"codec":"int8"}',
    "tensors of a number": b'{"codec":"int8","tensors":7}',
    "tensors of numbers": b'{"codec":"int8","tensors":[1,2]}',
    "names of numbers": b'{"codec":"int8","tensors":[[1,[1]],[2,[2]]]}',
    "name of a number": b'{"codec":"int8","tensors":[[1,[64]]]}',
    "name of a list": b'{"codec":"int8","tensors":[[["a"],[64]]]}',
    "name of an object": b'{"codec":"int8","tensors":[[{"a":1},[64]]]}',
    "name of nothing": b'{"codec":"int8","tensors":[[null,[64]]]}',
    "name of a truth": b'{"codec":"int8","tensors":[[true,[64]]]}',
    "dimension of a truth": b'{"codec":"int8","tensors":[["a",[true]]]}',
    "shape of an object": b'{"codec":"int8","tensors":[["a",{"70":1}]]}',
    "shapes of text": b'{"codec":"int8","tensors":[["a","x"]]}',
    "shape of a number": b'{"codec":"int8","tensors":[["a",1]]}',
    "dimension of a list": b'{"codec":"int8","tensors":[["a",[[1]]]]}',
    "three parts": b'{"codec":"int8","tensors":[["a",[1],1]]}',
    "tensors of an object": b'{"codec":"int8","tensors":{"ab":1}}',
    "names out of order": b'{"codec":"int8","tensors":[["b",[1]],["a",[1]]]}',
    "overflow": b'{"codec":"int8","tensors":[["a",[1099511627776,1099511627776]]]}',
    "float": b'{"codec":"int8","tensors":[["a",[70.0]]]}',
    "no object": b"[1]",
    "no JSON": b"{",
    "no UTF-8": b"\xff",
    "codec of a list": b'{"codec":["int8"],"tensors":[]}',
}


@pytest.mark.parametrize("case", HEADERS)
def test_decode_update__bad_header__refused(case: str) -> None:
    header = HEADERS[case]
    data = UPDATE_MAGIC + len(header).to_bytes(4, "big") + header + bytes(3 * 260)
    with pytest.raises(DecodeError, match=r"update header|codec|tensor"):
        decode_update(data, LAYOUT, Codec.INT8)


BOMBS: dict[str, Callable[[], bytes]] = {
    "header longer than the file": lambda: UPDATE_MAGIC + b"\xff" * 4 + GOOD,
    "header longer than any": lambda: (
        UPDATE_MAGIC + (MAX_HEADER + 1).to_bytes(4, "big") + bytes(MAX_HEADER + 1)
    ),
    "a hundred thousand tensors": lambda: (
        b'{"codec":"int8","tensors":[' + b",".join([b'["a",[]]'] * 100_000) + b"]}"
    ),
    "nested lists": lambda: b'{"codec":"int8","tensors":' + b"[" * 1_000_000,
    "a number of a million digits": lambda: b'{"codec":' + b"7" * 1_000_000 + b"}",
    "one key a hundred thousand times": lambda: b"{" + b",".join([b'"a":0'] * 100_000) + b"}",
    "many keys, one twice": lambda: (
        b"{" + b",".join(b'"%x":0' % min(i, 99_998) for i in range(100_000)) + b"}"
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_decode_update__bomb__refused_within_a_second(case: str) -> None:
    header = BOMBS[case]()
    data = (
        header if header.startswith(UPDATE_MAGIC) else UPDATE_MAGIC + len(header).to_bytes(4, "big") + header
    )
    gc.freeze()  # as daemons do: else the garbage collector's walks through the tests' own objects are measured
    try:
        start = time.thread_time()
        with pytest.raises(DecodeError) as refused:
            decode_update(data, LAYOUT, Codec.INT8)
        assert time.thread_time() - start < 1
    finally:
        gc.unfreeze()
    assert len(str(refused.value)) < 500


@given(seeds, codecs, st.lists(st.integers(0, 2**18), min_size=3, max_size=3))
def test_weighted_sum__any_weights__exact(seed: int, codec: Codec, weights: list[int]) -> None:
    updates = [random_update(LAYOUT, seed + i, codec) for i in range(3)]
    total = compute_weighted_sum(updates, weights, (0, LAYOUT.chunks), Scratch())
    columns = zip(*map(q_of, updates), strict=True)
    assert [int(value) for value in total.flat] == [
        sum(w * q for w, q in zip(weights, column, strict=True)) for column in columns
    ]


def test_weighted_sum__the_largest_values_and_weights__no_overflow() -> None:
    body = np.full((1, 260), 129, np.uint8)  # -127
    body[:, 256:] = 31
    layout = Layout.of({"a": (256,)})
    update = decode_update(file_of(Update(layout, Codec.INT8, body)), layout, Codec.INT8)
    total = compute_weighted_sum([update, update], [2**20 - 1, 1], (0, 1), Scratch())
    assert set(total.flat) == {-127 * 2**51}
