"""Attacks of three of ten that want to harm the model, by what they know: their own updates, or everybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.attacks.data import Floats, RowSet
from bench.attacks.network import Sent
from bench.attacks.plays import Members, MembersView
from dao.demo import attacks

BAD = (0, 1, 2)
Harm = Callable[
    [MembersView, Floats], Floats
]  # what all three send; of the updates that they know, (updates, values)


@dataclass(frozen=True)
class Harmer:
    """An attack, and the knowledge that makes a difference to it."""

    act: Harm
    knows: tuple[str, ...] = ("own", "all")


HARMERS: dict[str, Harmer] = {}


def tried(name: str, *knows: str) -> Callable[[Harm], Harm]:
    """Add an attack to those that are tried."""

    def add(act: Harm) -> Harm:
        HARMERS[name] = Harmer(act, knows or ("own", "all"))
        return act

    return add


def act_with(harmer: Harmer, knows: str) -> Members:
    """Return what the three send."""

    def act(seen: MembersView) -> Sequence[Sent]:
        known = seen.trained[: len(BAD)] if knows == "own" else seen.trained[len(BAD) :]
        sent = harmer.act(seen, known)
        return [Sent(f"a{i}.", sent if sent.ndim == 1 else sent[i]) for i in BAD]

    return act


@tried("sign-flip")
def sign_flip(seen: MembersView, known: Floats) -> Floats:
    """The known mean backwards, as long as an update."""
    return attacks.reverse_mean(known, seen.trained[0])


@tried("label-flip", "own")
def label_flip(seen: MembersView, known: Floats) -> Floats:
    """Training in which class d is called the last class minus d."""
    del known
    classes = seen.setting.dealt.classes
    parts = [seen.data_of(node) for node in BAD]
    return seen.train([RowSet(part.rows, attacks.flip_labels(part.labels, classes)) for part in parts])


@tried("noise3", "own")
def noise3(seen: MembersView, known: Floats) -> Floats:
    """Random directions, thirty times as long as an update."""
    return np.stack([30 * seen.noise(own, i) for i, own in enumerate(known)])


@tried("ipm")
def ipm(seen: MembersView, known: Floats) -> Floats:
    """Half the known mean backwards (inner product manipulation; Xie et al., arXiv:1903.03936)."""
    del seen
    return attacks.halve_backwards(known)


@tried("alie")
def alie(seen: MembersView, known: Floats) -> Floats:
    """One and a half deviations from the known mean (a little is enough; Baruch et al., arXiv:1902.06156)."""
    del seen
    return attacks.deviate(known)


@tried("min-max")
def min_max(seen: MembersView, known: Floats) -> Floats:
    """As far along minus the deviation as stays within the largest distance of two (Shejwalkar, Houmansadr, NDSS 2021)."""
    del seen
    return attacks.hide_in_spread(known)


@tried("mimic3")
def mimic3(seen: MembersView, known: Floats) -> Floats:
    """All as one of the honest, whose rows then count four times (Karimireddy et al., arXiv:2006.09365)."""
    if len(known) > len(BAD):
        return np.asarray(known[0])
    return next((sent.delta for sent in seen.last if sent.name == f"n{len(BAD)}."), known[0])
