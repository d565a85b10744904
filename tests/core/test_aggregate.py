"""The new model: exact, the same bytes in any order, linear in the weights."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dao.core.aggregate import AggregateRoots, compute_aggregate
from dao.core.engine.backend import get_codec_loops, get_step_codec
from dao.core.engine.chunking import Each, Scratch
from dao.core.engine.codec_base import Rows
from dao.core.engine.merkle import Tree
from dao.core.formats.layout import (
    Layout,
    Model,
    compute_model_root,
    compute_model_size,
    parse_model,
    write_model,
)
from dao.core.formats.update import (
    Update,
    apply_step,
    decode_update,
    encode_update_prefix,
    get_leaf_size,
)
from dao.core.types import Codec
from dao.core.weigh import UpdateEntry
from dao.errors import RuleError
from tests.core.sample import (
    DENSE,
    backwards,
    floats,
    node_at,
    padded,
    plain_step,
    q_of,
    random_model,
    random_update,
    seeds,
    shapes,
    short_spans,
)

LAYOUT = Layout.of({"a": (70,), "b": (200, 2), "c": ()})
DEPTH = 4
codecs, dense = st.sampled_from(list(Codec)), st.sampled_from(DENSE)
ROWS = np.empty((LAYOUT.chunks, 260), np.uint8)
three_weights = st.lists(st.integers(0, 2**20 // 3), min_size=3, max_size=3)


def entries_of(layout: Layout, seed: int, codec: Codec = Codec.INT8, count: int = 3) -> list[UpdateEntry]:
    return [UpdateEntry(node_at(i), 1, random_update(layout, seed + i, codec)) for i in range(count)]


def run(
    entries: list[UpdateEntry], weights: list[int], weight_sum: int, base: Model, each: Each = map
) -> tuple[AggregateRoots, bytes, Rows]:
    """The roots, the new model's file, and the step's rows."""
    codec = entries[0].update.codec if entries else Codec.INT8
    rows = np.empty((base.layout.chunks, get_leaf_size(get_step_codec(codec))), np.uint8)
    out = bytearray(compute_model_size(base.layout))
    values = write_model(base.layout, out).flat
    roots = compute_aggregate(entries, weights, weight_sum, base, codec, rows, values, DEPTH, each)
    return roots, bytes(out), rows


def whole(found: tuple[AggregateRoots, bytes, Rows]) -> tuple[AggregateRoots, bytes, bytes]:
    roots, data, rows = found
    return roots, data, rows.tobytes()


def decode_step(base: Model, codec: Codec, rows: Rows) -> Update:
    codec = get_step_codec(codec)
    return decode_update(encode_update_prefix(base.layout, codec) + rows.tobytes(), base.layout, codec)


@given(shapes, seeds, codecs, three_weights, st.integers(0, 2**18))
def test_aggregate__any_weights__model_and_root_of_the_protocol(
    sizes: dict[str, tuple[int, ...]], seed: int, codec: Codec, weights: list[int], more: int
) -> None:
    layout = Layout.of(sizes)
    base, entries = random_model(layout, seed), entries_of(layout, seed, codec)
    weight_sum = min(sum(weights) + more, 2**20)
    roots, data, rows = run(entries, weights, weight_sum, base)
    columns = zip(*(q_of(entry.update) for entry in entries), strict=True)
    sums = [sum(w * q for w, q in zip(weights, column, strict=True)) for column in columns]
    steps = plain_step(
        [round(Fraction(a, weight_sum)) if weight_sum else 0 for a in sums], get_step_codec(codec)
    )
    assert q_of(decode_step(base, codec, rows)) == steps
    assert roots.step == Tree([bytes(row) for row in rows], DEPTH).root
    expected = [np.float32(old + step * 2.0**-32) for old, step in zip(padded(base), steps, strict=True)]
    assert padded(parse_model(data)) == [float(value) for value in expected]
    leaves = [
        b"".join(a.to_bytes(8, "big", signed=True) for a in sums[first : first + 256])
        for first in range(0, len(sums), 256)
    ]
    assert roots.sums == Tree(leaves, DEPTH).root
    values = np.array(padded(parse_model(data)), "<f4")
    leaves = [values[first : first + 256].tobytes() for first in range(0, len(values), 256)]
    assert roots.model == compute_model_root(parse_model(data), DEPTH) == Tree(leaves, DEPTH).root


@given(seeds, dense, three_weights, st.integers(1, 2), st.permutations(range(3)))
def test_aggregate__other_order_spans_and_threads__same_bytes(
    seed: int, codec: Codec, weights: list[int], chunks: int, order: list[int]
) -> None:
    base, entries = random_model(LAYOUT, seed), entries_of(LAYOUT, seed, codec)
    expected = whole(run(entries, weights, 2**20, base))
    entries, weights = [entries[i] for i in order], [weights[i] for i in order]
    with short_spans(chunks), ThreadPoolExecutor(3) as pool:
        for each in (backwards, pool.map):
            assert whole(run(entries, weights, 2**20, base, each)) == expected


@given(seeds, st.integers(1, 2**18), st.lists(st.integers(0, 2**18), min_size=2, max_size=4))
def test_aggregate__node_split_into_copies__same_bytes(seed: int, other: int, parts: list[int]) -> None:
    base, entries = random_model(LAYOUT, seed), entries_of(LAYOUT, seed, count=2)
    parts = [part % (2**19 // len(parts)) for part in parts]
    copies = [UpdateEntry(node_at(10 + i), 1, entries[1].update) for i in range(len(parts))]
    one = whole(run(entries, [other, sum(parts)], 2**20, base))
    assert whole(run([entries[0], *copies], [other, *parts], 2**20, base)) == one


@given(seeds, st.integers(1, 2**10), st.integers(1, 2**10), st.integers(2, 2**9))
def test_aggregate__all_weights_times_a_factor__same_model(
    seed: int, one: int, other: int, factor: int
) -> None:
    base, entries = random_model(LAYOUT, seed), entries_of(LAYOUT, seed, count=2)
    model = run(entries, [one, other], one + other, base)[1]
    assert run(entries, [one * factor, other * factor], (one + other) * factor, base)[1] == model


@given(seeds)
def test_aggregate__one_update_alone__the_base_and_its_values(seed: int) -> None:
    base, entries = random_model(LAYOUT, seed), entries_of(LAYOUT, seed, count=1)
    model = parse_model(run(entries, [2**20], 2**20, base)[1])
    expected = (np.array(padded(base)) + np.array(q_of(entries[0].update)) * 2.0**-32).astype(np.float32)
    assert padded(model) == expected.tolist()


@pytest.mark.parametrize("entries", [[], entries_of(LAYOUT, 1)])
def test_aggregate__nobody_passed__the_step_is_0_and_the_model_stays(entries: list[UpdateEntry]) -> None:
    base = random_model(LAYOUT, 1)
    base.flat[:3] = [1e-45, -0.0, 3e38]
    roots, data, rows = run(entries, [0] * len(entries), 0, base)
    assert not rows.any()
    assert parse_model(data).flat.tobytes() == (base.flat + np.float32(0)).tobytes()
    assert roots.sums == Tree([bytes(2048)] * LAYOUT.chunks, DEPTH).root


@pytest.mark.parametrize("large", [False, True])
def test_aggregate__negative_zero__positive_whatever_lies_beside_it(large: bool) -> None:
    layout = Layout.of({"a": (256,)})
    base = Model(layout, np.full(256, -0.0, np.float32))
    body = np.zeros((1, 260), np.int8).view(np.uint8)
    body[0, :2] = [0xFF, 127]  # -1, whose mean rounds to -0.0
    body[0, 256:] = 31 if large else 0  # a large sum is divided in another way than a small one
    body[0, 0] = 0xFF
    entries = [UpdateEntry(node_at(1), 1, Update(layout, Codec.INT8, body))]
    found = parse_model(run(entries, [1], 2**20, base)[1]).flat
    assert not np.signbit(found[2:]).any()
    assert np.signbit(found[0]) == (found[0] != 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_aggregate__the_largest_values_and_weights__exact(sign: int) -> None:
    layout = Layout.of({"a": (256,)})
    body = np.full((1, 260), 127 * sign, np.int8).view(np.uint8)
    body[:, 256:] = 31
    entries = [UpdateEntry(node_at(i), 1, Update(layout, Codec.INT8, body)) for i in range(2)]
    roots, data, rows = run(entries, [2**20 - 1, 1], 2**20, Model(layout, np.zeros(256, np.float32)))
    assert rows.tobytes() == body.tobytes()
    assert set(parse_model(data).flat) == {np.float32(sign * 63.5)}
    assert roots.sums == Tree([(sign * 127 * 2**51).to_bytes(8, "big", signed=True) * 256], DEPTH).root


@pytest.mark.parametrize(
    ("weights", "weight_sum"), [([1, -1], 1), ([2**20, 1], 2**20 + 1), ([5, 5], 9), ([1, 1], 0), ([0, 0], -1)]
)
def test_aggregate__weights_against_the_rules__refused(weights: list[int], weight_sum: int) -> None:
    with pytest.raises(RuleError, match="weights: expected at least 0"):
        run(entries_of(LAYOUT, 1, count=2), weights, weight_sum, random_model(LAYOUT, 1))


def test_aggregate__update_of_another_layout__refused() -> None:
    with pytest.raises(RuleError, match="update: expected the tensors of the base model"):
        run(entries_of(LAYOUT, 1, count=1), [1], 1, random_model(Layout.of({"a": (3,)}), 1))


def test_aggregate__room_for_another_model__refused() -> None:
    base = random_model(LAYOUT, 1)
    with pytest.raises(RuleError, match="expected room for"):
        compute_aggregate([], [], 0, base, Codec.INT8, ROWS, np.empty(10, np.float32), DEPTH)
    with pytest.raises(RuleError, match=r"step: expected room for \(3, 1024\) bytes"):
        compute_aggregate([], [], 0, base, Codec.FLOAT32, ROWS, base.flat.copy(), DEPTH)


def test_aggregate__tree_without_room__refused() -> None:
    base = random_model(LAYOUT, 1)
    with pytest.raises(RuleError, match="tree of depth 1"):
        compute_aggregate([], [], 0, base, Codec.INT8, ROWS, np.empty(LAYOUT.size, np.float32), 1)


@pytest.mark.parametrize("chunks", [2, 9000])
@given(seeds, st.integers(1, 2**20), st.sampled_from([1.0, 1e-3, 1e-9]))
@settings(max_examples=10, deadline=None)
def test_quantise__plain_and_compiled__same_rows_and_models(
    chunks: int, seed: int, divisor: int, scale: float
) -> None:
    """Whatever the sums: halves of the grid and of digits, the largest of all, and a divisor that leaves a rest."""
    dice = np.random.Generator(np.random.Philox(seed))
    total = (dice.integers(-127, 128, (8, 256)) << dice.integers(0, 32, (8, 256))) * divisor
    total = (total * scale).astype(np.int64) // (2 * divisor) * divisor
    total += dice.integers(-divisor, divisor, total.shape)
    base, scratch = floats(seed, 8 * 256).reshape(8, 256), Scratch()
    one, other = (np.empty((8, 260), np.uint8) for _ in range(2))
    plain, loops = get_codec_loops(Codec.INT8, 1), get_codec_loops(Codec.INT8, chunks)
    plain.quantise(total, divisor, one, scratch)
    loops.quantise(total, divisor, other, scratch)
    assert one.tobytes() == other.tobytes()
    moved = plain.move(one, base, scratch).astype(np.float32)
    assert loops.move(other, base, Scratch()).astype(np.float32).tobytes() == moved.tobytes()


@given(seeds, codecs)
def test_apply_step__the_step_of_an_aggregate__the_same_model(seed: int, codec: Codec) -> None:
    base, entries = random_model(LAYOUT, seed), entries_of(LAYOUT, seed, codec)
    _, data, rows = run(entries, [5, 7, 11], 2**10, base)
    out = np.empty(LAYOUT.size, np.float32)
    apply_step(base, decode_step(base, codec, rows), out)
    assert out.tobytes() == parse_model(data).flat.tobytes()


def test_apply_step__to_another_model__refused() -> None:
    step = random_update(LAYOUT, 1)
    with pytest.raises(RuleError, match="step: tensor 'b': expected none of this name"):
        apply_step(random_model(Layout.of({"a": (70,)}), 1), step, np.empty(70, np.float32))
