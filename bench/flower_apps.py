"""Flower apps as their authors wrote them, played by `dao simulate`: the rows of `script/bench apps` for them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits, load_iris

APPS = Path(__file__).parents[1] / "apps" / "flower"
DATA = {"pytorch": load_digits, "sklearn": load_breast_cancer, "numpy": load_iris}
SITES, ROUNDS = 4, 3
TRAINED = 0.6  # of the rows; the others are dealt among the shards
_GLUE = re.compile(r"commonweight|^\s*(from|import) (dao|node|aggregator)\b")


def measure_flower_apps(folder: Path, python: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yield a row for each app, played below `folder` in its own environment, or by `python`."""
    for name in DATA:
        yield measure_flower_app(name, folder / name, python)


def measure_flower_app(name: str, folder: Path, python: Path | None = None) -> dict[str, Any]:
    """Play an app of `apps` on public data, and return its row."""
    app, figures = APPS / name, folder / "figures.json"
    sites = deal_rows(name, folder)
    before = _read_files(app)
    command = [Path(sys.executable).with_name("dao"), "simulate", "--app", app, "--rounds", ROUNDS]
    command += [word for site in sites for word in ("--data", site)]
    command += ["--shards", folder / "shards", "--json", figures]
    command += [] if python is None else ["--app-python", python]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    rounds = json.loads(figures.read_text())["rounds"]
    glue = sum(bool(_GLUE.search(line)) for text in before.values() for line in text.splitlines())
    first, last = rounds[0], rounds[-1]
    scores = sum(node["score"] for node in first["nodes"]) / 1e6
    return {
        "app": f"quickstart-{name}",
        "framework": "flower",
        "unchanged": not glue and _read_files(app) == before,
        "lines_of_glue": glue,
        "rounds": len(rounds),
        "loss_before": first["loss_before"],
        "loss_after": last["loss_after"],
        "score_sum_over_loss_drop": scores / (first["loss_before"] - first["loss_after"]),
    }


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
