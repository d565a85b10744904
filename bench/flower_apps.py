"""Flower apps as their authors wrote them, played by `dao simulate`: the rows of `script/bench apps` for them."""

import asyncio
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits, load_iris

from bench.frameworks import LIMIT, Row, describe
from bench.simulated_run import run_simulation

APPS = Path(__file__).parents[1] / "apps" / "flower"
DATA = {"pytorch": load_digits, "sklearn": load_breast_cancer, "numpy": load_iris}
SITES, ROUNDS = 4, 3
TRAINED = 0.6  # of the rows; the others are dealt among the shards
_GLUE = re.compile(r"commonweight|^\s*(from|import) (dao|node|aggregator)\b")


def play_flower_apps(only: Sequence[str]) -> Iterator[Row]:
    """Play the apps of which flower or the folder is named, all where nothing is, each in its own environment; yield their rows.

    DaoError names one that fails.
    """
    for name in DATA:
        if not only or {"flower", name} & {*only}:
            with tempfile.TemporaryDirectory(prefix="commonweight-apps-") as scratch:
                yield play_flower_app(name, Path(scratch) / name)


def play_flower_app(name: str, folder: Path, python: Path | None = None) -> Row:
    """Play an app on public data, below `folder` and by `python` if one is named, and return its row."""
    app, figures, before = APPS / name, folder / "figures.json", _read_files(APPS / name)
    sites = deal_rows(name, folder)
    options: list[object] = ["--app", app, "--rounds", ROUNDS, "--shards", folder / "shards"]
    options += [word for site in sites for word in ("--data", site)]
    options += [] if python is None else ["--app-python", python]
    played = asyncio.run(run_simulation(str(app), figures, *options, limit=LIMIT))
    glue = sum(bool(_GLUE.search(line)) for text in before.values() for line in text.splitlines())
    row = describe(f"quickstart-{name}", "flower", "", played.rounds)
    return row | {"unchanged": not glue and _read_files(app) == before, "lines_of_glue": glue}


def deal_rows(name: str, folder: Path) -> list[Path]:
    """Write rows for an app, in random order, as CSV: to each site, and to a shard for each round. Return the sites' files."""
    x, y = DATA[name](return_X_y=True)
    if name != "pytorch":
        x = (x - x.mean(0)) / x.std(0)
    table: npt.NDArray[np.float64] = np.random.default_rng(0).permutation(np.column_stack([x, y]))
    cut = int(TRAINED * len(table))
    (folder / "shards").mkdir(parents=True)
    sites = [folder / f"site-{index}.csv" for index in range(SITES)]
    shards = [folder / "shards" / f"{index}.csv" for index in range(ROUNDS)]
    for files, rows in ((sites, table[:cut]), (shards, table[cut:])):
        for file, part in zip(files, np.array_split(rows, len(files)), strict=True):
            np.savetxt(file, part, "%.6g", ",")
    return sites


def _read_files(app: Path) -> dict[str, str]:
    return {
        str(path): path.read_text()
        for path in sorted(app.rglob("*.*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
