"""Deals the rows of one file among simulated contributors: evenly, or with a mix of classes of each one's own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dao.errors import ConfigError

Rows = NDArray[np.int64]
LEAST = 8  # rows of a contributor, where there are so many
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Split:
    """`skew`: of Dirichlet's distribution by which contributors hold a class's rows; None: evenly."""

    skew: float | None

    @classmethod
    def parse(cls, text: str) -> "Split":
        """Read `iid` or `dirichlet:NUMBER`; ConfigError for another text."""
        kind, _, number = text.partition(":")
        if text == "iid":
            return cls(None)
        try:
            skew = float(number)
        except ValueError:
            skew = 0.0
        if kind != "dirichlet" or not 0.001 <= skew <= 1e6:
            raise ConfigError(f"--split {text}: expected iid or dirichlet:NUMBER, such as dirichlet:0.5")
        return cls(skew)


def deal_rows(split: Split, codes: Rows, classes: int, nodes: int, seed: int) -> Sequence[Rows]:
    """Return the numbers of the rows of each of `nodes` contributors; each row is dealt once, the same for a seed.

    `codes` is the class of each row. Dirichlet's way is that of Hsu et al., arXiv:1909.06335; then who has too few gets rows of
    who has most. ConfigError where there are fewer rows than contributors, or nothing to tell classes by.
    """
    if len(codes) < nodes:
        raise ConfigError(f"--nodes {nodes}: expected at most one for each of the {len(codes)} rows")
    dice = np.random.Generator(np.random.Philox([seed, nodes]))
    if split.skew is None:
        return np.array_split(dice.permutation(len(codes)), nodes)
    if not 1 < classes <= MOST_CLASSES:
        raise ConfigError(
            f"--split dirichlet: expected labels of 2 to {MOST_CLASSES} classes, got {classes}; name their column by --label"
        )
    parts: list[list[Rows]] = [[] for _ in range(nodes)]
    for label in range(classes):
        rows = dice.permutation(np.flatnonzero(codes == label))
        ends = (np.cumsum(dice.dirichlet([split.skew] * nodes)) * len(rows)).astype(int)[:-1]
        for part, dealt in zip(parts, np.split(rows, ends), strict=True):
            part.append(dealt)
    held = [dice.permutation(np.concatenate(part)) for part in parts]
    return _level(held, min(LEAST, len(codes) // nodes))


def _level(held: list[Rows], least: int) -> list[Rows]:
    """Move rows from who has most to who has fewer than `least`."""
    for index in range(len(held)):
        while (missing := least - len(held[index])) > 0:
            largest = max(range(len(held)), key=lambda one: len(held[one]))
            given = min(missing, len(held[largest]) - least)
            held[index] = np.concatenate([held[index], held[largest][:given]])
            held[largest] = held[largest][given:]
    return held
