"""When a task ends by the rule of its card: its newest rounds have brought too little over those before them."""

from collections.abc import Sequence
from dataclasses import dataclass

from dao.core.formats.card import Card, Metric
from dao.core.formats.manifest import Manifest, MeasuredMetric
from dao.core.types import RoundId
from dao.gov.card_words import describe_stop, shorten


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """What a round brought: the mean loss after it, in millionths, and the metric that it states; `parent` is the round before."""

    parent: RoundId
    loss_after: int
    metric: MeasuredMetric | None

    @classmethod
    def of(cls, manifest: Manifest) -> "RoundFigures":
        """Return those of a round's manifest."""
        return cls(manifest.parent, manifest.loss_after, manifest.metric)


def count_rounds(card: Card) -> int:
    """Return how many rounds a card's rule looks back at, 0 without one."""
    return 2 * card.stop.rounds if card.stop else 0


def explain_stop(card: Card, newest: Sequence[RoundFigures]) -> str:
    """Return why a task ends here by its card's rule, "" where it goes on.

    `newest`: the figures of its standing rounds, the newest first, at least as many as the rule looks back at, where there
    are so many. They are compared by the metric that the card names where all of them state it, else by the loss.
    """
    looked_at = newest[: count_rounds(card)]
    if card.stop is None or len(looked_at) < count_rounds(card):
        return ""
    metric = card.metric if card.metric and all(_states(one, card.metric) for one in looked_at) else None
    what = shorten(metric.name) if metric else "loss"
    values = [one.metric.value if metric and one.metric else one.loss_after for one in looked_at]
    is_higher_better = metric is not None and metric.higher_is_better
    choose = max if is_higher_better else min
    last, before = choose(values[: card.stop.rounds]), choose(values[card.stop.rounds :])
    gain = last - before if is_higher_better else before - last
    if gain >= card.stop.gain_micro:
        return ""
    return f"its card ends it: {describe_stop(card.stop, what, (last, before))}; members may vote for another card"


def _states(one: RoundFigures, metric: Metric) -> bool:
    return one.metric is not None and one.metric.name == metric.name
