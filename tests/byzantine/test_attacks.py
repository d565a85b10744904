"""Three Byzantine Supernodes of ten, by the attacks of the literature: the model learns as if they were not there."""

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
import pytest
import pytest_asyncio

from tests.byzantine.arena import NODES, Arena, Delta, Outcome, Play, Seen, Sent

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

BAD = 3
POINTS = 0.02  # of accuracy that attackers may cost
Attack = Callable[[Seen], Sequence[Delta]]

ATTACKS: list[Attack] = []  # each is run against the network
BREAK_THE_MEAN: list[
    Attack
] = []  # and these against the plain mean; the others are built against other rules


def breaks_the_mean(attack: Attack) -> Attack:
    """Add an attack which a network without gate and clip would not stand."""
    BREAK_THE_MEAN.append(attack)
    return spares_the_mean(attack)


def spares_the_mean(attack: Attack) -> Attack:
    """Add an attack which the plain mean would stand, too."""
    ATTACKS.append(attack)
    return attack


def honest_of(seen: Seen) -> Sequence[Delta]:
    return seen.trained[BAD:]


@breaks_the_mean
def sign_flip(seen: Seen) -> Sequence[Delta]:
    return [-delta for delta in seen.trained[:BAD]]


@spares_the_mean
def little_is_enough(seen: Seen) -> Sequence[Delta]:
    """As far from the mean as hides among the honest (ALIE; Baruch et al., arXiv:1902.06156)."""
    needed = NODES // 2 + 1 - BAD
    reach = NormalDist().inv_cdf((NODES - BAD - needed) / (NODES - BAD))
    return [np.mean(honest_of(seen), 0) - reach * np.std(honest_of(seen), 0)] * BAD


@spares_the_mean
def further_than_little(seen: Seen) -> Sequence[Delta]:
    """The same at one and a half deviations, as it is often run."""
    return [np.mean(honest_of(seen), 0) - 1.5 * np.std(honest_of(seen), 0)] * BAD


@spares_the_mean
def inner_product(seen: Seen) -> Sequence[Delta]:
    """Against the mean (IPM; Xie et al., arXiv:1903.03936)."""
    return [-0.5 * np.mean(honest_of(seen), 0)] * BAD


@breaks_the_mean
def label_flip(seen: Seen) -> Sequence[Delta]:
    return [seen.relabelled(node) for node in range(BAD)]


@spares_the_mean
def mimic(seen: Seen) -> Sequence[Delta]:
    """All as one of the honest, whose data then count four times (Karimireddy et al., arXiv:2006.09365)."""
    return [seen.trained[BAD]] * BAD


@breaks_the_mean
def scale(seen: Seen) -> Sequence[Delta]:
    return [10 * delta for delta in seen.trained[:BAD]]


@breaks_the_mean
def noise(seen: Seen) -> Sequence[Delta]:
    size = 30 * np.std(seen.trained[BAD])
    return [seen.dice.normal(0, size, seen.trained[0].shape) for _ in range(BAD)]


def honest_alone(seen: Seen) -> Sequence[Sent]:
    return [Sent(f"node {node}", delta) for node, delta in enumerate(seen.trained) if node >= BAD]


def with_attackers(attack: Attack) -> Play:
    def play(seen: Seen) -> Sequence[Sent]:
        return [
            *(Sent(f"attacker {node}", delta) for node, delta in enumerate(attack(seen))),
            *honest_alone(seen),
        ]

    return play


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(arena: Arena) -> Outcome:
    """What the honest seven reach alone."""
    return await arena.play(honest_alone)


@pytest.fixture(scope="module")
def undisturbed_mean(arena: Arena) -> Outcome:
    return arena.average(honest_alone)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_aggregate__three_of_ten_are_byzantine__at_most_two_points_less_than_without_them(
    arena: Arena, undisturbed: Outcome, attack: Attack
) -> None:
    outcome = await arena.play(with_attackers(attack))
    assert outcome.accuracy >= undisturbed.accuracy - POINTS
    assert outcome.earned("attacker") / outcome.rewards.total() < 0.4


@pytest.mark.parametrize("attack", BREAK_THE_MEAN, ids=lambda attack: attack.__name__)
async def test_plain_mean__three_of_ten_are_byzantine__more_than_two_points_less(
    arena: Arena, undisturbed_mean: Outcome, attack: Attack
) -> None:
    assert arena.average(with_attackers(attack)).accuracy < undisturbed_mean.accuracy - POINTS
