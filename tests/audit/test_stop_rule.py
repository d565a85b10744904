"""When a card ends its task: once the newest rounds have brought too little over those before them."""

import re

import pytest

from dao.audit.stop_rule import RoundFigures, explain_stop
from dao.core.formats.card import Card, Metric, Stop
from dao.core.formats.manifest import MeasuredMetric
from dao.core.types import RoundId

HIGHER, LOWER = Metric("f1", higher_is_better=True), Metric("f1", higher_is_better=False)


def rounds(*figures: tuple[int, int | None], name: str = "f1") -> list[RoundFigures]:
    """Rounds of these losses and metrics, in thousandths, the newest first."""
    return [
        RoundFigures(RoundId(0), loss * 1000, None if value is None else MeasuredMetric(name, value * 1000))
        for loss, value in figures
    ]


BETTER = rounds((50, 810), (70, 790), (60, 800), (60, 790))  # by .01 in either


@pytest.mark.parametrize(
    ("newest", "metric", "gain", "ends"),
    [
        (BETTER, HIGHER, 10_000, ""),
        (BETTER, HIGHER, 10_001, r"best f1 of its last 2 rounds \(0.81\) is not 0.010001 better than .* before \(0.8\);"),
        (BETTER, LOWER, 0, ""),
        (BETTER, LOWER, 1, r"best f1 of its last 2 rounds \(0.79\) is not 0.000001 better than .* before \(0.79\);"),
        (BETTER, None, 10_000, ""),
        (BETTER, None, 10_001, r"best loss of its last 2 rounds \(0.05\) is not 0.010001 better than .* \(0.06\);"),
        (BETTER[2:] + BETTER[:2], None, 0, r"best loss of its last 2 rounds \(0.06\) is not as good as .* \(0.05\);"),
        (BETTER[:3], None, 10**9, ""),
        (BETTER[:3] + rounds((60, None)), HIGHER, 10_001, r"best loss .* before \(0.06\);"),
        (BETTER[:3] + rounds((60, 1), name="auc"), HIGHER, 10_001, r"best loss .* before \(0.06\);"),
        (BETTER + rounds((0, 1000)), HIGHER, 10_000, ""),
    ],
)  # fmt: skip
def test_explain_stop__rounds__compares_the_newest_with_as_many_before(
    newest: list[RoundFigures], metric: Metric | None, gain: int, ends: str
) -> None:
    said = explain_stop(Card("Cells", metric=metric, stop=Stop(2, gain)), newest)
    expected = ends and f"its card ends it: the {ends} members may vote for another card"
    assert re.fullmatch(expected, said), said


def test_explain_stop__card_without_a_rule__goes_on() -> None:
    assert explain_stop(Card("Cells"), BETTER[2:] + BETTER[:2]) == ""
