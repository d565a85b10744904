"""A round as one chain of pure functions, from the updates of its nodes to what is posted of it.

    get_entries -> compute_round_weights -> compute_round_model -> compute_round_scores -> settle_round -> compute_result

The Superlink, the auditor and the simulation all call these. What lies between them is theirs: the gate gradient is taken
before the weights, the reference gradient after the model, and content is stored and named as it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dao.core.aggregate import AggregateRoots, compute_aggregate
from dao.core.engine.chunking import Each, Sink
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Model
from dao.core.formats.update import Update
from dao.core.round_machine import compute_counted_stake
from dao.core.score import Scoring, compute_scores
from dao.core.settle import settle_round
from dao.core.state import LostRound, PreState, RoundInputs, RoundOutcome, get_post_state, retire_drawn
from dao.core.statement import compute_result
from dao.core.types import ZERO_DIGEST, Address, Digest
from dao.core.weigh import UpdateEntry, Weighing, compute_weights

__all__ = [
    "LostRound",
    "PreState",
    "RoundInputs",
    "RoundOutcome",
    "compute_gradient_root",
    "compute_result",
    "compute_round_model",
    "compute_round_scores",
    "compute_round_weights",
    "get_entries",
    "get_post_state",
    "retire_drawn",
    "settle_round",
]


def get_entries(inputs: RoundInputs, updates: Mapping[Address, Update]) -> list[UpdateEntry]:
    """Return the updates that count, those of commits without a failure, with their nodes' stakes as they count."""
    return [
        UpdateEntry(one.node, compute_counted_stake(inputs.rules, one.member.stake), updates[one.node])
        for one in inputs.commits
        if one.failure is None
    ]


def compute_round_weights(
    inputs: RoundInputs, entries: Sequence[UpdateEntry], gate_gradient: Gradient | None, each: Each = map
) -> Weighing:
    """Weigh the updates; without any there may be no gate gradient, and nothing weighs."""
    if gate_gradient is None or not entries:
        return Weighing((), 0)
    memories = {record.node: inputs.state.get_memory(record.member.owner) for record in inputs.commits}
    return compute_weights(entries, gate_gradient, memories, inputs.rules.body_depth, each)


def compute_round_model(
    inputs: RoundInputs,
    entries: Sequence[UpdateEntry],
    weighing: Weighing,
    base: Model,
    rows: Sink,
    out: Sink,
    each: Each = map,
) -> AggregateRoots:
    """Write the step's rows and the new model's values, as `compute_aggregate` does; return the roots of aggregate, step and model."""
    codec, depth = inputs.rules.codec, inputs.rules.body_depth
    weights, weight_sum = weighing.weights, weighing.weight_sum
    return compute_aggregate(entries, weights, weight_sum, base, codec, rows, out, depth, each)


def compute_gradient_root(gradient: Gradient | None, depth: int) -> Digest:
    """Return the root of a gradient's body, of this depth; 32 zero bytes without one."""
    return ZERO_DIGEST if gradient is None else compute_body_root(gradient.body, depth)


def compute_round_scores(
    inputs: RoundInputs,
    entries: Sequence[UpdateEntry],
    weighing: Weighing,
    gradient: Gradient | None,
    last_step: Gradient | None,
    each: Each = map,
) -> Scoring:
    """Return the score of each node whose update counts; there is a gradient just when there is an update.

    `last_step` is from the parent's base model to this round's (`StepModel`), None where there is no parent.
    """
    if gradient is None or not entries:
        return Scoring(())
    return compute_scores(entries, weighing, gradient, last_step, inputs.rules.body_depth, each)
