"""The short form of `script/bench attacks`: the smaller data set, evenly dealt and skewed, by the chance of one seed.

The whole table, on two data sets and eight seeds, stands in docs/decisions.md.
"""

from collections.abc import Sequence
from statistics import mean
from typing import Any

import pytest

from bench.attacks.earning import EARNERS
from bench.attacks.harming import HARMERS
from bench.attacks.table import ALL, make_cells, play_cell

SEED = 1
GAIN = 1.15  # of one seed, where the table has at most 1.05 of eight
POINTS = 0.03  # of accuracy
Row = dict[str, Any]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def rows() -> Sequence[Row]:
    even = make_cells(["cancer"], ["iid"], [SEED], list(EARNERS), 1, shared=True)
    cells = even + make_cells(["cancer"], ["dirichlet"], [SEED], ALL, 1, shared=True)
    return [row for cell in cells for row in play_cell(cell)]


@pytest.mark.parametrize("attack", EARNERS)
def test_rewards__attack_on_pay__no_more_than_honest_work(rows: Sequence[Row], attack: str) -> None:
    of_attack = [row for row in rows if row["attack"] == attack]
    gain = sum(row["earned"] for row in of_attack) / sum(row["twin"] for row in of_attack)
    assert len(of_attack) == 2
    assert gain <= GAIN
    assert attack not in ("zero", "noise") or gain == 0


@pytest.mark.parametrize("attack", HARMERS)
def test_accuracy__three_of_ten_attack_the_model__as_without_them(rows: Sequence[Row], attack: str) -> None:
    lost = [row["without"] - row["accuracy"] for row in rows if row["attack"] == attack]
    assert mean(lost) <= POINTS


@pytest.mark.parametrize("attack", ["sign-flip"])
def test_plain_mean__three_of_ten_attack_the_model__less_accurate(rows: Sequence[Row], attack: str) -> None:
    lost = [row["plain_without"] - row["plain_accuracy"] for row in rows if row["attack"] == attack]
    assert mean(lost) > 0


def test_payouts__honest_play__exact_shapley_values(rows: Sequence[Row]) -> None:
    honest = [row for row in rows if row["attack"] == "honest"]
    assert mean(row["cosine"] for row in honest) >= 0.998
    assert mean(row["rel_l2"] for row in honest) <= 0.06
