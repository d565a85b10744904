"""Writes honest.json, a round of each codec as `dao.core` computes it, and proofs that convict nobody: `python -m tests.vectors.make_honest`."""

import json
from pathlib import Path

import numpy as np

from dao.core.aggregate import compute_aggregate
from dao.core.engine.backend import get_step_codec
from dao.core.engine.chunking import Scratch
from dao.core.engine.keccak import keccak256
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.products import compute_sums
from dao.core.formats.gradient import quantise_gradient
from dao.core.formats.layout import FLOAT, Layout, Model, StepModel, compute_model_root
from dao.core.formats.update import Update, encode_update_rows, get_leaf_chunks, get_leaf_size
from dao.core.types import Codec, hex_of
from dao.core.weigh import UpdateEntry
from dao.proofs.leaf_places import show_row
from dao.proofs.models import prove_last_step, prove_model, prove_step
from dao.proofs.sums import SumInput, build_inputs_tree, prove_aggregate
from tests.vectors.dice import Dice
from tests.vectors.proof_case import BODY_DEPTH, RESULT, STATEMENT, encode_words

# with padding behind all; one is carried
LAYOUT = Layout((("a", (70,)), ("b", (9, 30)), ("c", (4, 5))), ("b",))
# of a zero with a sign, a subnormal, the largest, one of the grid, and of any bits; places of these, of the padding, and of any
EDGES = (0x80000000, 0x00000001, 0x7F7FFFFF, 0x2F800000)
PLACES = ((0, 0), (0, 1), (0, 2), (0, 3), (0, 100), (1, 100), (2, 13))
WEIGHTS = (3, 7, 11)


def draw_base(dice: Dice) -> Model:
    """A base model with the edges first."""
    bits = [*EDGES, *(dice.below(0x7F800000) | dice.below(2) << 31 for _ in range(LAYOUT.size - len(EDGES)))]
    return Model(LAYOUT, np.array(bits, np.uint32).view(FLOAT))


def draw_update(dice: Dice, codec: Codec) -> Update:
    """An update whose first value is nothing."""
    zero = Model(LAYOUT, np.zeros(LAYOUT.size, FLOAT))
    moved = [dice.between(-(1 << 30), 1 << 30) * 2.0 ** -dice.between(25, 60) for _ in range(LAYOUT.size)]
    trained = Model(LAYOUT, np.array([0, *moved[1:]], FLOAT))
    return Update(LAYOUT, codec, encode_update_rows(zero, trained, codec))


def make_round(codec: Codec) -> dict[str, object]:
    """The round of a codec: what its statement and result bind, and proofs at each of the places."""
    dice = Dice(f"honest {codec.value}")
    base, nodes = draw_base(dice), sorted(dice.address() for _ in WEIGHTS)
    updates = [draw_update(dice, codec) for _ in nodes]
    entries = [UpdateEntry(node, 1, update) for node, update in zip(nodes, updates, strict=True)]
    new = Model(LAYOUT, np.empty(LAYOUT.size, FLOAT))
    rows = np.empty((LAYOUT.chunks, get_leaf_size(get_step_codec(codec))), np.uint8)
    roots = compute_aggregate(entries, WEIGHTS, sum(WEIGHTS), base, codec, rows, new.flat, BODY_DEPTH)

    columns = zip(nodes, WEIGHTS, updates, strict=True)
    inputs = [SumInput(node, weight, update.body, get_leaf_chunks(codec)) for node, weight, update in columns]
    total = compute_sums(updates, WEIGHTS, sum(WEIGHTS), (0, LAYOUT.chunks), Scratch())
    before, after = (model.span(0, LAYOUT.chunks) for model in (base, new))
    proofs: dict[str, bytes] = {}
    for index, place in enumerate(PLACES):
        proofs[f"sum_{index}"] = prove_aggregate(*place, total, inputs, BODY_DEPTH)
        proofs[f"model_{index}"] = prove_model(*place, rows, after, before, BODY_DEPTH)
        proofs[f"step_{index}"] = prove_step(*place, total, rows, BODY_DEPTH)
    return {
        "codec": codec.number,
        "body_depth": BODY_DEPTH,
        "chunks": LAYOUT.chunks,
        "scored_chunks": LAYOUT.scored_chunks,
        "weight_sum": sum(WEIGHTS),
        "inputs_root": hex_of(build_inputs_tree(inputs, BODY_DEPTH).root),
        "aggregate_root": hex_of(roots.sums),
        "new_step_root": hex_of(roots.step),
        "model_root": hex_of(roots.model),
        "base_model_root": hex_of(compute_model_root(base, BODY_DEPTH)),
        "places": len(PLACES),
        **{name: hex_of(proof) for name, proof in proofs.items()},
    }


def make_last_step() -> dict[str, object]:
    """A parent that moved every value of its base model, by much or next to nothing; what the round goes on from, and proofs.

    What is only carried moves too, and the last step has none of it.
    """
    dice = Dice("honest last step")
    bits = [
        *EDGES[:2],
        *(dice.between(1 << 23, 0x60000000) | dice.below(2) << 31 for _ in range(LAYOUT.size - 2)),
    ]
    before = Model(LAYOUT, np.array(bits, np.uint32).view(FLOAT))
    moved = [dice.between(-1024, 1024) * 2.0 ** -dice.between(10, 66) for _ in range(LAYOUT.size)]
    base = Model(LAYOUT, (before.flat + np.array(moved)).astype(FLOAT))
    rows = quantise_gradient(StepModel(before, base))
    models = base.span(0, LAYOUT.chunks), before.span(0, LAYOUT.chunks)
    statement = encode_words(STATEMENT, model_root=compute_model_root(base, BODY_DEPTH))
    result = encode_words(RESULT, statement=keccak256(statement))
    proofs = {
        f"last_step_{chunk}": prove_last_step(
            chunk,
            result + statement,
            models if chunk < len(rows) else None,
            BODY_DEPTH,
            show_row(rows, chunk, BODY_DEPTH),
        )
        for chunk in range(LAYOUT.chunks)
    }
    return {
        "body_depth": BODY_DEPTH,
        "chunks": LAYOUT.chunks,
        "scored_chunks": LAYOUT.scored_chunks,
        "parent_result": hex_of(keccak256(result)),
        "base_model_root": hex_of(compute_model_root(before, BODY_DEPTH)),
        "step_root": hex_of(compute_body_root(rows, BODY_DEPTH)),
        **{name: hex_of(proof) for name, proof in proofs.items()},
    }


def text() -> str:
    """The file's text."""
    rounds = {codec.value: make_round(codec) for codec in Codec}
    return json.dumps({**rounds, "last_step": make_last_step()}, indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "honest.json").write_text(text())
