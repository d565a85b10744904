"""The cases of proofs.json about sums, models and shapes: small updates and models in trees of any depth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dao.core.constants import CHUNK, GRADIENT_LEAF, MILLION, ROWS_DEPTH
from dao.core.engine.backend import get_loops
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_loops import CODEC_LOOPS, DenseLoops
from dao.core.engine.keccak import keccak256
from dao.core.engine.merkle import Tree, compute_body_root, compute_root
from dao.core.formats.layout import FLOAT
from dao.core.types import Codec, Digest, hex_of
from dao.proofs import shapes as shape_claims
from dao.proofs.models import LAST_STEP, MODEL, STEP, prove_last_step, prove_model, prove_step
from dao.proofs.openings import Rows, hash_rows, open_row, view_rows
from dao.proofs.shapes import prove_shape, prove_update_shape
from dao.proofs.sums import (
    AGGREGATE,
    BLOCK,
    CODEC,
    PARTS,
    SumInput,
    build_inputs_tree,
    encode_input,
    prove_aggregate,
    prove_codec,
    prove_part,
    prove_parts,
)
from tests.vectors.dice import Dice
from tests.vectors.proof_case import (
    CHUNKS,
    RESULT,
    ROUND,
    STATEMENT,
    Case,
    encode_words,
    make_case,
)


def compute_rows_root(values: NDArray[np.integer] | NDArray[np.floating], type_: str, depth: int) -> Digest:
    """Return the root over chunks of values."""
    return compute_root(hash_rows(view_rows(values, type_)), depth)


def draw_body(dice: Dice, codec: Codec, chunks: int = CHUNKS) -> Rows:
    """An update's rows."""
    step = np.array([[dice.between(-(1 << 20), 1 << 20) for _ in range(CHUNK)] for _ in range(chunks)])
    after = np.asarray(step * 2.0**-32, np.float32)
    loops = CODEC_LOOPS[codec]
    rows = np.empty((loops.count_rows(chunks), loops.leaf), np.uint8)
    loops.encode(np.zeros_like(after), after, rows, Scratch())
    return rows


def draw_inputs(dice: Dice, codec: Codec, count: int) -> list[SumInput]:
    """Updates with their weights, sorted by node."""
    nodes = sorted(dice.address() for _ in range(count))
    leaf_chunks = CODEC_LOOPS[codec].leaf_chunks
    return [
        SumInput(node, dice.below(MILLION // count), draw_body(dice, codec), leaf_chunks) for node in nodes
    ]


def sum_inputs(inputs: list[SumInput], codec: Codec) -> NDArray[np.int64]:
    """The honest aggregate."""
    total = np.zeros((CHUNKS, CHUNK), np.int64)
    for entry in inputs:
        total += entry.weight * CODEC_LOOPS[codec].values(entry.body)[:CHUNKS]
    return total


def sums(depth: int, counts: Sequence[int]) -> Iterator[tuple[str, Case]]:
    """For each codec one wrong value of the aggregate of so many inputs, at once and by parts, and one update that is none."""
    for codec, count in product(Codec, counts):
        inputs = draw_inputs(Dice(f"sums {codec.value} {count}"), codec, count)
        total = sum_inputs(inputs, codec)
        total[2, 200] += 1
        statement = encode_words(
            STATEMENT,
            inputs_root=build_inputs_tree(inputs, depth).root,
            aggregate_root=compute_rows_root(total, ">i8", depth),
        )
        proof = prove_aggregate(2, 200, total, inputs, depth)
        place: dict[str, int | bytes] = {"codec": codec.number, "body_depth": depth, "statement": statement}
        yield f"aggregate_{codec.value}_{count}", make_case("SumProver", AGGREGATE, proof, **place)
        if count <= BLOCK:
            proof = prove_parts(2, 200, total, inputs, depth)
            part = {"part": hex_of(prove_part(2, 200, 0, inputs, depth))}
            yield f"parts_{codec.value}_{count}", make_case("SumProver", PARTS, proof, **place) | part
        if count > min(counts):
            continue

        inputs[1].body[0, :4] = (
            0x80,
            0,
            0,
            1,
        )  # -128; a float32 that is no multiple of the grid; places that fall
        place["statement"] = encode_words(STATEMENT, inputs_root=build_inputs_tree(inputs, depth).root)
        proof = prove_codec(0, 0, 1, inputs, depth)
        yield f"codec_{codec.value}", make_case("SumProver", CODEC, proof, **place)


def models(depth: int) -> Iterator[tuple[str, Case]]:
    """One wrong value on the task's base model, one on the parent's."""
    dice = Dice("models")
    total = np.array([[dice.between(-(1 << 40), 1 << 40) for _ in range(CHUNK)] for _ in range(CHUNKS)])
    base = np.array([[dice.below(1 << 30) for _ in range(CHUNK)] for _ in range(CHUNKS)], np.uint32)
    before = base.view(np.float32)
    weight_sum, codec = 900_001, Codec.INT8
    loops = CODEC_LOOPS[codec]
    step = np.empty((CHUNKS, loops.leaf), np.uint8)
    loops.quantise(total, weight_sum, step, Scratch())
    model = np.asarray(loops.move(step, before, Scratch()), np.float32)
    model.view(np.uint32)[1, 77] ^= 1
    root = compute_rows_root(before, "<f4", depth)
    parent_statement = encode_words(STATEMENT, model_root=root, rows=4)
    parent_result = encode_words(RESULT, statement=keccak256(parent_statement), reward_total=5)
    statement = encode_words(
        STATEMENT,
        aggregate_root=compute_rows_root(total, ">i8", depth),
        model_root=compute_rows_root(model, "<f4", depth),
        new_step_root=compute_body_root(step, depth),
    )
    place: dict[str, int | bytes] = {
        "body_depth": depth,
        "statement": statement,
        "result": encode_words(RESULT, weight_sum=weight_sum),
    }
    proof = prove_model(1, 77, step, model, before, depth)
    yield "model_of_first_round", make_case("ModelProver", MODEL, proof, **place, base_model_root=root)
    proof = prove_model(1, 77, step, model, before, depth, parent_result + parent_statement)
    place["parent_result"] = keccak256(parent_result)
    yield "model", make_case("ModelProver", MODEL, proof, **place, round=encode_words(ROUND, parent=2))


def steps(depth: int) -> Iterator[tuple[str, Case]]:
    """For each codec of steps one wrong value of the step."""
    for codec, loops in CODEC_LOOPS.items():
        if not isinstance(loops, DenseLoops):
            continue
        dice = Dice(f"steps {codec.value}")
        total = np.array([[dice.between(-(1 << 50), 1 << 50) for _ in range(CHUNK)] for _ in range(CHUNKS)])
        step = np.empty((CHUNKS, loops.leaf), np.uint8)
        loops.quantise(total, 900_001, step, Scratch())
        loops.digits(step).view(np.uint8)[2, -1] ^= 1
        statement = encode_words(
            STATEMENT,
            aggregate_root=compute_rows_root(total, ">i8", depth),
            new_step_root=compute_body_root(step, depth),
        )
        place: dict[str, int | bytes] = {"body_depth": depth, "codec": codec.number, "statement": statement}
        result = encode_words(RESULT, weight_sum=900_001)
        proof = prove_step(2, 255, total, step, depth)
        yield f"step_{codec.value}", make_case("ModelProver", STEP, proof, **place, result=result)


def last_steps(depth: int) -> Iterator[tuple[str, Case]]:
    """A last step with one wrong digit, one that is stated as none, and one of a task's first round."""
    dice = Dice("last steps")
    before = np.array([[dice.below(3 << 29) for _ in range(CHUNK)] for _ in range(CHUNKS)], np.uint32).view(
        FLOAT
    )
    before[before >= 2.0**60] = 1
    moved = np.array([[dice.between(-(1 << 20), 1 << 20) for _ in range(CHUNK)] for _ in range(CHUNKS)])
    base = (before + moved * 2.0 ** -np.array([[20], [45], [60]])).astype(FLOAT)
    rows = np.empty((CHUNKS, GRADIENT_LEAF), np.uint8)
    get_loops(CHUNKS).quantise_floats(base - before, rows, Scratch())
    rows[1, 400] ^= 1
    roots = [compute_rows_root(model, "<f4", depth) for model in (base, before)]
    states = [encode_words(STATEMENT, model_root=root, rows=4) for root in roots]
    results = [encode_words(RESULT, statement=keccak256(state), reward_total=5) for state in states]
    place: dict[str, int | bytes] = {
        "body_depth": depth,
        "result": encode_words(RESULT, inputs=1),
        "parent_result": keccak256(results[0]),
        "round": encode_words(ROUND, parent=2),
    }
    stated = encode_words(STATEMENT, step_root=compute_body_root(rows, depth))
    later: dict[str, int | bytes] = {"parent_of_parent": 1, "parent_of_parent_result": keccak256(results[1])}
    parents = results[0] + states[0] + results[1] + states[1]
    shown = open_row(rows, 1, depth)
    proof = prove_last_step(1, parents, (base, before), depth, shown)
    yield "last_step", make_case("ModelProver", LAST_STEP, proof, **place, **later, statement=stated)
    for chunk in 0, 1:  # in the third, all is below half of the grid
        proof = prove_last_step(chunk, results[0] + states[0], (base, before), depth)
        yield (
            f"last_step_of_none_{chunk}",
            make_case("ModelProver", LAST_STEP, proof, **place, base_model_root=roots[1]),
        )
    proof = prove_last_step(0, b"", None, depth)
    first = encode_words(ROUND)
    yield (
        "last_step_of_first_round",
        make_case("ModelProver", LAST_STEP, proof, body_depth=depth, round=first, statement=stated),
    )


def shapes(depth: int) -> Iterator[tuple[str, Case]]:
    """An update without its last chunk, an aggregate with one too many, an input that is not counted."""
    inputs = draw_inputs(Dice("shapes"), Codec.INT8, 2)
    short = [replace(inputs[0], body=inputs[0].body[:-1]), inputs[1]]
    leaves = [encode_input(entry, depth) for entry in short]
    statement = encode_words(STATEMENT, inputs_root=Tree(leaves, ROWS_DEPTH).root)
    proof = prove_update_shape(2, [row.tobytes() for row in short[0].body], depth, 0, leaves)
    yield (
        "update_shape",
        make_case("ShapeProver", shape_claims.UPDATE, proof, body_depth=depth, statement=statement),
    )

    result = encode_words(RESULT, inputs=1)
    proof = prove_shape(1, leaves, ROWS_DEPTH)
    yield (
        "inputs_shape",
        make_case(
            "ShapeProver", shape_claims.INPUTS, proof, body_depth=depth, statement=statement, result=result
        ),
    )

    chunks = [bytes(2048)] * 4
    statement = encode_words(STATEMENT, aggregate_root=Tree(chunks, depth).root)
    proof = prove_shape(3, chunks, depth)
    yield (
        "aggregate_shape",
        make_case("ShapeProver", shape_claims.AGGREGATE, proof, body_depth=depth, statement=statement),
    )
