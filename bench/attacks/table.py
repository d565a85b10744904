"""Plays all attacks in all settings and makes a row of each, as `script/bench attacks --json FILE` writes them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np

from bench.attacks.data import NODES, deal
from bench.attacks.earning import EARNERS, Earner
from bench.attacks.harming import BAD, HARMERS, act_with
from bench.attacks.learner import Learner
from bench.attacks.network import PlainNetwork, ProtocolNetwork, Sent
from bench.attacks.plays import MembersView, PlayOutcome, Setting, name_of, play
from bench.attacks.shapley import compute_shapley
from dao.core.formats.layout import FLOAT

Row = dict[str, Any]
CellKind = TypeVar("CellKind")
ALL = (*EARNERS, *HARMERS, "honest")


@dataclass(frozen=True)
class Cell:
    """What is played: attacks by name on a data set, split and seed; `members`: how many nodes try each alone, in turn."""

    data: str
    split: str
    seed: int
    attacks: Sequence[str]
    members: int
    shared: bool = True  # whether every node trains on the shards of earlier rounds as well

    def build_setting(self) -> Setting:
        """Deal the data and build the first model."""
        learner = Learner(deal(self.data, self.split, self.seed))
        start = learner.start(self.seed).astype(FLOAT).astype(np.float64)
        return Setting(learner, self.seed, lambda: ProtocolNetwork(learner.layout, start), self.shared)


def make_table(cells: Sequence[Cell], jobs: int) -> list[Row]:
    """Play all cells, `jobs` at a time, and report progress on stderr."""
    return play_all(play_cell, cells, jobs, ("attack", "data", "split", "seed"))


def play_all(
    play: Callable[[CellKind], list[Row]], cells: Sequence[CellKind], jobs: int, order: Sequence[str]
) -> list[Row]:
    """Play cells of any kind, `jobs` at a time; return their rows, sorted by the columns `order`."""
    rows, started = list[Row](), time.monotonic()
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for done, future in enumerate(as_completed([pool.submit(play, cell) for cell in cells]), 1):
            rows += future.result()
            sys.stderr.write(f"{done} of {len(cells)} cells after {time.monotonic() - started:.0f} s\n")
    return sorted(rows, key=lambda row: [row[column] for column in order])


def make_cells(
    data: Sequence[str],
    splits: Sequence[str],
    seeds: Sequence[int],
    attacks: Sequence[str],
    members: int,
    *,
    shared: bool,
) -> list[Cell]:
    """Return a cell for each data set, split and seed."""
    return [Cell(*key, attacks, members, shared) for key in product(data, splits, seeds)]


def play_cell(cell: Cell) -> list[Row]:
    """Play a cell's attacks and the honest plays that they are compared with."""
    setting = cell.build_setting()
    about = {"data": cell.data, "split": cell.split, "seed": cell.seed}
    honest = play(setting)
    rows = [{"attack": "honest", **measure_honesty(setting, honest)}] if "honest" in cell.attacks else []
    for name, earner in EARNERS.items():
        if name in cell.attacks:
            rows.append({"attack": name, **_measure_gain(setting, earner, honest, cell.members)})
    if wanted := [name for name in HARMERS if name in cell.attacks]:
        rows += _measure_harm(setting, wanted)
    return [{**row, **about} for row in rows]


def _measure_gain(setting: Setting, earner: Earner, honest: PlayOutcome, members: int) -> Row:
    """Return what an attack earns and what honest work does, both a mean over who tries it."""
    coalitions = [range(earner.members)] if earner.members > 1 else [[i] for i in range(members)]
    earned, twin = 0.0, 0.0
    for coalition in coalitions:
        outcome = play(setting, coalition, _act_all(earner, coalition))
        earned += outcome.earned("a", earner.first)
        twin += sum(honest.earned(name_of(i), earner.first) for i in coalition)
    return {"earned": earned / len(coalitions), "twin": twin / len(coalitions)}


def _act_all(earner: Earner, coalition: Sequence[int]) -> Callable[[MembersView], list[Sent]]:
    return lambda seen: [sent for i in coalition for sent in earner.act(seen, i)]


def _measure_harm(setting: Setting, names: Sequence[str]) -> Iterator[Row]:
    """Yield what the model loses, beside a network that takes the mean of all updates by stake."""
    base = setting.build().base
    plain = replace(setting, build=lambda: PlainNetwork(base))
    places: list[Setting] = [setting, plain]
    without = [play(place, BAD, lambda _: []).accuracy for place in places]
    for name in names:
        for knows in HARMERS[name].knows:
            act = act_with(HARMERS[name], knows)
            accuracy = [play(place, BAD, act).accuracy for place in places]
            yield {
                "attack": name,
                "knows": knows,
                "accuracy": accuracy[0],
                "without": without[0],
                "plain_accuracy": accuracy[1],
                "plain_without": without[1],
            }


def measure_honesty(setting: Setting, honest: PlayOutcome) -> Row:
    """Compare what honest nodes were paid with exact Shapley values of each round.

    The values are those of the updates as the aggregate weighs them. Each round's are turned into parts of its budget as
    scores are, where none is negative; the payouts of all rounds are compared as two vectors of the nodes.
    """
    names = [name_of(i) for i in range(NODES)]
    model, paid, due = setting.build().base, np.zeros(NODES), np.zeros(NODES)
    for number, settled in enumerate(honest.rounds):
        seen = MembersView(setting, number + 1, model, honest.rounds[:number], (), {})
        weights = np.array([settled.weights[name] for name in names])[:, np.newaxis]
        worth = compute_shapley(setting.learner, model, seen.trained * weights, setting.dealt.shards[number])
        shares = np.maximum(worth, 0)
        due += shares / max(shares.sum(), 1e-300)
        paid += np.array([settled.rewards[name] for name in names]) / 10**18
        model = model + settled.step
    cosine = paid @ due / (np.linalg.norm(paid) * np.linalg.norm(due))
    return {"cosine": float(cosine), "rel_l2": float(np.linalg.norm(paid - due) / np.linalg.norm(due))}
