"""Exact Shapley values of a round: the loss at the model of each of the 2^n coalitions of its updates."""

from __future__ import annotations

from math import comb

import numpy as np

from bench.attacks.data import Floats, RowSet
from bench.attacks.learner import Learner


def compute_shapley(learner: Learner, base: Floats, parts: Floats, shard: RowSet) -> Floats:
    """Return what each of `parts` (n, values) takes off the loss at `base`, averaged over all orders, (n,).

    A coalition's model is the base plus the parts of its members (Shapley, A Value for n-Person Games, 1953).
    """
    players = len(parts)
    coalitions = np.arange(1 << players)
    members = (coalitions[:, np.newaxis] >> np.arange(players)) & 1
    worth = -learner.losses(base + members @ parts, shard)
    sizes = members.sum(1)
    chance = np.array([1 / (players * comb(players - 1, size)) for size in range(players)] + [0.0])
    values = []
    for player in range(players):
        without = coalitions[members[:, player] == 0]
        values.append(chance[sizes[without]] @ (worth[without | 1 << player] - worth[without]))
    return np.array(values)
