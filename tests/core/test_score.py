"""Scores: exact parts of the loss reduction, which add up and cannot be raised by splitting."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import Layout, Model, StepModel
from dao.core.formats.update import Update, encode_update_rows
from dao.core.score import compute_scores
from dao.core.types import ZERO_DIGEST, Codec, Status
from dao.core.weigh import NodeWeight, UpdateEntry, Weighing
from tests.core.sample import node_at, plain_dot, q_of, random_gradient, random_update, seeds, values_of

DEPTH = 7
LAYOUT = Layout.of({"a": (70,), "b": (200, 2), "c": ()})
codecs = st.sampled_from(list(Codec))
weight_lists = st.lists(st.integers(0, 2**18), min_size=1, max_size=4)


def entries_of(seed: int, count: int, codec: Codec = Codec.INT8) -> list[UpdateEntry]:
    return [UpdateEntry(node_at(i), 1, random_update(LAYOUT, seed + i, codec, 0.3)) for i in range(count)]


def weighing_of(
    weights: Sequence[int], weight_sum: int, unit_weights: Sequence[int] | None = None
) -> Weighing:
    rows = zip(weights, unit_weights or weights, strict=True)
    nodes = (
        NodeWeight(node_at(i), w0, w, 0, 0, 0, 0, ZERO_DIGEST, Status.OK) for i, (w, w0) in enumerate(rows)
    )
    return Weighing(tuple(nodes), weight_sum)


def scores_of(
    entries: Sequence[UpdateEntry],
    weighing: Weighing,
    gradient: Gradient,
    last_step: Gradient | None = None,
) -> list[int]:
    return [node.score for node in compute_scores(entries, weighing, gradient, last_step, DEPTH).nodes]


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
    assert scores_of(entries, weighing_of(weights, weight_sum), gradient) == expected


@given(seeds, weight_lists)
def test_scores__all_nodes__add_up_to_that_of_the_aggregate(seed: int, weights: list[int]) -> None:
    entries, gradient = entries_of(seed, len(weights)), random_gradient(LAYOUT, seed)
    columns = zip(*(q_of(entry.update) for entry in entries), strict=True)
    total = [sum(w * q for w, q in zip(weights, column, strict=True)) for column in columns]
    whole = Fraction(plain_dot(values_of(gradient), total) * 10**6, 2**100)
    assert abs(sum(scores_of(entries, weighing_of(weights, 2**20), gradient)) - whole) <= Fraction(
        len(weights), 2
    )


@given(seeds, st.lists(st.integers(0, 2**18), min_size=2, max_size=4))
def test_scores__node_split_into_copies__same_in_all(seed: int, parts: list[int]) -> None:
    (entry,), gradient = entries_of(seed, 1), random_gradient(LAYOUT, seed)
    copies = [UpdateEntry(node_at(10 + i), 1, entry.update) for i in range(len(parts))]
    whole = scores_of([entry], weighing_of([sum(parts)], 2**20), gradient)[0]
    assert abs(sum(scores_of(copies, weighing_of(parts, 2**20), gradient)) - whole) <= (len(parts) + 1) / 2


def test_scores__step_along_the_gradient__the_loss_it_takes_off() -> None:
    layout = Layout.of({"a": (2,)})
    zero = Model(layout, np.zeros(2, np.float32))
    step = Model(layout, np.array([0.5, 0.25], np.float32))
    gradient = Gradient(quantise_gradient(Model(layout, np.array([0.25, -0.125], np.float32))))
    entry = UpdateEntry(node_at(1), 1, Update(layout, Codec.INT8, encode_update_rows(zero, step, Codec.INT8)))
    assert scores_of([entry, entry, entry], weighing_of([4, 2, 0], 8), gradient) == [
        46_875,
        23_438,
        0,
    ]  # .09375 / 2, / 4


@pytest.mark.parametrize("weights", [[], [0, 0]])
def test_scores__nobody_passed__zero(weights: list[int]) -> None:
    entries, gradient = entries_of(1, len(weights)), random_gradient(LAYOUT, 1)
    assert scores_of(entries, weighing_of(weights, 0), gradient, gradient) == weights


@given(
    seeds, codecs, st.lists(st.tuples(st.integers(0, 2**18), st.integers(0, 2**18)), min_size=1, max_size=4)
)
def test_scores__any_last_step__the_part_along_it_counts_up_to_the_median(
    seed: int, codec: Codec, pairs: list[tuple[int, int]]
) -> None:
    unit_weights, weights = [max(pair) for pair in pairs], [min(pair) for pair in pairs]
    entries, gradient = entries_of(seed, len(pairs), codec), random_gradient(LAYOUT, seed)
    last_step, weight_sum = random_gradient(LAYOUT, seed + 9), max(sum(unit_weights), 1)
    g, s = values_of(gradient), values_of(last_step)
    us = [q_of(entry.update) for entry in entries]
    counted = [i for i, weight in enumerate(weights) if weight]
    steps = plain_dot(s, s)
    public = {
        i: plain_dot(g, s) * plain_dot(s, us[i]) * weights[i] // (unit_weights[i] * steps) for i in counted
    }
    reached = {part: sum(unit_weights[j] for j in counted if public[j] <= part) for part in public.values()}
    half = sum(unit_weights[i] for i in counted)
    median = max(min((p for p, sum_ in reached.items() if 2 * sum_ >= half), default=0), 0)
    expected = [
        round(
            Fraction(10**6, weight_sum << 80)
            * (plain_dot(g, us[i]) * weights[i] - max(public[i] - median, 0) * unit_weights[i])
        )
        if i in public
        else 0
        for i in range(len(pairs))
    ]
    weighing = weighing_of(weights, weight_sum, unit_weights)
    scoring = compute_scores(entries, weighing, gradient, last_step, DEPTH)
    assert [node.score for node in scoring.nodes] == expected
    assert (scoring.gradient_along, scoring.step_square, scoring.along_median) == (
        plain_dot(g, s),
        steps,
        median,
    )
    products = [
        (plain_dot(g, u), plain_dot(s, u)) if weight else (0, 0)
        for u, weight in zip(us, weights, strict=True)
    ]
    assert [(node.dot, node.step_dot) for node in scoring.nodes] == products


def test_scores__one_of_three_replays_the_last_step__no_more_than_the_median_node() -> None:
    step = np.random.Generator(np.random.Philox(1)).standard_normal(LAYOUT.size).astype(np.float32)
    step *= np.float32(1 / 64)
    gradient = Gradient(quantise_gradient(Model(LAYOUT, 2 * step)))
    zero = Model(LAYOUT, np.zeros(LAYOUT.size, np.float32))

    def entry(node: int, part: float) -> UpdateEntry:
        noise = np.random.Generator(np.random.Philox(node)).standard_normal(LAYOUT.size).astype(np.float32)
        noise -= step * (noise @ step) / (step @ step)
        noise *= np.linalg.norm(step) / np.linalg.norm(noise)
        trained = Model(LAYOUT, (part * step + (1 - part) * noise).astype(np.float32))
        return UpdateEntry(
            node_at(node), 1, Update(LAYOUT, Codec.INT8, encode_update_rows(zero, trained, Codec.INT8))
        )

    last_step = Gradient(quantise_gradient(StepModel(zero, Model(LAYOUT, step))))
    entries = [entry(0, 1.0), entry(1, 0.4), entry(2, 0.3)]
    values = scores_of(entries, weighing_of([1] * 3, 3), gradient)
    scores = scores_of(entries, weighing_of([1] * 3, 3), gradient, last_step)
    assert values[0] > 2 * values[1]
    assert abs(scores[0] - values[1]) <= abs(values[1]) / 10
    assert scores[1:] == values[1:]


def test_scores__last_step_of_zero__as_without_one() -> None:
    entries, gradient = entries_of(3, 3), random_gradient(LAYOUT, 3)
    zero = Model(LAYOUT, np.zeros(LAYOUT.size, np.float32))
    still = Gradient(quantise_gradient(StepModel(zero, zero)))
    weighing = weighing_of([1, 2, 3], 6)
    assert scores_of(entries, weighing, gradient, still) == scores_of(entries, weighing, gradient)
