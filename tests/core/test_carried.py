"""Values that are only carried: behind the scored ones, in no product, and each the median of what was sent."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dao.core.aggregate import compute_aggregate
from dao.core.constants import CHUNK
from dao.core.engine.chunking import Scratch
from dao.core.engine.exact import compute_weighted_median, compute_weighted_medians
from dao.core.engine.products import compute_sums
from dao.core.formats.canonical import write_canonical
from dao.core.formats.gradient import quantise_gradient
from dao.core.formats.layout import (
    FLOAT,
    Layout,
    Model,
    compute_model_size,
    encode_model_header,
    parse_model,
    write_model,
)
from dao.core.formats.update import Update, decode_update, encode_update_prefix, encode_update_rows
from dao.core.types import Address, Codec
from dao.core.weigh import UpdateEntry, compute_weights
from dao.errors import DecodeError
from tests.core.sample import floats, seeds, short_spans

SHAPES = {"a": (300,), "b.mean": (5,), "b.var": (70,), "c": (4, 10)}
LAYOUT = Layout.of(SHAPES, ("b.mean", "b.var"))
ADDRESSES = [Address(bytes([n]) * 20) for n in range(1, 6)]


def model_of(seed: int, scale: float = 1.0, layout: Layout = LAYOUT) -> Model:
    return Model(layout, floats(seed, layout.size, scale).astype(FLOAT))


def _clipped(seed: int, scale: float) -> Model:
    return Model(LAYOUT, floats(seed, LAYOUT.size, scale).astype(FLOAT).clip(-50, 50))


def update_of(seed: int, scale: float = 0.01) -> Update:
    zero = Model(LAYOUT, np.zeros(LAYOUT.size, FLOAT))
    return Update(LAYOUT, Codec.INT8, encode_update_rows(zero, _clipped(seed, scale), Codec.INT8))


def test_layout__scored_tensors_first__carried_ones_from_the_next_chunk_on() -> None:
    # a and c: 320 + 64 values, two chunks; b.mean and b.var: 64 + 128, a third one
    assert (LAYOUT.scored_chunks, LAYOUT.chunks) == (2, 3)
    assert (LAYOUT.scored_values, LAYOUT.values) == (512, 768)
    names = {value: LAYOUT.name_at(value) for value in (0, 319, 320, 383, 512, 575, 576, 767)}
    assert names == {
        0: "a",
        319: "a",
        320: "c",
        383: "c",
        512: "b.mean",
        575: "b.mean",
        576: "b.var",
        767: "b.var",
    }
    model = Model(LAYOUT, np.arange(1, LAYOUT.size + 1, dtype=FLOAT))
    padded = model.span(0, 3).reshape(-1)
    expected = np.zeros(768, FLOAT)
    for start, name in ((0, "a"), (320, "c"), (512, "b.mean"), (576, "b.var")):
        values = model.tensors[name].reshape(-1)
        expected[start : start + values.size] = values
    np.testing.assert_array_equal(padded, expected)
    assert set(np.flatnonzero(padded == 0).tolist()) == set(LAYOUT.padding().tolist())
    back = Model(LAYOUT, np.zeros(LAYOUT.size, FLOAT))
    back.put(0, model.span(0, 2))
    back.put(2, model.span(2, 3))
    np.testing.assert_array_equal(back.flat, model.flat)


def test_layout__nothing_carried__as_many_scored_chunks_as_there_are() -> None:
    layout = Layout.of(SHAPES)
    assert layout.scored_chunks == layout.chunks == 3


@pytest.mark.parametrize(
    ("carried", "words"),
    [
        (("d",), "'d': expected the name of a tensor"),
        ((3,), "expected the name of a tensor"),
        (("b.var", "b.mean"), "'b.mean': expected names sorted and once each"),
        (("b.mean", "b.mean"), "expected names sorted and once each"),
        (("a", "b.mean", "b.var", "c"), "expected a tensor beside them that is scored"),
    ],
)
def test_layout__carried_what_is_none__named(carried: tuple[str, ...], words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        Layout(tuple(SHAPES.items()), carried)


def test_file__with_carried_tensors__as_the_library_writes_it(tmp_path: Path) -> None:
    model = write_model(LAYOUT, bytearray(compute_model_size(LAYOUT)))
    model.flat[:] = model_of(1).flat
    path = tmp_path / "model.safetensors"
    save_file(dict(model.tensors), path, metadata={"carried": '["b.mean","b.var"]'})
    assert path.read_bytes() == encode_model_header(LAYOUT) + model.flat.tobytes()
    assert parse_model(path.read_bytes()).layout == LAYOUT


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"carried": '["b.mean", "b.var"]'}, "as the safetensors library writes it"),
        ({"carried": '["b.var","b.mean"]'}, "sorted and once each"),
        ({"carried": '["x"]'}, "expected the name of a tensor"),
        ({"carried": "[]"}, "to be a list of names"),
        ({"carried": '{"a":1}'}, "to be a list of names"),
        ({"carried": "["}, "metadata"),
        ({"carried": '["b.mean"],"x":1'}, "as the safetensors library writes it"),
        ({"other": "x"}, "expected no metadata but 'carried'"),
    ],
)
def test_file__metadata_that_is_none__refused(tmp_path: Path, metadata: dict[str, str], words: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file(dict(model_of(1).tensors), path, metadata=metadata)
    with pytest.raises(DecodeError, match=words):
        parse_model(path.read_bytes())


def test_update__header_without_what_is_carried__refused() -> None:
    update = update_of(1)
    content = encode_update_prefix(LAYOUT, Codec.INT8) + update.body.tobytes()
    assert decode_update(content, LAYOUT, Codec.INT8).body.tobytes() == update.body.tobytes()
    with pytest.raises(DecodeError, match=r"'b.mean': expected it as in the base model, where it is carried"):
        decode_update(
            encode_update_prefix(Layout.of(SHAPES), Codec.INT8) + update.body.tobytes(), LAYOUT, Codec.INT8
        )
    header = write_canonical({"codec": "int8", "tensors": []})
    with pytest.raises(DecodeError, match="and the names of those carried"):
        decode_update(b"CWU1" + len(header).to_bytes(4, "big") + header, LAYOUT, Codec.INT8)


def test_gradient__of_carried_tensors__has_none() -> None:
    gradient = quantise_gradient(model_of(3))
    assert len(gradient) == LAYOUT.scored_chunks
    other = model_of(3)
    for name in LAYOUT.carried:
        other.tensors[name][...] = 9
    np.testing.assert_array_equal(quantise_gradient(other), gradient)


def weigh(updates: list[Update]) -> object:
    from dao.core.formats.gradient import Gradient

    entries = [UpdateEntry(node, 1, update) for node, update in zip(ADDRESSES, updates, strict=False)]
    return compute_weights(entries, Gradient(quantise_gradient(model_of(1))), {}, 2)


def test_weights__whatever_is_carried__the_same() -> None:
    updates = [update_of(seed) for seed in range(1, 4)]
    body = np.array(updates[0].body)
    body[LAYOUT.scored_chunks :] = 0
    body[LAYOUT.scored_chunks, :5] = 127
    body[LAYOUT.scored_chunks, 256] = 31
    assert weigh([Update(LAYOUT, Codec.INT8, body), *updates[1:]]) == weigh(updates)


@given(
    st.lists(st.tuples(st.integers(-(2**38), 2**38), st.integers(1, 2**20)), min_size=1, max_size=9),
    st.randoms(use_true_random=False),
)
def test_medians__any_columns__as_one_by_one(pairs: list[tuple[int, int]], chance: "object") -> None:
    other = [(-value // 3, weight) for value, weight in pairs]
    values = np.array([[a[0], b[0]] for a, b in zip(pairs, other, strict=True)], np.int64)
    weights = np.array([weight for _, weight in pairs])
    expected = [compute_weighted_median(pairs), compute_weighted_median(other)]
    assert compute_weighted_medians(values, weights).tolist() == expected


@given(seeds, st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_sums__carried_chunks__median_of_what_weighs_times_the_sum(seed: int, weights: list[int]) -> None:
    updates = [update_of(seed + n) for n in range(len(weights))]
    weight_sum = sum(weights) + 7
    total = np.array(compute_sums(updates, weights, weight_sum, (0, LAYOUT.chunks), Scratch()))
    values = np.array([update.q(0, LAYOUT.chunks).reshape(-1) for update in updates])
    scored = LAYOUT.scored_values
    plain = (values[:, :scored] * np.array(weights)[:, np.newaxis]).sum(axis=0)
    np.testing.assert_array_equal(total.reshape(-1)[:scored], plain)
    for place in range(scored, LAYOUT.values, 37):
        counted = [(int(q), w) for q, w in zip(values[:, place], weights, strict=True) if w]
        median = compute_weighted_median(counted) if counted else 0
        assert total.reshape(-1)[place] == median * weight_sum
    with short_spans(1):
        parts = [compute_sums(updates, weights, weight_sum, (n, n + 1), Scratch())[0] for n in range(3)]
    np.testing.assert_array_equal(total, np.array(parts))


def test_aggregate__a_minority_sends_huge_carried_values__the_model_stays_among_the_honest() -> None:
    """What a mean would take: a third of the weight moves a variance by 21, and below zero."""
    base = Model(LAYOUT, np.ones(LAYOUT.size, FLOAT))
    entries = []
    for seed, node in enumerate(ADDRESSES[:3]):
        trained = Model(
            LAYOUT, (base.flat + 0.01 * floats(seed, LAYOUT.size).astype(FLOAT).clip(-1, 1)).astype(FLOAT)
        )
        if seed == 0:
            for name in LAYOUT.carried:
                trained.tensors[name][...] -= 60
        rows = encode_update_rows(base, trained, Codec.INT8)
        entries.append(UpdateEntry(node, 1, Update(LAYOUT, Codec.INT8, rows)))
    new = Model(LAYOUT, np.empty(LAYOUT.size, FLOAT))
    step = np.empty_like(entries[0].update.body)
    compute_aggregate(entries, [100, 100, 100], 300, base, Codec.INT8, step, new.flat, 2)
    for name in LAYOUT.carried:
        assert (np.abs(new.tensors[name] - 1) < 0.011).all(), name
    assert step.shape == (LAYOUT.chunks, CHUNK + 4)
