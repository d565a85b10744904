"""What honest work earns with private updates, at several epsilons: `script/bench privacy`.

Updates are clipped and noised as `node.privacy` does, here by the chance of the seed. Epsilon is that of all rounds of a play.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean

import numpy as np

from bench.attacks.data import NODES, ROUNDS, Floats
from bench.attacks.network import Sent
from bench.attacks.plays import Members, MembersView, PlayOutcome, name_of, play
from bench.attacks.table import Cell, Row, play_all
from node.privacy.accounting import SENSITIVITY
from node.settings import DEVIATIONS, LARGEST

DELTA = 1e-6
ONE, ALL = (0,), tuple(range(NODES))


@dataclass(frozen=True)
class PrivateCell:
    """A data set, split and seed, with all epsilons."""

    data: str
    split: str
    seed: int
    epsilons: Sequence[float]


def find_noise(epsilon: float, updates: int, delta: float = DELTA) -> float:
    """Return the noise, in clips, with which so many updates together have this epsilon."""
    from dp_accounting import get_sigma_gaussian

    return float(get_sigma_gaussian(epsilon, delta)) * SENSITIVITY * math.sqrt(updates)


def make_private(update: Floats, clip: float, noise: float, dice: np.random.Generator) -> Floats:
    """Return an update clipped to an L2 norm, with noise of `noise * clip` in each value."""
    norm = float(np.linalg.norm(update))
    clipped = update * min(1.0, clip / norm) if norm else update
    return np.asarray(clipped + dice.normal(0.0, noise * clip, update.shape))


def act_privately(members: Sequence[int], noise: float) -> Members:
    """Have members work honestly and send private updates, clipped to the median norm of all that is trained, or what fits."""

    def act(seen: MembersView) -> list[Sent]:
        clip = float(np.median(np.linalg.norm(seen.trained, axis=1)))
        clip = min(clip, LARGEST / (1 + DEVIATIONS * noise))  # more does not fit an update
        sent = []
        for node in members:
            dice = np.random.Generator(np.random.Philox([seen.setting.seed, seen.number, node, 3]))
            sent.append(Sent(f"a{node}.", make_private(seen.trained[node], clip, noise, dice)))
        return sent

    return act


def make_rows(cells: Sequence[PrivateCell], jobs: int) -> list[Row]:
    """Play all cells, `jobs` at a time, and report progress on stderr."""
    return play_all(play_private, cells, jobs, ("epsilon", "data", "split", "seed"))


def make_private_cells(
    data: Sequence[str], splits: Sequence[str], seeds: Sequence[int], epsilons: Sequence[float]
) -> list[PrivateCell]:
    """Return a cell for each data set, split and seed."""
    return [PrivateCell(*key, epsilons) for key in product(data, splits, seeds)]


def play_private(cell: PrivateCell) -> list[Row]:
    """Play with one private node, and with ten, at each epsilon."""
    setting = Cell(cell.data, cell.split, cell.seed, (), 1).build_setting()
    honest = play(setting)
    rows = []
    for epsilon in cell.epsilons:
        noise = find_noise(epsilon, ROUNDS)
        one = play(setting, ONE, act_privately(ONE, noise))
        ten = play(setting, ALL, act_privately(ALL, noise))
        rows.append(
            {
                "data": cell.data,
                "split": cell.split,
                "seed": cell.seed,
                "epsilon": epsilon,
                "noise": noise,
                "values": setting.learner.layout.size,
                "passed": _count_passed(one, ONE),
                "pay": one.earned("a0."),
                "twin": honest.earned(name_of(0)),
                "accuracy": honest.accuracy,
                "accuracy_one": one.accuracy,
                "accuracy_ten": ten.accuracy,
                "passed_ten": _count_passed(ten, ALL),
            }
        )
    return rows


def _count_passed(outcome: PlayOutcome, members: Sequence[int]) -> float:
    """Return the part of the members' updates that passed the gate."""
    return mean(settled.weights[f"a{node}."] > 0 for settled in outcome.rounds for node in members)


def format_private(rows: Sequence[Row]) -> str:
    """Return a Markdown table: for each setting and epsilon the gate's rate, the pay beside the twin's, and accuracies."""
    lines = [
        "| data | epsilon | noise, in clips | passes the gate | pay / without noise | accuracy: none, one, ten private |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for key in dict.fromkeys((row["data"], row["split"], row["epsilon"]) for row in rows):
        group = [row for row in rows if (row["data"], row["split"], row["epsilon"]) == key]
        pay = sum(row["pay"] for row in group) / max(sum(row["twin"] for row in group), 1e-12)
        accuracies = ", ".join(
            f"{mean(row[name] for row in group):.3f}" for name in ("accuracy", "accuracy_one", "accuracy_ten")
        )
        lines.append(
            f"| {key[0]} {key[1]} | {key[2]:g} | {group[0]['noise']:.3g} | {mean(row['passed'] for row in group):.2f} "
            f"| {pay:.3f} | {accuracies} |"
        )
    return "\n".join(lines) + "\n"


def draw_chart(rows: Sequence[Row], out: Path) -> None:
    """Draw gate rate, pay and accuracy over epsilon, a line for each setting, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "privacy"})
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for setting in dict.fromkeys((row["data"], row["split"]) for row in rows):
        own = [row for row in rows if (row["data"], row["split"]) == setting]
        epsilons = sorted({row["epsilon"] for row in own})
        groups = [[row for row in own if row["epsilon"] == epsilon] for epsilon in epsilons]
        curves = (
            [mean(row["passed"] for row in group) for group in groups],
            [sum(row["pay"] for row in group) / sum(row["twin"] for row in group) for group in groups],
            [mean(row["accuracy_ten"] for row in group) for group in groups],
        )
        for panel, curve in zip(panels, curves, strict=True):
            panel.plot(epsilons, curve, marker="o", label=" ".join(setting))
    titles = ("passes the gate", "pay / without noise", "accuracy, all ten private")
    for panel, title in zip(panels, titles, strict=True):
        panel.set(xscale="log", xlabel="epsilon of eight rounds", title=title, ylim=(-0.05, 1.1))
    panels[0].legend(fontsize="small")
    figure.savefig(out, metadata={"Date": None, "Creator": None})
    plt.close(figure)
