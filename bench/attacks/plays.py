"""A play: eight rounds of ten Supernodes, in which members of a coalition may send what they like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bench.attacks.data import NODES, ROUNDS, Dealt, Floats, RowSet
from bench.attacks.learner import Learner
from bench.attacks.network import Network, Sent, Settled, Slope
from dao.core.constants import PUBLIC_ROUNDS
from dao.demo.attacks import draw_direction


@dataclass(frozen=True)
class Setting:
    """What a play is played on; `shared`: every node trains on the shards of earlier rounds beside its own rows."""

    learner: Learner
    seed: int
    build: Callable[[], Network]
    shared: bool

    @property
    def dealt(self) -> Dealt:
        """The data."""
        return self.learner.dealt


@dataclass(frozen=True)
class MembersView:
    """A round as members see it: all that is public, and for those who know everything what the others will send."""

    setting: Setting
    number: int  # from 1
    base: Floats
    past: Sequence[Settled]
    last: Sequence[Sent]  # the round's before
    debts: Mapping[str, int]
    memo: dict[str, int] = field(default_factory=dict)  # what members note for later rounds of the play

    @cached_property
    def retired(self) -> RowSet:
        """The rows of the shards of earlier rounds, as many as Supernodes take."""
        return join(self.setting.dealt.shards[: self.number - 1][-PUBLIC_ROUNDS:])

    @cached_property
    def trained(self) -> Floats:
        """What honest work gives each node, (NODES, values)."""
        return self.train([self.data_of(node) for node in range(NODES)])

    def data_of(self, node: int) -> RowSet:
        """Return the rows that a node trains on."""
        own = self.setting.dealt.nodes[node]
        return join([own, self.retired]) if self.setting.shared else own

    def train(self, parts: Sequence[RowSet]) -> Floats:
        """Train on each part, (parts, values)."""
        seed = self.setting.seed * 1000 + self.number
        return self.setting.learner.train(self.base, parts, seed)

    def noise(self, like: Floats, index: int) -> Floats:
        """Return a random direction, as long as `like`."""
        dice = np.random.Generator(np.random.Philox([self.setting.seed, self.number, index]))
        return draw_direction(dice, like)


Members = Callable[[MembersView], Sequence[Sent]]


@dataclass(frozen=True)
class PlayOutcome:
    """How a play went."""

    rounds: Sequence[Settled]
    accuracy: float

    def earned(self, prefix: str, first: int = 1) -> float:
        """Return what the identities of this prefix got of all that was paid, from a round on."""
        paid = [round_.rewards for round_ in self.rounds[first - 1 :]]
        own = sum(wei for rewards in paid for name, wei in rewards.items() if name.startswith(prefix))
        return own / max(sum(wei for rewards in paid for wei in rewards.values()), 1)


def play(setting: Setting, members: Sequence[int] = (), act: Members | None = None) -> PlayOutcome:
    """Play all rounds: `act` says what the members send, the others work honestly."""
    network, learner = setting.build(), setting.learner
    rounds, last, memo = list[Settled](), list[Sent](), dict[str, int]()
    for number in range(1, ROUNDS + 1):
        seen = MembersView(
            setting, number, network.base, rounds, last, rounds[-1].debts if rounds else {}, memo
        )
        sent = [Sent(name_of(i), seen.trained[i]) for i in range(NODES) if act is None or i not in members]
        last = [*(act(seen) if act else ()), *sent]
        rounds.append(network.settle(last, _slope(learner, setting.dealt.shards[number - 1])))
    return PlayOutcome(rounds, learner.accuracy(network.base))


def name_of(node: int) -> str:
    """Return the name of an honest node."""
    return f"n{node}."


def join(parts: Sequence[RowSet]) -> RowSet:
    """Return the rows of several parts."""
    none = np.zeros(0, np.intp)
    return RowSet(
        np.concatenate([none, *(part.rows for part in parts)]),
        np.concatenate([none, *(part.labels for part in parts)]),
    )


def _slope(learner: Learner, shard: RowSet) -> Slope:
    return lambda model: learner.gradient(model, shard)
