"""The figures of a task's rounds by round and by Supernode, as their manifests have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dao.audit.provenance import TracedRound
from dao.core.types import RoundId, Timestamp, hex_of

_MILLION, _TOKEN = 1e6, 1e18


@dataclass(frozen=True, slots=True)
class RoundMetrics:
    """The figures of a round by name: losses and scores in units of the loss, amounts in tokens."""

    round: RoundId
    posted_at: Timestamp
    values: Mapping[str, float]


def list_metrics(traced: Sequence[TracedRound]) -> list[RoundMetrics]:
    """List the figures of each round; those of a Supernode are named `score/0x…` and `reward/0x…`."""
    return [RoundMetrics(one.record.round, one.record.state.posted_at, _measure(one)) for one in traced]


def _measure(traced: TracedRound) -> dict[str, float]:
    manifest = traced.manifest
    values: dict[str, float] = {
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
