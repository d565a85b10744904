"""Which round is the best: by the metric that the card names and its direction, else by the loss."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.audit.provenance import find_best
from dao.core.formats.card import Metric
from dao.core.formats.manifest import Manifest, MeasuredMetric

HIGHER, LOWER = Metric("f1", higher_is_better=True), Metric("f1", higher_is_better=False)


def stated(loss: int, value: int | None = None, name: str = "f1") -> Manifest:
    metric = None if value is None else MeasuredMetric(name, value)
    return cast("Manifest", cast("Any", SimpleNamespace(loss_after=loss, metric=metric)))


@pytest.mark.parametrize(
    ("metric", "best"),
    [(HIGHER, 1), (LOWER, 3), (None, 4), (Metric("auc", higher_is_better=True), 5)],
    ids=["higher is better", "lower is better", "the card names none", "another metric"],
)
def test_find_best__rounds_with_and_without_the_metric__by_its_direction_then_by_the_loss(
    metric: Metric | None, best: int
) -> None:
    manifests = [
        stated(40, 900_000),
        stated(30, 900_000),  # as good, and with less loss
        stated(20, 700_000),
        stated(50, -100_000),
        stated(10),  # the least loss, and no metric
        stated(60, 1, "auc"),
    ]
    assert find_best(manifests, metric) == best
