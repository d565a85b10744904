"""Running totals end at the products that the protocol has."""

import numpy as np
import pytest

from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.totals import Bins, RunningTotals, to_limbs
from dao.core.types import Codec
from dao.proofs.dots import compute_totals, encode_totals
from tests.core.sample import DENSE
from tests.vectors.body_proofs import draw_body
from tests.vectors.dice import Dice
from tests.vectors.make_dots import draw_gradient


def total_of(bins: Bins) -> int:
    return RunningTotals.of(to_limbs(bins)).total


@pytest.mark.parametrize(
    ("codec", "depth", "steps"),
    [
        *((codec, *rest) for codec in DENSE for rest in ((0, 3), (1, 2), (2, 1), (7, 1))),
        *((Codec.TOPK, *rest) for rest in ((2, 1), (7, 1))),
    ],
)
def test_totals__each_depth__end_at_product_and_square(codec: Codec, depth: int, steps: int) -> None:
    loops = CODEC_LOOPS[codec]
    body, gradient = draw_body(Dice("body"), codec), draw_gradient(Dice("gradient"), 3)
    totals = compute_totals(body, gradient, loops, depth)
    assert len(totals) == steps
    digits, exponents = gradient[:, :-1].view(">i2").astype(np.float64), gradient[:, -1]
    assert totals[-1][0] == total_of(loops.dot(body, digits, exponents, Scratch()))
    assert totals[-1][1] == total_of(loops.square(body, Scratch()))


def test_encode_totals__signed_product_then_square__64_bytes_each() -> None:
    rows = encode_totals([(-1, 2), (1 << 200, 0)])
    assert rows[0].tobytes() == bytes([255]) * 32 + bytes(31) + bytes([2])
    assert rows[1].tobytes() == (1 << 200).to_bytes(32, "big") + bytes(32)
