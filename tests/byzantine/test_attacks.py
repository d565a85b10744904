"""Three Byzantine Supernodes of ten, by the attacks of the literature: the model learns as if they were not there."""

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
import pytest

from tests.byzantine.arena import NODES, Arena, Delta, Play, Seen, Sent

BAD = 3
POINTS = 0.02  # of accuracy that attackers may cost
Attack = Callable[[Seen], Sequence[Delta]]


def honest_of(seen: Seen) -> Sequence[Delta]:
    return seen.trained[BAD:]


def sign_flip(seen: Seen) -> Sequence[Delta]:
    return [-delta for delta in seen.trained[:BAD]]


def little_is_enough(seen: Seen) -> Sequence[Delta]:
    """As far from the mean as hides among the honest (ALIE; Baruch et al., arXiv:1902.06156)."""
    needed = NODES // 2 + 1 - BAD
    reach = NormalDist().inv_cdf((NODES - BAD - needed) / (NODES - BAD))
    return [np.mean(honest_of(seen), 0) - reach * np.std(honest_of(seen), 0)] * BAD


def further_than_little(seen: Seen) -> Sequence[Delta]:
    """The same at one and a half deviations, as it is often run."""
    return [np.mean(honest_of(seen), 0) - 1.5 * np.std(honest_of(seen), 0)] * BAD


def inner_product(seen: Seen) -> Sequence[Delta]:
    """Against the mean (IPM; Xie et al., arXiv:1903.03936)."""
    return [-0.5 * np.mean(honest_of(seen), 0)] * BAD


def label_flip(seen: Seen) -> Sequence[Delta]:
    return [seen.relabelled(node) for node in range(BAD)]


def mimic(seen: Seen) -> Sequence[Delta]:
    """All as one of the honest, whose data then count four times (Karimireddy et al., arXiv:2006.09365)."""
    return [seen.trained[BAD]] * BAD


def scale(seen: Seen) -> Sequence[Delta]:
    return [10 * delta for delta in seen.trained[:BAD]]


def noise(seen: Seen) -> Sequence[Delta]:
    size = 30 * np.std(seen.trained[BAD])
    return [seen.dice.normal(0, size, seen.trained[0].shape) for _ in range(BAD)]


ATTACKS = (
    sign_flip,
    little_is_enough,
    further_than_little,
    inner_product,
    label_flip,
    mimic,
    scale,
    noise,
)
PLAIN_FAILS = (
    sign_flip,
    label_flip,
    scale,
    noise,
)  # the others are built against rules that are not the mean


def honest_alone(seen: Seen) -> Sequence[Sent]:
    return [Sent(f"node {node}", delta) for node, delta in enumerate(seen.trained) if node >= BAD]


def with_attackers(attack: Attack) -> Play:
    def play(seen: Seen) -> Sequence[Sent]:
        return [
            *(Sent(f"attacker {node}", delta) for node, delta in enumerate(attack(seen))),
            *honest_alone(seen),
        ]

    return play


@pytest.mark.timeout(300)
async def test_aggregate__three_of_ten_are_byzantine__at_most_two_points_less_than_without_them(
    arena: Arena,
) -> None:
    alone = await arena.play(honest_alone)
    plain_alone = arena.average(honest_alone)
    for attack in ATTACKS:
        outcome = await arena.play(with_attackers(attack))
        assert outcome.accuracy >= alone.accuracy - POINTS, (attack.__name__, outcome, alone)
        share = outcome.earned("attacker") / outcome.rewards.total()
        assert share < 0.4, (attack.__name__, share)
    for attack in PLAIN_FAILS:
        plain = arena.average(with_attackers(attack))
        assert plain.accuracy < plain_alone.accuracy - POINTS, (attack.__name__, plain, plain_alone)
