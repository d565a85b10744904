"""Exact Shapley values of a round: the loss at the model of every coalition, by the arithmetic of the protocol."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapiq
from numpy.typing import NDArray

from dao.app.gradient_client import GradientClient
from dao.core.aggregate import compute_aggregate
from dao.core.formats.layout import Model, compute_depth, compute_model_size, write_model
from dao.core.weigh import UpdateEntry


async def exact_shapley(
    evaluator: GradientClient,
    shard: Path,
    base: Model,
    entries: Sequence[UpdateEntry],
    weights: Sequence[int],
    weight_sum: int,
    scratch: Path,
) -> NDArray[np.float64]:
    """What each entry takes off the loss, averaged over every order in which they could come; (entries,).

    A coalition's model is the base plus its members' parts of the aggregate: the others weigh nothing.
    """
    players = len(entries)
    losses = np.empty(1 << players)
    for coalition in range(1 << players):
        counted = [weight if coalition >> i & 1 else 0 for i, weight in enumerate(weights)]
        out = bytearray(compute_model_size(base.layout))
        compute_aggregate(
            entries,
            counted,
            weight_sum,
            base,
            entries[0].update.codec,
            np.empty_like(entries[0].update.body),
            write_model(base.layout, out).flat,
            compute_depth(base.layout.chunks),
        )
        scratch.write_bytes(out)  # noqa: ASYNC240  (a test has the loop for itself)
        losses[coalition] = await evaluator.loss(scratch, shard)
    bits = 1 << np.arange(players)

    def game(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        worth: NDArray[np.float64] = losses[0] - losses[coalitions @ bits]
        return worth

    values = shapiq.ExactComputer(n_players=players, game=game)("SV")
    return np.array([values[(player,)] for player in range(players)])
