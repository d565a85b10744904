"""The codec topk: the largest values of each 4,096 at their places, exact sums and products of them, and what is left out kept."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dao.core.engine.chunking import Each, Scratch
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.products import (
    compute_dots,
    compute_sums,
    compute_update_square,
    compute_weighted_sum,
    get_chunk,
)
from dao.core.formats.feedback import AHEAD, GAIN, KEPT, Feedback, write_start
from dao.core.formats.layout import FLOAT, Layout, Model, compute_model_size
from dao.core.formats.update import (
    Update,
    compute_update_size,
    decode_update,
    encode_update_prefix,
    encode_update_rows,
    write_update_rows,
)
from dao.core.types import Codec
from dao.errors import DecodeError, RuleError
from tests.core.sample import (
    backwards,
    plain_dot,
    plain_q,
    q_of,
    random_gradient,
    random_model,
    random_update,
    seeds,
    short_spans,
    values_of,
)

# three leaves, the last one with room for more than there is
LAYOUT = Layout.of({"a": (4000,), "b": (70, 60), "c": (33,)})
LOOPS = CODEC_LOOPS[Codec.TOPK]
ONE_LEAF = Layout.of({"a": (4096,)})
LARGEST = 7 << 35


def file_of(update: Update) -> bytes:
    return encode_update_prefix(update.layout, update.codec) + update.body.tobytes()


def leaf_of(entries: dict[int, int], exponent: int) -> bytes:
    """A leaf with these digits at these places, and zeros at others."""
    places = sorted(
        {*entries, *[place for place in range(4096) if place not in entries][: 58 - len(entries)]}
    )
    words = [place << 4 | entries.get(place, 0) & 15 for place in places]
    return b"".join(word.to_bytes(2, "big") for word in words) + bytes([exponent])


def doubles(model: Model) -> NDArray[np.float64]:
    """The values of a model, (chunks, 256)."""
    return np.asarray(model.span(0, model.layout.chunks), np.float64)


def one_leaf(leaf: bytes) -> Update:
    return Update(ONE_LEAF, Codec.TOPK, np.frombuffer(leaf, np.uint8).reshape(1, -1))


def test_size__of_4096_values__a_140th_of_float32() -> None:
    values = 1 << 30
    layout = Layout.of({"a": (values,)})
    assert LOOPS.leaf * 140 <= 4 * 4096
    assert 140 * compute_update_size(layout, Codec.TOPK) <= compute_model_size(layout)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_encode__any_change__the_largest_of_each_4096(seed: int) -> None:
    base, trained = random_model(LAYOUT, seed, 0.2), random_model(LAYOUT, seed + 1, 0.2)
    body = encode_update_rows(base, trained, Codec.TOPK)
    assert body.shape == (3, 117)
    update = decode_update(file_of(Update(LAYOUT, Codec.TOPK, body)), LAYOUT, Codec.TOPK)
    assert q_of(update) == plain_q(base, trained, Codec.TOPK)


def test_encode__equal_values__the_first_of_them() -> None:
    zero, ones = (Model(ONE_LEAF, np.full(4096, value, FLOAT)) for value in (0, 2.0**-30))
    update = Update(ONE_LEAF, Codec.TOPK, encode_update_rows(zero, ones, Codec.TOPK))
    assert q_of(update) == [4] * 58 + [0] * (4096 - 58)


@pytest.mark.parametrize(("digit", "place"), [(7, 0), (-7, 4095), (1, 255), (-1, 256)])
@pytest.mark.parametrize("exponent", [0, 1, 35])
def test_decode__a_digit_at_its_place__shifted_by_the_exponent(digit: int, place: int, exponent: int) -> None:
    update = decode_update(file_of(one_leaf(leaf_of({place: digit}, exponent))), ONE_LEAF, Codec.TOPK)
    expected = [0] * 4096
    expected[place] = digit << exponent
    assert q_of(update) == expected
    assert get_chunk(update, place // 256)[place % 256] == expected[place]


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (leaf_of({3: -8}, 0), "values from -7 to 7, got -8"),
        (leaf_of({3: 1}, 36), "an exponent from 0 to 35, got 36"),
        (leaf_of({3: 1}, 255), "an exponent from 0 to 35, got 255"),
        (leaf_of({}, 0)[2:4] * 2 + leaf_of({}, 0)[4:], "places that rise"),
        (leaf_of({}, 0)[2:4] + leaf_of({}, 0)[:2] + leaf_of({}, 0)[4:], "places that rise"),
    ],
)
def test_decode__a_leaf_that_is_none__fault_at_its_first_value(leaf: bytes, message: str) -> None:
    layout = Layout.of({"a": (4096,), "b": (4096,)})
    body = np.frombuffer(leaf_of({9: 2}, 3) + leaf, np.uint8).reshape(2, -1)
    with pytest.raises(DecodeError, match=f"tensor 'b': expected a leaf with {message}") as refused:
        decode_update(file_of(Update(layout, Codec.TOPK, body)), layout, Codec.TOPK)
    assert (refused.value.fault.chunk, refused.value.fault.value) == (16, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("leaf", "place"), [(0, 4001), (2, 200), (2, 300), (2, 4095)])
def test_decode__value_in_the_padding_or_beyond__refused(leaf: int, place: int) -> None:
    body = random_update(LAYOUT, 1, Codec.TOPK).body.copy()
    body[leaf] = np.frombuffer(leaf_of({place: 1}, 0), np.uint8)
    with pytest.raises(DecodeError, match="expected zeros in the padding"):
        decode_update(file_of(Update(LAYOUT, Codec.TOPK, body)), LAYOUT, Codec.TOPK)


def test_encode__too_large_for_any_exponent__its_tensor_is_named() -> None:
    base, trained = random_model(LAYOUT, 1, 0.1), random_model(LAYOUT, 1, 0.1)
    trained.tensors["b"][69, 59] += 70
    with pytest.raises(RuleError, match="tensor 'b': expected training to change values by less than 60"):
        encode_update_rows(base, trained, Codec.TOPK)
    trained.tensors["b"][69, 59] = base.tensors["b"][69, 59]
    trained.tensors["c"][1] = np.nan
    with pytest.raises(RuleError, match=r"tensor 'c'.*got nan"):
        encode_update_rows(base, trained, Codec.TOPK)


def test_sums_and_products__the_largest_values__no_overflow() -> None:
    digits = {place: 7 if place % 2 else -7 for place in range(4096 - 58, 4096)}
    update = one_leaf(leaf_of(digits, 35))
    total = compute_weighted_sum([update, update], [2**20 - 1, 1], (0, 16), Scratch())
    assert {*total.flat} == {0, LARGEST << 20, -LARGEST << 20}
    assert compute_update_square(update).total == 58 * LARGEST**2


@given(seeds, st.integers(1, 2))
@settings(max_examples=20, deadline=None)
def test_sums_and_products__any_spans_and_threads__exact(seed: int, leaves: int) -> None:
    gradient = random_gradient(LAYOUT, seed)
    updates = [random_update(LAYOUT, seed + i, Codec.TOPK) for i in range(2)]

    def compute(each: Each) -> tuple[list[int], int]:
        dots = compute_dots(gradient, updates, each)
        return [dot.total for dot in dots], compute_update_square(updates[0], each).total

    expected = [plain_dot(values_of(gradient), q_of(update)) for update in updates]
    square = plain_dot(q_of(updates[0]), q_of(updates[0]))
    with short_spans(16 * leaves), ThreadPoolExecutor(3) as pool:
        for each in (map, backwards, pool.map):
            assert compute(each) == (expected, square)
    total = compute_sums(updates, [3, 4], 7, (16, LAYOUT.chunks), Scratch())
    assert [int(value) for value in total.flat] == [
        3 * one + 4 * other for one, other in zip(*(q_of(update)[4096:] for update in updates), strict=True)
    ]


def test_feedback__round_after_round__what_is_not_sent_is_kept_but_for_what_fades() -> None:
    dice = np.random.Generator(np.random.Philox(5))
    zero, change = (Model(LAYOUT, dice.normal(0, size, LAYOUT.size).astype(FLOAT)) for size in (0, 0.01))
    left, places = zero, set[int]()
    for number in range(1, 6):
        rows, after = np.empty((3, 117), np.uint8), np.empty(LAYOUT.size, FLOAT)
        before = None if number == 1 else left
        write_update_rows(zero, change, Codec.TOPK, rows, backwards, Feedback(LAYOUT, before, after))
        gathered = KEPT * doubles(left) + doubles(change)
        left = Model(LAYOUT, after)
        sent = Update(LAYOUT, Codec.TOPK, rows).q(0, LAYOUT.chunks) * 2.0**-32
        assert np.allclose(sent + doubles(left), gathered, atol=1e-7)
        for chunk in range(0, LAYOUT.chunks, 16):
            leaf, whole = (values[chunk : chunk + 16].ravel() for values in (sent, gathered))
            largest = np.argsort(-np.abs(whole))[:58]
            assert {*np.flatnonzero(leaf)} <= {*largest}
            half_a_step = GAIN * np.abs(whole).max() / 7  # the step is at most a power of two above a seventh
            assert np.abs(leaf - GAIN * whole)[largest].max() <= half_a_step
        places |= {*np.flatnonzero(sent)}
    assert len(places) > 2 * 3 * 58  # later rounds send what earlier ones left out


def test_feedback__the_same_change_each_round__most_of_each_value_arrives() -> None:
    dice, rounds = np.random.Generator(np.random.Philox(6)), 300
    zero, change = (Model(ONE_LEAF, (size * dice.choice([-1, 1], 4096)).astype(FLOAT)) for size in (0, 0.01))
    left, sent = None, np.zeros((16, 256))
    for _ in range(rounds):
        rows, after = np.empty((1, 117), np.uint8), np.empty(4096, FLOAT)
        write_update_rows(zero, change, Codec.TOPK, rows, feedback=Feedback(ONE_LEAF, left, after))
        left = Model(ONE_LEAF, after)
        sent += Update(ONE_LEAF, Codec.TOPK, rows).q(0, 16) * 2.0**-32
    parts = sent * np.sign(change.flat.reshape(16, 256)) / (rounds * 0.01)
    assert parts.mean() > 0.64  # without the gain, half
    assert parts.min() > 0.5
    assert parts.max() < 1.0


def test_start__what_was_left_out__training_starts_ahead_by_a_part_of_it() -> None:
    base, left = (random_model(LAYOUT, seed, 0.1) for seed in (1, 2))
    start = np.empty(LAYOUT.size, FLOAT)
    write_start(base, left, start)
    assert np.array_equal(start, base.flat + FLOAT.type(AHEAD) * left.flat)


def test_feedback__that_does_not_fit__its_tensor_is_named() -> None:
    zero, large = (Model(LAYOUT, np.full(LAYOUT.size, value, FLOAT)) for value in (0, 70))
    feedback = Feedback(LAYOUT, large, np.empty(LAYOUT.size, FLOAT))
    with pytest.raises(RuleError, match=r"expected training to change values by less than 34.286, got 67.9"):
        write_update_rows(zero, zero, Codec.TOPK, np.empty((3, 117), np.uint8), feedback=feedback)
