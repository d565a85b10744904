"""Attacks by name: what members of a coalition send instead of honest work. `dao simulate` and `script/bench attacks` play them.

Updates are flat, (values,); many are (members, values).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
FREE_RIDE = 0.01  # standard deviation of what a free rider sends


@dataclass(frozen=True)
class Coalition:
    """What attackers have in a round: what honest work gives each of them, and what is public."""

    trained: Floats  # (members, values); zeros where the attack does without
    dice: np.random.Generator
    step: Floats | None  # the model's last one
    best: Floats | None  # the update of another that the last round scored highest


@dataclass(frozen=True)
class Attack:
    """What a coalition sends, (members, values); `flips` its labels first, `trains` at all."""

    act: Callable[[Coalition], Floats]
    flips: bool = False
    trains: bool = True


def scale(vector: Floats, like: Floats) -> Floats:
    """Return a vector as long as another."""
    length = float(np.linalg.norm(vector))
    return vector * (float(np.linalg.norm(like)) / length) if length else vector


def draw_direction(dice: np.random.Generator, like: Floats) -> Floats:
    """Draw a random direction, as long as an update."""
    return scale(dice.normal(size=like.shape), like)


def flip_labels(labels: Labels, classes: int) -> Labels:
    """Call class d the last class minus d."""
    return classes - 1 - labels


def reverse_mean(known: Floats, like: Floats) -> Floats:
    """Return the mean of known updates backwards, as long as an update."""
    return scale(-known.mean(0), like)


def halve_backwards(known: Floats) -> Floats:
    """Return half the mean backwards (inner product manipulation; Xie et al., arXiv:1903.03936)."""
    return np.asarray(-0.5 * known.mean(0))


def deviate(known: Floats) -> Floats:
    """Go one and a half deviations from the mean (a little is enough; Baruch et al., arXiv:1902.06156)."""
    return np.asarray(known.mean(0) - 1.5 * known.std(0))


def hide_in_spread(known: Floats) -> Floats:
    """Go along minus the deviation, as far as any two known are apart (Shejwalkar, Houmansadr, NDSS 2021)."""
    mean, way = known.mean(0), -known.std(0)
    most = max(float(np.linalg.norm(a - b)) for a in known for b in known)
    low, high = 0.0, 100.0
    for _ in range(30):
        middle = (low + high) / 2
        far = max(float(np.linalg.norm(mean + middle * way - other)) for other in known)
        low, high = (middle, high) if far <= most else (low, middle)
    return np.asarray(mean + low * way)


def _all(sent: Floats, coalition: Coalition) -> Floats:
    return np.repeat(sent[np.newaxis], len(coalition.trained), axis=0)


def _each_as_long(public: Floats | None, coalition: Coalition) -> Floats:
    """Return what is public, as long as each member's own update; before anything is, honest work."""
    if public is None:
        return coalition.trained
    return np.stack([scale(public, own) for own in coalition.trained])


def _draw_each(coalition: Coalition, times: float) -> Floats:
    return np.stack([times * draw_direction(coalition.dice, own) for own in coalition.trained])


ATTACKS = {
    "label-flip": Attack(lambda seen: seen.trained, flips=True),
    "sign-flip": Attack(lambda seen: _all(reverse_mean(seen.trained, seen.trained[0]), seen)),
    "noise": Attack(lambda seen: _draw_each(seen, 1)),
    "noise30": Attack(lambda seen: _draw_each(seen, 30)),
    "zero": Attack(lambda seen: seen.trained, trains=False),
    "scale5": Attack(lambda seen: 5 * seen.trained),
    "copy": Attack(lambda seen: _each_as_long(seen.best, seen)),
    "replay-step": Attack(lambda seen: _each_as_long(seen.step, seen)),
    "ipm": Attack(lambda seen: _all(halve_backwards(seen.trained), seen)),
    "alie": Attack(lambda seen: _all(deviate(seen.trained), seen)),
    "min-max": Attack(lambda seen: _all(hide_in_spread(seen.trained), seen)),
    "free-ride": Attack(lambda seen: seen.dice.normal(0, FREE_RIDE, seen.trained.shape), trains=False),
}
