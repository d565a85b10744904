"""Scores: exact parts of the loss reduction, which add up and cannot be raised by splitting."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import Layout, Model
from dao.core.formats.update import Update, encode_update_rows
from dao.core.score import compute_scores
from dao.core.types import Codec
from dao.core.weigh import UpdateEntry
from tests.core.sample import node_at, plain_dot, q_of, random_gradient, random_update, seeds, values_of

LAYOUT = Layout.of({"a": (70,), "b": (200, 2), "c": ()})
codecs = st.sampled_from(list(Codec))
weight_lists = st.lists(st.integers(0, 2**18), min_size=1, max_size=4)


def entries_of(seed: int, count: int, codec: Codec = Codec.INT8) -> list[UpdateEntry]:
    return [UpdateEntry(node_at(i), 1, random_update(LAYOUT, seed + i, codec, 0.3)) for i in range(count)]


@given(seeds, codecs, weight_lists, st.integers(1, 2**18))
def test_scores__any_weights__those_of_the_protocol(
    seed: int, codec: Codec, weights: list[int], more: int
) -> None:
    entries, gradient = entries_of(seed, len(weights), codec), random_gradient(LAYOUT, seed)
    weight_sum = min(sum(weights) + more, 2**20)
    expected = [
        round(Fraction(plain_dot(values_of(gradient), q_of(entry.update)) * weight * 10**6, weight_sum << 80))
        for entry, weight in zip(entries, weights, strict=True)
    ]
    assert compute_scores(entries, weights, weight_sum, gradient) == expected


@given(seeds, weight_lists)
def test_scores__all_nodes__add_up_to_that_of_the_aggregate(seed: int, weights: list[int]) -> None:
    entries, gradient = entries_of(seed, len(weights)), random_gradient(LAYOUT, seed)
    columns = zip(*(q_of(entry.update) for entry in entries), strict=True)
    total = [sum(w * q for w, q in zip(weights, column, strict=True)) for column in columns]
    whole = Fraction(plain_dot(values_of(gradient), total) * 10**6, 2**100)
    assert abs(sum(compute_scores(entries, weights, 2**20, gradient)) - whole) <= Fraction(len(weights), 2)


@given(seeds, st.lists(st.integers(0, 2**18), min_size=2, max_size=4))
def test_scores__node_split_into_copies__same_in_all(seed: int, parts: list[int]) -> None:
    (entry,), gradient = entries_of(seed, 1), random_gradient(LAYOUT, seed)
    copies = [UpdateEntry(node_at(10 + i), 1, entry.update) for i in range(len(parts))]
    whole = compute_scores([entry], [sum(parts)], 2**20, gradient)[0]
    assert abs(sum(compute_scores(copies, parts, 2**20, gradient)) - whole) <= (len(parts) + 1) / 2


def test_scores__step_along_the_gradient__the_loss_it_takes_off() -> None:
    layout = Layout.of({"a": (2,)})
    zero = Model(layout, np.zeros(2, np.float32))
    step = Model(layout, np.array([0.5, 0.25], np.float32))
    gradient = Gradient(quantise_gradient(Model(layout, np.array([0.25, -0.125], np.float32))))
    entry = UpdateEntry(node_at(1), 1, Update(layout, Codec.INT8, encode_update_rows(zero, step, Codec.INT8)))
    assert compute_scores([entry, entry, entry], [4, 2, 0], 8, gradient) == [
        46_875,
        23_438,
        0,
    ]  # .09375 / 2, / 4


@pytest.mark.parametrize("weights", [[], [0, 0]])
def test_scores__nobody_passed__zero(weights: list[int]) -> None:
    assert compute_scores(entries_of(1, len(weights)), weights, 0, random_gradient(LAYOUT, 1)) == weights
