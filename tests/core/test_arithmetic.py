"""The arithmetic of a round against plain Python integers: small models, every value computed by hand."""

from fractions import Fraction
from hashlib import sha256
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dao.core.aggregate import compute_aggregate
from dao.core.engine.merkle import Tree, compute_body_root, verify
from dao.core.engine.products import (
    compute_dots,
    compute_gradient_square,
    compute_update_square,
)
from dao.core.formats.gradient import Gradient, decode_gradient, encode_gradient_prefix, quantise_gradient
from dao.core.formats.layout import Layout, Model, compute_depth, compute_model_size, parse_model, write_model
from dao.core.formats.update import Update, decode_update, encode_update_prefix, encode_update_rows
from dao.core.score import compute_scores
from dao.core.types import Address, Codec
from dao.core.weigh import UpdateEntry, compute_weights
from dao.errors import DaoError, DecodeError
from tests.core.sample import DENSE, EXTREMES, plain_step

DEPTH = 7
LAYOUT = Layout.of({"a.bias": (3,), "a.weight": (5, 17), "b": (130,)})  # none a multiple of a block


def model_of(seed: int, scale: float) -> Model:
    dice = np.random.Generator(np.random.Philox(seed))
    model = write_model(LAYOUT, bytearray(compute_model_size(LAYOUT)))
    model.put(0, (dice.normal(0, scale, (LAYOUT.chunks, 256))).astype(np.float32))
    return model


def update_of(seed: int, codec: Codec = Codec.INT8, scale: float = 0.02) -> tuple[Update, bytes]:
    base, delta = model_of(0, 0.1), model_of(seed, scale)
    trained = write_model(LAYOUT, bytearray(compute_model_size(LAYOUT)))
    trained.put(0, base.span(0, LAYOUT.chunks) + delta.span(0, LAYOUT.chunks))
    content = encode_update_prefix(LAYOUT, codec) + encode_update_rows(base, trained, codec).tobytes()
    return decode_update(content, LAYOUT, codec), content


def integers(update: Update) -> list[int]:
    return [int(q) for q in update.q(0, LAYOUT.chunks).reshape(-1)]


def gradient_of(seed: int) -> tuple[Gradient, list[int]]:
    rows = quantise_gradient(model_of(seed, 0.5))
    gradient = decode_gradient(encode_gradient_prefix(LAYOUT.values) + rows.tobytes(), LAYOUT.values)
    values: list[int] = []
    for row in rows:
        digits = np.frombuffer(row[:512].tobytes(), ">i2")
        values += [int(digit) << int(row[512]) for digit in digits]
    return gradient, values


@pytest.mark.parametrize("codec", DENSE)
@given(seed=st.integers(1, 10**6), scale=st.sampled_from([1e-8, 1e-3, 0.1, 5.0]))
@settings(max_examples=25, deadline=None)
def test_update__encoded_and_decoded__near_what_training_changed(
    codec: Codec, seed: int, scale: float
) -> None:
    update, _ = update_of(seed, codec, scale)
    base, delta = model_of(0, 0.1), model_of(seed, scale)
    trained = (base.span(0, LAYOUT.chunks) + delta.span(0, LAYOUT.chunks)).astype(np.float64)
    exact = (trained - base.span(0, LAYOUT.chunks)) * 2.0**32
    found = update.q(0, LAYOUT.chunks).astype(np.float64)
    blocks = np.abs(exact).reshape(-1, EXTREMES[codec].block)
    allowed = np.maximum(1.0, blocks.max(axis=1) * EXTREMES[codec].error)
    assert (np.abs(found - exact).reshape(blocks.shape).max(axis=1) <= allowed).all()


@given(seeds=st.lists(st.integers(1, 10**6), min_size=1, max_size=5, unique=True), data=st.data())
@settings(max_examples=25, deadline=None)
def test_aggregate__any_order__the_rounded_sum_of_integers(seeds: list[int], data: st.DataObject) -> None:
    updates = [update_of(seed)[0] for seed in seeds]
    weights = data.draw(st.lists(st.integers(0, 1 << 17), min_size=len(seeds), max_size=len(seeds)))
    weight_sum = max(1, sum(weights))
    entries = [UpdateEntry(Address(bytes([i]) * 20), 1, update) for i, update in enumerate(updates)]
    base, out = model_of(0, 0.1), bytearray(compute_model_size(LAYOUT))
    rows, others = (np.empty_like(updates[0].body) for _ in range(2))
    depth, codec = compute_depth(LAYOUT.chunks), updates[0].codec
    values = write_model(LAYOUT, out).flat
    roots = compute_aggregate(entries, weights, weight_sum, base, codec, rows, values, depth)
    other = bytearray(compute_model_size(LAYOUT))
    values = write_model(LAYOUT, other).flat
    again = compute_aggregate(entries[::-1], weights[::-1], weight_sum, base, codec, others, values, depth)
    assert (roots, bytes(out), rows.tobytes()) == (again, bytes(other), others.tobytes())
    columns = zip(*(integers(update) for update in updates), strict=True)
    sums = [sum(w * q for w, q in zip(weights, column, strict=True)) for column in columns]
    moved = plain_step([round(Fraction(total, weight_sum)) for total in sums], codec)
    steps = np.array(moved, np.float64) * 2.0**-32
    expected = base.span(0, LAYOUT.chunks).reshape(-1).astype(np.float64) + steps
    found = parse_model(bytes(out)).span(0, LAYOUT.chunks).reshape(-1)
    assert (found == expected.astype(np.float32)).all()
    leaves = [
        b"".join(t.to_bytes(8, "big", signed=True) for t in sums[i : i + 256])
        for i in range(0, len(sums), 256)
    ]
    assert roots.sums == Tree(leaves, compute_depth(LAYOUT.chunks)).root


@given(one=st.integers(1, 10**6), other=st.integers(1, 10**6))
@settings(max_examples=25, deadline=None)
def test_products__of_updates_and_gradients__exact(one: int, other: int) -> None:
    (update, _), (gradient, g) = update_of(one), gradient_of(other)
    q = integers(update)
    assert compute_dots(gradient, [update])[0].total == sum(a * b for a, b in zip(g, q, strict=True))
    assert (
        isqrt(compute_update_square(update).total) ** 2
        <= sum(a * a for a in q)
        < (isqrt(compute_update_square(update).total) + 1) ** 2
    )
    assert (
        isqrt(compute_gradient_square(gradient).total) ** 2
        <= sum(a * a for a in g)
        < (isqrt(compute_gradient_square(gradient).total) + 1) ** 2
    )


def test_scores__one_node_split_in_four__the_same_in_all() -> None:
    (useful, _), (other, _) = update_of(1), update_of(2)
    gradient, _ = gradient_of(1)  # the direction of the first update
    whole = [UpdateEntry(Address(b"a" * 20), 400, useful), UpdateEntry(Address(b"z" * 20), 400, other)]
    split = [UpdateEntry(Address(bytes([i]) * 20), 100, useful) for i in range(4)] + [whole[1]]
    results = []
    for entries in (whole, split):
        weighing = compute_weights(entries, gradient, {}, DEPTH)
        worth = [node.score for node in compute_scores(entries, weighing, gradient, None, DEPTH).nodes]
        results.append(sum(worth) - worth[-1])
    assert results[0] > 0
    assert abs(results[0] - results[1]) <= max(4, results[0] // 10**5)  # four roundings


def test_weigh__noise__gated_and_real_training_not() -> None:
    gradient, _ = gradient_of(1)
    entries = [UpdateEntry(Address(bytes([seed]) * 20), 1, update_of(seed)[0]) for seed in (1, 77)]
    real, noise = compute_weights(entries, gradient, {}, DEPTH).nodes
    assert real.weight > 0
    assert noise.weight == 0


@pytest.mark.parametrize("codec", list(Codec))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_decode_update__cut_or_lengthened__refused(codec: Codec, data: st.DataObject) -> None:
    _, content = update_of(3, codec)
    cut = data.draw(st.integers(0, len(content) - 1))
    for bad in (content[:cut], content + bytes(1 + cut % 300)):
        with pytest.raises(DecodeError):
            decode_update(bad, LAYOUT, codec)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_encode__not_finite__refused_by_the_tensors_name(value: float) -> None:
    base, trained = model_of(0, 0.1), model_of(0, 0.1)
    trained.tensors["a.weight"].reshape(-1)[7] = value
    with pytest.raises(DaoError, match=r"a\.weight"):
        encode_update_rows(base, trained, Codec.INT8)


@given(count=st.integers(1, 40), data=st.data())
@settings(max_examples=40, deadline=None)
def test_tree__proofs__hold_for_their_leaf_only(count: int, data: st.DataObject) -> None:
    leaves = [sha256(bytes([i])).digest() for i in range(count)]
    tree, index = Tree(leaves, 6), data.draw(st.integers(0, count - 1))
    proof = tree.proof(index)
    assert verify(tree.root, leaves[index], index, proof, 6)
    assert not verify(tree.root, leaves[index] + b"\x00", index, proof, 6)
    assert not verify(tree.root, leaves[index], index ^ 1, proof, 6)


def test_body_root__of_an_update__that_of_its_rows() -> None:
    update, _ = update_of(5)
    depth = compute_depth(LAYOUT.chunks)
    assert compute_body_root(update.body, depth) == Tree([bytes(row) for row in update.body], depth).root
