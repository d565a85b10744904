"""Weights against the protocol word for word, and what they must not reward."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import floor, isqrt, trunc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dao.core.engine.exact import compute_weighted_median
from dao.core.engine.merkle import Tree
from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import Layout, Model
from dao.core.formats.update import Update, encode_update_rows
from dao.core.types import Address, Codec, Status
from dao.core.weigh import (
    UpdateEntry,
    Weighing,
    compute_gate_threshold,
    compute_weights,
)
from dao.errors import RuleError
from tests.core.sample import (
    backwards,
    node_at,
    plain_dot,
    plain_norm,
    q_of,
    random_gradient,
    random_model,
    random_update,
    seeds,
    short_spans,
    values_of,
)

DEPTH = 7
LAYOUT = Layout.of({"a": (70,), "b": (200, 2), "c": ()})
codecs = st.sampled_from(list(Codec))


def along(direction: Model, part: float, seed: int, size: float, codec: Codec = Codec.INT8) -> Update:
    """An update of a size, a part of it along a direction, the rest noise."""
    rng = np.random.Generator(np.random.Philox(seed))
    noise = rng.standard_normal(LAYOUT.size)
    unit = direction.flat / np.linalg.norm(direction.flat)
    mixed = part * unit + (1 - abs(part)) * noise / np.linalg.norm(noise)
    trained = Model(LAYOUT, (size * mixed).astype(np.float32))
    return Update(
        LAYOUT, codec, encode_update_rows(Model(LAYOUT, np.zeros(LAYOUT.size, np.float32)), trained, codec)
    )


def plain_median(pairs: Sequence[tuple[int, int]]) -> int:
    """The least value at which the weights of the values up to it reach half."""
    total = sum(weight for _, weight in pairs)
    return min(v for v, _ in pairs if 2 * sum(weight for other, weight in pairs if other <= v) >= total)


def plain_weigh(
    entries: Sequence[UpdateEntry], gate: Gradient, memories: Mapping[Address, int]
) -> list[tuple[int, ...]]:
    """(unit weight, weight, <g0, u>, |u|^2, norm, cosine, memory) of each, then W, |g0|^2 and the median norm."""
    g0, us = values_of(gate), [q_of(entry.update) for entry in entries]
    norms = [plain_norm(u) for u in us]
    w0 = [entry.stake * 2**20 // sum(other.stake for other in entries) for entry in entries]
    cosines, kept = [], []
    for entry, u, size in zip(entries, us, norms, strict=True):
        both = plain_norm(g0) * size
        cosines.append(floor(Fraction(plain_dot(g0, u) * 10**6, both)) if both else 0)
        kept.append(cosines[-1] + trunc(Fraction(memories.get(entry.node, 0), 2)))
    passed = [i for i, memory in enumerate(kept) if memory > 5 * 10**6 // isqrt(len(g0)) and w0[i]]
    w = [w0[i] if i in passed else 0 for i in range(len(entries))]
    m, dots, squares = 0, [plain_dot(g0, u) for u in us], [plain_dot(u, u) for u in us]
    if passed:
        m = plain_median([(norms[i], w0[i]) for i in passed])
        w = [w1 * m // norms[i] if w1 and norms[i] > m else w1 for i, w1 in enumerate(w)]
    rows = zip(w0, w, dots, squares, norms, cosines, kept, strict=True)
    return [*rows, (sum(w0[i] for i in passed), plain_dot(g0, g0), m)]


def numbers_of(weighing: Weighing) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = [
        (node.unit_weight, node.weight, node.gate_dot, node.square, node.norm, node.cosine, node.memory)
        for node in weighing.nodes
    ]
    return [*rows, (weighing.weight_sum, weighing.gate_square, weighing.norm_median)]


rounds = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 100), st.integers(1, 10**24)),  # stake
        st.floats(-1, 1),  # part along the gradient
        st.sampled_from([0.0, 1e-9, 0.01, 0.1, 1.0, 50.0]),  # size
        st.integers(-(10**6), 10**6),  # memory
    ),
    min_size=1,
    max_size=6,
)


def entries_of(nodes: Sequence[tuple[int, float, float, int]], seed: int, codec: Codec) -> list[UpdateEntry]:
    direction = random_model(LAYOUT, seed)
    return [
        UpdateEntry(node_at(i), stake, along(direction, part, seed + i, size, codec))
        for i, (stake, part, size, _) in enumerate(nodes)
    ]


@settings(deadline=None)
@given(rounds, seeds, codecs)
def test_weigh__any_round__numbers_of_the_protocol(
    nodes: list[tuple[int, float, float, int]], seed: int, codec: Codec
) -> None:
    gate = random_gradient(LAYOUT, seed)
    entries = entries_of(nodes, seed, codec)
    memories = {node_at(i): memory for i, (*_, memory) in enumerate(nodes) if memory % 3}
    weighing = compute_weights(entries, gate, memories, DEPTH)
    assert numbers_of(weighing) == plain_weigh(entries, gate, memories)
    assert sum(weighing.weights) <= weighing.weight_sum <= 2**20
    for entry, node in zip(entries, weighing.nodes, strict=True):
        assert node.node == entry.node
        gated = node.memory <= compute_gate_threshold(LAYOUT.values)
        clipped = not gated and node.weight < node.unit_weight
        assert node.status is (Status.GATED if gated else Status.CLIPPED if clipped else Status.OK)


@settings(deadline=None)
@given(rounds, seeds, st.integers(1, 2), st.randoms(use_true_random=False))
def test_weigh__other_order_spans_and_threads__same(
    nodes: list[tuple[int, float, float, int]], seed: int, chunks: int, dice: "np.random.Generator"
) -> None:
    gate, entries = random_gradient(LAYOUT, seed), entries_of(nodes, seed, Codec.INT8)
    expected = {node.node: node for node in compute_weights(entries, gate, {}, DEPTH).nodes}
    dice.shuffle(entries)
    with short_spans(chunks), ThreadPoolExecutor(3) as pool:
        for each in (backwards, pool.map):
            assert {
                node.node: node for node in compute_weights(entries, gate, {}, DEPTH, each).nodes
            } == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.sampled_from([0.02, 0.05, 0.1])), min_size=1, max_size=5),
    seeds,
    st.integers(0, 4),
    st.integers(2, 5),
)
def test_weigh__node_split_into_copies__all_weigh_as_before(
    nodes: list[tuple[float, float]], seed: int, which: int, copies: int
) -> None:
    direction = random_model(LAYOUT, seed)
    share = 2**20 // len(nodes) // 60 * 60  # stake that the copies share without a rest, in whole units
    updates = [along(direction, part, seed + i, size) for i, (part, size) in enumerate(nodes)]
    others = [UpdateEntry(node_at(i), share, update) for i, update in enumerate(updates)]
    one = others.pop(which % len(nodes))
    rest = UpdateEntry(node_at(99), 2**20 - share * len(nodes), random_update(LAYOUT, seed))
    others += [rest] if rest.stake else []
    split = [UpdateEntry(node_at(100 + i), share // copies, one.update) for i in range(copies)]
    before = compute_weights([one, *others], random_gradient(LAYOUT, seed), {}, DEPTH)
    after = compute_weights([*split, *others], random_gradient(LAYOUT, seed), {}, DEPTH)
    assert after.weight_sum == before.weight_sum
    now = [sum(after.weights[:copies]), *after.weights[copies:]]
    for weight, other in zip(before.weights, now, strict=True):
        assert abs(weight - other) <= 2 * copies + weight // 500  # floors of some weights, and what they move


def test_weigh__no_entry__no_weight() -> None:
    gate = random_gradient(LAYOUT, 1)
    weighing = compute_weights([], gate, {}, DEPTH)
    square = plain_dot(values_of(gate), values_of(gate))
    assert (weighing.nodes, weighing.weight_sum, weighing.gate_square) == ((), 0, square)


@pytest.mark.parametrize("codec", list(Codec))
def test_weigh__products__running_totals_after_each_32_chunks(codec: Codec) -> None:
    layout = Layout.of({"a": (256 * 70,)})
    gate, update = random_gradient(layout, 1), random_update(layout, 2, codec)
    weighing = compute_weights([UpdateEntry(node_at(1), 1, update)], gate, {}, DEPTH)
    g, q = values_of(gate), q_of(update)
    ends = [256 * chunks for chunks in (32, 64, 70)]
    dots, squares, own = (
        [plain_dot(left[:end], right[:end]).to_bytes(32, "big", signed=True) for end in ends]
        for left, right in ((g, q), (q, q), (g, g))
    )
    leaves = [dot + square for dot, square in zip(dots, squares, strict=True)]
    assert weighing.nodes[0].totals_root == Tree(leaves, DEPTH - 5).root
    assert weighing.gate_totals == Tree(own, DEPTH - 5).root


def test_weigh__gradient_of_zero__all_gated() -> None:
    gate = Gradient(quantise_gradient(Model(LAYOUT, np.zeros(LAYOUT.size, np.float32))))
    weighing = compute_weights([UpdateEntry(node_at(1), 5, random_update(LAYOUT, 1))], gate, {}, DEPTH)
    assert numbers_of(weighing)[0][1] == weighing.weight_sum == 0
    assert weighing.nodes[0].status is Status.GATED
    assert weighing.nodes[0].cosine == 0


def test_weigh__stake_too_small_for_a_unit__weighs_nothing_and_moves_no_median() -> None:
    direction = random_model(LAYOUT, 3)
    entries = [
        UpdateEntry(node_at(1), 10**24, along(direction, 0.9, 1, 0.1)),
        UpdateEntry(node_at(2), 1, along(direction, 0.9, 2, 0.001)),
    ]
    weighing = compute_weights(entries, random_gradient(LAYOUT, 3), {}, DEPTH)
    assert weighing.weights == (2**20 - 1, 0)
    assert [node.status for node in weighing.nodes] == [Status.OK, Status.OK]


@pytest.mark.parametrize(("memory", "half"), [(7, 3), (-7, -3), (-1, 0), (0, 0), (10**6, 500_000)])
def test_weigh__memory__half_of_it_towards_zero_is_added(memory: int, half: int) -> None:
    entry = UpdateEntry(node_at(1), 1, random_update(LAYOUT, 1))
    node = compute_weights([entry], random_gradient(LAYOUT, 2), {entry.node: memory}, DEPTH).nodes[0]
    assert node.memory == node.cosine + half


def test_weigh__memory_at_the_threshold__gated_and_one_above_it__not() -> None:
    entry = UpdateEntry(node_at(1), 1, Update(LAYOUT, Codec.INT8, np.zeros((LAYOUT.chunks, 260), np.uint8)))
    threshold = compute_gate_threshold(LAYOUT.values)
    gate = random_gradient(LAYOUT, 2)
    at, above = (
        compute_weights([entry], gate, {entry.node: 2 * threshold + more}, DEPTH).nodes[0] for more in (0, 2)
    )
    assert (at.memory, at.status) == (threshold, Status.GATED)
    assert (above.memory, above.status, above.weight) == (threshold + 1, Status.OK, 2**20)


def test_weigh__ten_times_as_large__counts_as_the_median() -> None:
    direction = random_model(LAYOUT, 3)
    entries = [UpdateEntry(node_at(i), 1, along(direction, 0.9, i, 0.1 if i else 1.0)) for i in range(5)]
    weighing = compute_weights(entries, random_gradient(LAYOUT, 3), {}, DEPTH)
    large = weighing.nodes[0]
    assert large.status is Status.CLIPPED
    assert large.weight * large.norm <= weighing.nodes[1].norm * weighing.nodes[1].unit_weight * 1.1


def test_weigh__against_the_gradient_or_noise__gated() -> None:
    direction = random_model(LAYOUT, 3)
    parts = [0.9, 0.9, -0.9, 0.0]
    entries = [UpdateEntry(node_at(i), 1, along(direction, part, i, 0.1)) for i, part in enumerate(parts)]
    statuses = [node.status for node in compute_weights(entries, random_gradient(LAYOUT, 3), {}, DEPTH).nodes]
    assert statuses[2:] == [Status.GATED, Status.GATED]
    assert Status.GATED not in statuses[:2]


@pytest.mark.parametrize(
    ("nodes", "stakes", "message"),
    [
        ((1, 1), (1, 1), "one for each node"),
        ((1, 2), (1, 0), "expected stake that counts, got 0"),
        ((1,), (-1,), "-1"),
    ],
)
def test_weigh__entries_against_the_rules__refused(
    nodes: tuple[int, ...], stakes: tuple[int, ...], message: str
) -> None:
    entries = [
        UpdateEntry(node_at(n), stake, random_update(LAYOUT, 1))
        for n, stake in zip(nodes, stakes, strict=True)
    ]
    with pytest.raises(RuleError, match=message):
        compute_weights(entries, random_gradient(LAYOUT, 1), {}, DEPTH)


def test_weigh__gradient_of_another_size__refused() -> None:
    with pytest.raises(RuleError, match="gradient: expected 3 chunks"):
        compute_weights(
            [UpdateEntry(node_at(1), 1, random_update(LAYOUT, 1))],
            random_gradient(Layout.of({"a": (1,)}), 1),
            {},
            DEPTH,
        )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1))
def test_weighted_median__any__least_that_reaches_half(pairs: list[tuple[int, int]]) -> None:
    assert compute_weighted_median(pairs) == plain_median(pairs)


def test_weighted_median__nothing__refused() -> None:
    with pytest.raises(RuleError, match="median"):
        compute_weighted_median([])


@pytest.mark.parametrize(("values", "threshold"), [(256, 312_500), (25_000_000, 1000), (1024, 156_250)])
def test_gate_threshold__values__five_deviations(values: int, threshold: int) -> None:
    assert compute_gate_threshold(values) == threshold
