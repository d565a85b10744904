"""Model files: what the safetensors library writes and nothing else, padded and cut as the protocol says."""

import json
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from dao.core.constants import MAX_HEADER
from dao.core.formats.layout import (
    Layout,
    Model,
    compute_depth,
    compute_model_size,
    encode_model_header,
    parse_model,
    write_model,
)
from dao.errors import DecodeError
from tests.core.sample import Floats, floats, model_of, padded, random_model, seeds, shapes

SHAPES = {"a": (3,), "b": (2, 2)}
VALUES = np.arange(7, dtype="<f4").tobytes()
GOOD = b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[12,28]}}'


def file_of(header: bytes, values: bytes = VALUES) -> bytes:
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + values


def tensors_of(sizes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Floats]:
    return {
        name: floats(seed + i, int(np.prod(shape))).reshape(shape)
        for i, (name, shape) in enumerate(sizes.items())
    }


@given(shapes, seeds)
def test_parse_model__file_of_the_safetensors_library__same_tensors(
    sizes: dict[str, tuple[int, ...]], seed: int
) -> None:
    tensors = tensors_of(sizes, seed)
    model = parse_model(save(tensors))
    assert list(model.tensors) == sorted(sizes)
    for name, values in model.tensors.items():
        assert np.array_equal(values, tensors[name])
        assert values.shape == sizes[name]


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.just((2, 3)), min_size=1, max_size=5), seeds)
def test_write_model__any_names__bytes_of_the_safetensors_library(
    sizes: dict[str, tuple[int, ...]], seed: int
) -> None:
    tensors = tensors_of(sizes, seed)
    layout = Layout.of(sizes)
    out = bytearray(compute_model_size(layout))
    for name, values in write_model(layout, out).tensors.items():
        values[...] = tensors[name]
    assert bytes(out) == save(tensors)
    assert bytes(out).startswith(encode_model_header(layout))


def test_parse_model__good_file__no_copy() -> None:
    data = bytearray(file_of(GOOD))
    model = parse_model(data)
    data[-4:] = np.float32(9).tobytes()
    assert model.tensors["b"][1, 1] == 9


@given(shapes, seeds, st.data())
def test_span__any_chunks__the_padded_values(
    sizes: dict[str, tuple[int, ...]], seed: int, data: st.DataObject
) -> None:
    model = random_model(Layout.of(sizes), seed)
    start = data.draw(st.integers(0, model.layout.chunks - 1))
    stop = data.draw(st.integers(start + 1, model.layout.chunks))
    expected = np.array(padded(model), np.float32).reshape(-1, 256)
    assert len(expected) == model.layout.chunks
    assert np.array_equal(model.span(start, stop), expected[start:stop])


@given(shapes, seeds)
def test_put__all_spans__the_values_without_padding(sizes: dict[str, tuple[int, ...]], seed: int) -> None:
    model = random_model(Layout.of(sizes), seed)
    copy = Model(model.layout, np.zeros_like(model.flat))
    for start in range(model.layout.chunks):
        copy.put(start, model.span(start, start + 1).astype(np.float64))
    assert np.array_equal(copy.flat, model.flat)


@given(shapes)
def test_layout__any_shapes__padding_is_all_that_no_tensor_covers(sizes: dict[str, tuple[int, ...]]) -> None:
    layout = Layout.of(sizes)
    ones = Model(layout, np.ones(layout.size, np.float32))
    assert layout.padding().tolist() == [i for i, value in enumerate(padded(ones)) if value == 0]
    for i, (name, _) in enumerate(layout.tensors):
        assert layout.name_at(layout.offsets[i]) == name
        assert layout.name_at(layout.offsets[i + 1] - 1) == name
    assert layout.name_at(layout.values - 1) == layout.tensors[-1][0]


def test_span__no_padding_in_between__a_view() -> None:
    model = model_of({"a": np.zeros((4, 64)), "b": np.zeros((64, 4)), "c": np.zeros(3)})
    assert len(model.layout.runs) == 1
    assert np.shares_memory(model.span(0, 2), model.flat)
    assert not np.shares_memory(model.span(2, 3), model.flat)


@pytest.mark.parametrize(("chunks", "depth"), [(1, 0), (2, 1), (3, 2), (4, 2), (97_657, 17), (2**17 + 1, 18)])
def test_depth_for__chunks__least_with_room(chunks: int, depth: int) -> None:
    assert compute_depth(chunks) == depth


def header_of(**changes: Any) -> bytes:
    entries = json.loads(GOOD)
    entries["b"] |= changes
    return json.dumps(entries, separators=(",", ":")).encode()


REFUSED = {
    "names out of order": (
        b'{"b":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[12,28]}}',
        "tensor 'a': expected names sorted",
    ),
    "name twice": (GOOD[:-1] + b"," + GOOD[GOOD.index(b'"b"') :], "key 'b': expected once"),
    "other type": (header_of(dtype="F64"), "tensor 'b': expected dtype F32, got F64"),
    "type is no text": (header_of(dtype=["F32"]), "tensor 'b': expected dtype F32"),
    "type of half a character": (header_of(dtype="\ud800"), r"got \\ud800"),
    "gap": (
        header_of(data_offsets=[16, 32]),
        r"tensor 'b': expected data_offsets \[12, 28\], got \[16, 32\]",
    ),
    "overlap": (header_of(data_offsets=[8, 24]), "tensor 'b': expected data_offsets"),
    "end before start": (header_of(data_offsets=[28, 12]), "tensor 'b': expected data_offsets"),
    "offsets of floats": (header_of(data_offsets=[12.0, 28.0]), "as the safetensors library writes it"),
    "shape is no list": (header_of(shape=4), "tensor 'b': expected a list as shape"),
    "shape is text": (header_of(shape="22"), "tensor 'b': expected a list as shape"),
    "negative dimension": (header_of(shape=[-2, -2]), "tensor 'b': expected at most 32 positive dimensions"),
    "dimension of zero": (header_of(shape=[2, 0]), "tensor 'b'.*positive dimensions"),
    "fractional dimension": (header_of(shape=[2.0, 2]), "tensor 'b'.*positive dimensions"),
    "dimension is true": (header_of(shape=[True, 4]), "tensor 'b'.*positive dimensions"),
    "dimension is null": (header_of(shape=[None]), "tensor 'b'.*positive dimensions"),
    "too many dimensions": (header_of(shape=[1] * 33), "tensor 'b'.*at most 32"),
    "huge dimension": (header_of(shape=[2**63]), "tensor 'b'.*positive dimensions"),
    "shape overflows": (header_of(shape=[2**40, 2**40]), "at most 1099511627776 values"),
    "shape overflows to what fits": (header_of(shape=[2**32, 2**32, 4]), "at most 1099511627776 values"),
    "more values than bytes": (
        header_of(shape=[2**20], data_offsets=[12, 12 + 2**22]),
        "model: expected 4194[0-9]+ bytes",
    ),
    "another key": (header_of(more=1), "tensor 'b': expected dtype, shape and data_offsets"),
    "tensor is no object": (b'{"a":[]}', "tensor 'a': expected dtype, shape and data_offsets"),
    "metadata": (b'{"__metadata__":{"a":"b"}}', "no metadata|another name"),
    "metadata as tensor": (GOOD.replace(b'"a"', b'"__metadata__"'), "no metadata|another name"),
    "no tensor": (b"{}", "tensors: expected 1 to 100000, got 0"),
    "no object": (b"[]", "expected an object"),
    "no JSON": (b"{", "expected JSON"),
    "NaN": (header_of(shape=[float("nan")]), "positive dimensions"),
    "no UTF-8": (GOOD.replace(b'"b"', b'"\xff"'), "expected JSON in UTF-8"),
    "half a character": (GOOD.replace(b'"b"', b'"\\ud800"'), "text that UTF-8 can hold"),
    "white space": (GOOD.replace(b":[", b": ["), "as the safetensors library writes it"),
    "needless escape": (GOOD.replace(b'"b"', b'"\\u0062"'), "as the safetensors library writes it"),
    "too much padding": (GOOD + b" " * 9, "as the safetensors library writes it"),
    "padding of another kind": (
        GOOD + b"\n" * 8,
        "as the safetensors library writes it|expected JSON",
    ),
    "text after it": (GOOD + b"x", "expected JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parse_model__bad_header__refused_by_name(case: str) -> None:
    header, message = REFUSED[case]
    with pytest.raises(DecodeError, match=message):
        parse_model(file_of(header))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"\0" * 8,
        file_of(GOOD)[:-1],
        file_of(GOOD) + b"\0",
        file_of(GOOD)[:50],
        b"\xff" * 8 + GOOD,
    ],
)
def test_parse_model__wrong_length__refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="model"):
        parse_model(data)


@given(st.integers(0, len(file_of(GOOD)) - 29), st.integers(0, 7))
def test_parse_model__bit_of_the_header_flipped__refused_or_another_name(byte: int, bit: int) -> None:
    data = bytearray(file_of(GOOD))
    data[byte] ^= 1 << bit
    try:
        model = parse_model(data)
    except DecodeError:
        return
    assert set(model.tensors) != {"a", "b"}
    assert sorted(model.tensors) == list(model.tensors)


def tiny_tensors(count: int) -> bytes:
    entries = (
        f'"{i:07}":{{"dtype":"F32","shape":[],"data_offsets":[{4 * i},{4 * i + 4}]}}' for i in range(count)
    )
    return file_of(("{" + ",".join(entries) + "}").encode(), bytes(4 * count))


BOMBS: dict[str, Callable[[], bytes]] = {
    "header longer than the file": lambda: (2**60).to_bytes(8, "little") + GOOD,
    "a huge header": lambda: file_of(GOOD[:-1] + b" " * (1 << 26) + b"}"),
    "a million tiny tensors": lambda: tiny_tensors(1_000_000),
    "as many tiny tensors as a header holds, out of order": lambda: tiny_tensors(15_000).replace(
        b"0014999", b"0000000"
    ),
    "nested lists": lambda: file_of(b"[" * (MAX_HEADER - 8)),
    "nested objects": lambda: file_of((b'{"a":' * (MAX_HEADER // 5))[: MAX_HEADER - 8]),
    "a number of a million digits": lambda: file_of(header_of(shape=[7]).replace(b"7", b"7" * 1_000_000)),
    "a shape of half a million ones": lambda: file_of(header_of(shape=[1] * 500_000)),
    "one key a hundred thousand times": lambda: file_of(b"{" + b",".join([b'"a":0'] * 100_000) + b"}"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_parse_model__bomb__refused_within_a_second_and_64_mib(case: str) -> None:
    data = BOMBS[case]()
    start = time.thread_time()
    with pytest.raises(DecodeError) as refused:
        parse_model(data)
    assert time.thread_time() - start < 1
    assert len(str(refused.value)) < 500
    tracemalloc.start()
    with pytest.raises(DecodeError):
        parse_model(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_check_finite__one_bad_value__its_tensor_is_named(bad: float) -> None:
    model = model_of({"a": np.zeros(200_000), "b": np.zeros((3, 100_000)), "c": np.zeros(())})
    with ThreadPoolExecutor(2) as pool:
        model.check_finite(pool.map)
        model.tensors["b"][2, 99_999] = bad
        with pytest.raises(DecodeError, match=f"tensor 'b': expected finite values, got {bad}"):
            model.check_finite(pool.map)


def test_check_finite__denormals_and_the_largest__taken() -> None:
    model_of({"a": [1e-45, -1e-40, 0.0, -0.0, np.finfo(np.float32).max]}).check_finite()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ((), "expected 1 to"),
        ((("a", (1,)), ("a", (1,))), "'a': expected names sorted"),
        ((("b", (1,)), ("a", (1,))), "'a': expected names sorted"),
        ((("a", (0,)),), "'a'.*positive dimensions"),
        ((("__metadata__", (1,)),), "another name"),
        (tuple((f"{i:06}", (1,)) for i in range(100_001)), "expected 1 to 100000, got 100001"),
    ],
)
def test_layout__against_the_rules__refused(tensors: Any, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        Layout(tensors)


def test_model_header__too_long__refused() -> None:
    layout = Layout.of({f"{i:06}": (1,) for i in range(50_000)})
    with pytest.raises(DecodeError, match="model header: expected at most 1048576 bytes"):
        encode_model_header(layout)


def test_write_model__buffer_of_another_size__refused() -> None:
    layout = Layout.of(SHAPES)
    with pytest.raises(DecodeError, match="expected a buffer of"):
        write_model(layout, bytearray(compute_model_size(layout) + 1))


@pytest.mark.parametrize("values", [np.zeros(6, np.float32), np.zeros(7), np.zeros((7, 1), np.float32)])
def test_model__other_values__refused(values: Any) -> None:
    with pytest.raises(DecodeError, match="values: expected 7 of float32"):
        Model(Layout.of(SHAPES), values)
