"""Runs in place of an app's interpreter for the demonstration's free rider: trains nothing and sends noise.

Nothing stops an operator from that: a daemon starts the interpreter that it is given. The score has to see through it.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

NOISE = 0.01  # standard deviation
ROOT = Path(__file__).resolve().parents[2]


def load(app: str, data: str | None, settings: object) -> None:
    """Load nothing."""


def train(base: str, out: str, seed: int, round: int, public: dict[str, str]) -> dict[str, Any]:  # noqa: A002
    """Write the base model plus noise, whatever is public."""
    del public
    from dao.app import worker

    source = worker.open_model_file(Path(base))
    target = worker.create_model_file(Path(out), source.head)
    dice = np.random.Generator(np.random.Philox(seed + round))
    for name, values in source.tensors.items():
        target.tensors[name][...] = values + dice.normal(0, NOISE, values.shape).astype(np.float32)
    seconds = {"load_s": 0.0, "train_s": 0.0, "store_s": 0.0}
    told: dict[str, Any] = {"rows": None, "public_shards": 0, "public_problem": "", "kept_here": []}
    return {"metrics": {}, **seconds, **told}


def write_interpreter(path: Path) -> Path:
    """Write a program that takes the place of the app's interpreter, and return its path."""
    path.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n', encoding="utf-8"
    )
    path.chmod(0o700)
    return path


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    from dao.app.worker import connect

    connect().serve({"load": load, "train": train})
