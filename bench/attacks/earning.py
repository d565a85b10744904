"""Attacks that want to earn: what a member of a coalition sends instead of honest work, with the same data and stake.

In the first round, when nothing is public yet, those that reuse what is public work honestly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.attacks.data import ROUNDS, Floats, RowSet
from bench.attacks.network import STAKE, Sent, Slope
from bench.attacks.plays import MembersView, join
from dao.demo.attacks import scale

Act = Callable[[MembersView, int], Sequence[Sent]]  # of one member
JOINS = ROUNDS // 2 + 1  # the round in which the late joiner comes


@dataclass(frozen=True)
class Earner:
    """An attack; `first`: the round from which on earnings are compared with those of an honest twin."""

    act: Act
    members: int = 1
    first: int = 1


EARNERS: dict[str, Earner] = {}


def tried(name: str, members: int = 1, first: int = 1) -> Callable[[Act], Act]:
    """Add an attack to those that are tried."""

    def add(act: Act) -> Act:
        EARNERS[name] = Earner(act, members, first)
        return act

    return add


def one(me: int, delta: Floats) -> Sequence[Sent]:
    """Send an update by the member's only identity."""
    return [Sent(f"a{me}.", delta)]


def several(me: int, deltas: Sequence[Floats]) -> Sequence[Sent]:
    """Send an update by each of several identities that divide the stake."""
    return [Sent(f"a{me}.{i}", delta, STAKE // len(deltas)) for i, delta in enumerate(deltas)]


def honest(seen: MembersView, me: int) -> Sequence[Sent]:
    """Work."""
    return one(me, seen.trained[me])


def add(own: Floats, other: Floats) -> Floats:
    """Return the sum of two updates of equal length, as long as the first."""
    return scale(own + scale(other, own), own)


def cut(seen: MembersView, me: int, parts: int) -> list[Floats]:
    """Train on each of some parts of one's own rows."""
    data = seen.data_of(me)
    rows, labels = (np.array_split(column, parts) for column in (data.rows, data.labels))
    return list(seen.train([RowSet(*pair) for pair in zip(rows, labels, strict=True)]))


@tried("split2")
def split2(seen: MembersView, me: int) -> Sequence[Sent]:
    """Two identities, each with half of the rows."""
    return several(me, cut(seen, me, 2))


@tried("split4")
def split4(seen: MembersView, me: int) -> Sequence[Sent]:
    """Four identities, each with a quarter of the rows."""
    return several(me, cut(seen, me, 4))


@tried("copy4")
def copy4(seen: MembersView, me: int) -> Sequence[Sent]:
    """Four identities with one update."""
    return several(me, [seen.trained[me]] * 4)


@tried("noisy-copy")
def noisy_copy(seen: MembersView, me: int) -> Sequence[Sent]:
    """Four identities with one update, each with noise as large as the update: chance favours some."""
    own = seen.trained[me]
    return several(me, [own + seen.noise(own, 10 * me + i) for i in range(4)])


@tried("opposite-pair")
def opposite_pair(seen: MembersView, me: int) -> Sequence[Sent]:
    """Two identities whose noise cancels."""
    own = seen.trained[me]
    noise = seen.noise(own, me)
    return several(me, [own + noise, own - noise])


@tried("scale5")
def scale5(seen: MembersView, me: int) -> Sequence[Sent]:
    """Five times the update."""
    return one(me, 5 * seen.trained[me])


@tried("median-inflation")
def median_inflation(seen: MembersView, me: int) -> Sequence[Sent]:
    """Four identities as long as the longest update of the last round, to lift the median and be clipped to more."""
    longest = max((sent.delta for sent in seen.last), key=np.linalg.norm, default=seen.trained[me])
    return several(me, [scale(seen.trained[me], longest)] * 4)


@tried("zero")
def zero(seen: MembersView, me: int) -> Sequence[Sent]:
    """Nothing."""
    return one(me, 0 * seen.trained[me])


@tried("noise")
def noise(seen: MembersView, me: int) -> Sequence[Sent]:
    """A random direction."""
    return one(me, seen.noise(seen.trained[me], me))


@tried("replay-step")
def replay_step(seen: MembersView, me: int) -> Sequence[Sent]:
    """The last step of the model."""
    return one(me, scale(seen.past[-1].step, seen.trained[me])) if seen.past else honest(seen, me)


@tried("own-plus-step")
def own_plus_step(seen: MembersView, me: int) -> Sequence[Sent]:
    """Half work, half the last step."""
    return one(me, add(seen.trained[me], seen.past[-1].step)) if seen.past else honest(seen, me)


@tried("replay-gradient")
def replay_gradient(seen: MembersView, me: int) -> Sequence[Sent]:
    """The last reference gradient."""
    return one(me, scale(seen.past[-1].reference, seen.trained[me])) if seen.past else honest(seen, me)


@tried("sum-of-gradients")
def sum_of_gradients(seen: MembersView, me: int) -> Sequence[Sent]:
    """The sum of all gradients that were published."""
    if not seen.past:
        return honest(seen, me)
    total = np.sum([settled.gate + settled.reference for settled in seen.past], axis=0)
    return one(me, scale(total, seen.trained[me]))


@tried("own-plus-gradient")
def own_plus_gradient(seen: MembersView, me: int) -> Sequence[Sent]:
    """Half work, half the last reference gradient."""
    return one(me, add(seen.trained[me], seen.past[-1].reference)) if seen.past else honest(seen, me)


@tried("retired-shards")
def retired_shards(seen: MembersView, me: int) -> Sequence[Sent]:
    """Training on the shards of earlier rounds alone."""
    return one(me, seen.train([seen.retired])[0]) if seen.past else honest(seen, me)


@tried("own-plus-retired")
def own_plus_retired(seen: MembersView, me: int) -> Sequence[Sent]:
    """Training on one's own rows and the shards of earlier rounds, which is honest work where every node does so."""
    if seen.setting.shared:
        return honest(seen, me)
    return one(me, seen.train([join([seen.setting.dealt.nodes[me], seen.retired])])[0])


@tried("mimic-best")
def mimic_best(seen: MembersView, me: int) -> Sequence[Sent]:
    """The update of others that the last round scored highest."""
    others = [sent for sent in seen.last if not sent.name.startswith("a")]
    if not others:
        return honest(seen, me)
    best = max(others, key=lambda sent: seen.past[-1].scores[sent.name])
    return one(me, scale(best.delta, seen.trained[me]))


@tried("mimic-mean")
def mimic_mean(seen: MembersView, me: int) -> Sequence[Sent]:
    """The mean of the others' last updates."""
    others = [sent.delta for sent in seen.last if not sent.name.startswith("a")]
    return one(me, scale(np.mean(others, axis=0), seen.trained[me])) if others else honest(seen, me)


@tried("turncoat")
def turncoat(seen: MembersView, me: int) -> Sequence[Sent]:
    """Work in the first half of the rounds, the last step in the others."""
    return honest(seen, me) if seen.number < JOINS else replay_step(seen, me)


@tried("alternating")
def alternating(seen: MembersView, me: int) -> Sequence[Sent]:
    """Work in every other round, the last step between."""
    return honest(seen, me) if seen.number % 2 else replay_step(seen, me)


@tried("gate-surfer")
def gate_surfer(seen: MembersView, me: int) -> Sequence[Sent]:
    """A third of the update, the rest noise: just enough to pass the gate."""
    own = seen.trained[me]
    return one(me, scale(own / 3 + seen.noise(own, me), own))


@tried("late-joiner", first=JOINS)
def late_joiner(seen: MembersView, me: int) -> Sequence[Sent]:
    """Honest work from the middle on, compared with who has been there from the start."""
    return honest(seen, me) if seen.number >= JOINS else []


@tried("shed-debt")
def shed_debt(seen: MembersView, me: int) -> Sequence[Sent]:
    """Honest work under a new name whenever the old one has a debt."""
    return [_shed(seen, f"a{me}.", seen.trained[me], STAKE)]


@tried("shed-four-owners")
def shed_four_owners(seen: MembersView, me: int) -> Sequence[Sent]:
    """Four identities with a quarter of the rows each, that leave their debts behind."""
    return [_shed(seen, f"a{me}.{i}.", delta, STAKE // 4) for i, delta in enumerate(cut(seen, me, 4))]


def _shed(seen: MembersView, name: str, delta: Floats, stake: int) -> Sent:
    """Send by the identity's latest name, or by a new one."""
    if seen.debts.get(f"{name}{seen.memo.get(name, 0)}", 0) > 0:
        seen.memo[name] = seen.memo.get(name, 0) + 1
    return Sent(f"{name}{seen.memo.get(name, 0)}", delta, stake)


@tried("withhold")
def withhold(seen: MembersView, me: int) -> Sequence[Sent]:
    """Honest work that is shown only where the round's shard, once known, would pay for it."""
    own = seen.trained[me]

    def is_worthless(slope: Slope) -> bool:
        return float((slope(seen.base) + slope(seen.base + own)) @ own) <= 0

    return [Sent(f"a{me}.", own, withholds=is_worthless)]


@tried("three-own-plus-step", members=3)
def three_own_plus_step(seen: MembersView, me: int) -> Sequence[Sent]:
    """Three that send half work, half the last step."""
    return own_plus_step(seen, me)


@tried("three-replay-step", members=3)
def three_replay_step(seen: MembersView, me: int) -> Sequence[Sent]:
    """Three that send the last step."""
    return replay_step(seen, me)


@tried("three-pool", members=3)
def three_pool(seen: MembersView, me: int) -> Sequence[Sent]:
    """Three that send the mean of their updates."""
    return one(me, np.mean(seen.trained[:3], axis=0))


@tried("three-share-rows", members=3)
def three_share_rows(seen: MembersView, me: int) -> Sequence[Sent]:
    """Three that show each other their rows: no trick, for the model has better updates of it."""
    return one(me, seen.train([join([seen.data_of(node) for node in range(3)])])[0])
