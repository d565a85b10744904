"""Writes dots.json, running totals of products, with the proofs of their steps: `python -m tests.vectors.make_dots`."""

import json
from pathlib import Path

import numpy as np

from dao.core.constants import CHUNK, GRADIENT_DIGITS
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.merkle import compute_root
from dao.core.types import Codec, hex_of
from dao.proofs.dots import STEP, compute_totals, encode_totals, prove_step
from dao.proofs.openings import Rows, hash_rows
from tests.vectors.body_proofs import draw_body
from tests.vectors.dice import Dice

DEPTH = 7
CHUNKS = 34  # the second step is a short one


def draw_gradient(dice: Dice, chunks: int) -> Rows:
    """Rows of a gradient, whose ends are in it."""
    digits = [[dice.between(-32767, 32767) for _ in range(CHUNK)] for _ in range(chunks)]
    rows = np.empty((chunks, 2 * CHUNK + 1), np.uint8)
    most = (1 << GRADIENT_DIGITS) - 1
    digits[0][:2] = most, -most
    rows[:, :-1].view(">i2")[:] = digits
    rows[:, -1] = [dice.below(48) for _ in range(chunks)]
    return rows


def make_case(
    codec: Codec, chunks: int = CHUNKS, depth: int = DEPTH, left: int = CHUNKS
) -> dict[str, object]:
    """One update, `left` chunks long, with the gradient of its first ones, and all steps of their totals."""
    dice = Dice(f"dots {codec.value} {chunks}")
    loops = CODEC_LOOPS[codec]
    if codec is Codec.TOPK:
        body = draw_body(dice, codec, left)
    else:
        body = np.concatenate([draw_body(dice, codec) for _ in range(-(-left // 3))])[:left]
    body = np.ascontiguousarray(body)
    gradient = draw_gradient(dice, chunks)
    totals = compute_totals(body, gradient, loops, depth)
    height = min(STEP, depth)
    leaves, steps = encode_totals(totals), range(len(totals))
    dots = [prove_step(index, leaves, (body, gradient), depth, loops.leaf_chunks) for index in steps]
    squares = [prove_step(index, leaves, (body,), depth, loops.leaf_chunks) for index in steps]
    return {
        "codec": codec.number,
        "depth": depth,
        "chunks": chunks,
        "left_chunks": left,
        "steps": len(totals),
        "totals": hex_of(compute_root(hash_rows(leaves), depth - height)),
        "body": hex_of(compute_root(hash_rows(body), depth)),
        "gradient": hex_of(compute_root(hash_rows(gradient), depth)),
        **{f"proof_{index}": hex_of(proof) for index, proof in enumerate(dots)},
        **{f"square_{index}": hex_of(proof) for index, proof in enumerate(squares)},
    }


def text() -> str:
    """The file's text."""
    cases = {
        "int8": make_case(Codec.INT8, left=CHUNKS + 3),
        "float32": make_case(Codec.FLOAT32),
        "topk": make_case(Codec.TOPK),
        "shallow": make_case(Codec.INT8, chunks=3, depth=2, left=4),
        "shallow_topk": make_case(Codec.TOPK, chunks=3, depth=2, left=3),
    }
    return json.dumps({"cases": cases}, indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "dots.json").write_text(text())
