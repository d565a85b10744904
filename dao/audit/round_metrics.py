"""The figures of a task's rounds by round and by Supernode, as their manifests have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dao.audit.provenance import TracedRound
from dao.core.types import RoundId, Timestamp, hex_of
from dao.gov.card_words import shorten

_MILLION, _TOKEN = 1e6, 1e18


@dataclass(frozen=True, slots=True)
class RoundMetrics:
    """The figures of a round by name: metric, losses and scores in their own units, amounts in tokens."""

    round: RoundId
    posted_at: Timestamp
    values: Mapping[str, float]


def list_metrics(traced: Sequence[TracedRound]) -> list[RoundMetrics]:
    """List the figures of each round, first the metric that people read, `metric/NAME`; a Supernode's are `score/0x…` and `reward/0x…`."""
    return [RoundMetrics(one.record.round, one.record.state.posted_at, _measure(one)) for one in traced]


def _measure(traced: TracedRound) -> dict[str, float]:
    manifest = traced.manifest
    metric = manifest.metric
    values: dict[str, float] = {
        **({f"metric/{shorten(metric.name)}": metric.value / _MILLION} if metric else {}),
        "loss/before": manifest.loss_before / _MILLION,
        "loss/after": manifest.loss_after / _MILLION,
        "supernodes/committed": len(manifest.nodes),
        "supernodes/counted": sum(node.weight > 0 for node in manifest.nodes),
        "supernodes/passed": len(manifest.passes),
        "supernodes/absent": len(manifest.absent),
        "paid": sum(node.reward_wei for node in manifest.nodes) / _TOKEN,
    }
    for node in manifest.nodes:
        values[f"score/{hex_of(node.node)}"] = node.score / _MILLION
        values[f"reward/{hex_of(node.node)}"] = node.reward_wei / _TOKEN
    return values
