"""What the measured networks work on: the app with a model of the size wanted, and data that nobody learns from."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from dao.demo.images import DemoData

APPS = Path(__file__).resolve().parents[1] / "apps"
ROWS, WIDTH = 1, 32  # of a shard: its gradient touches every value, and costs as little as that can


def make_app(folder: Path, name: str, megabytes: int) -> Path:
    """Copy an app of this repository, set to this size; return its folder."""
    app = folder / "app"
    shutil.copytree(APPS / name, app, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "megabytes").write_text(f"{megabytes}\n", encoding="ascii")
    return app


def make_data(folder: Path, members: int, shards: int) -> DemoData:
    """Write a file for each member and shard: rows of numbers between 0 and 1."""
    dice = np.random.Generator(np.random.Philox(1))
    kept = [_rows(folder / "members" / f"{index:03}.safetensors", dice) for index in range(members)]
    validation = [_rows(folder / "shards" / f"{index:03}.safetensors", dice) for index in range(shards)]
    return DemoData(kept, folder / "shards", validation[0])


def _rows(path: Path, dice: np.random.Generator) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x": dice.random((ROWS, WIDTH), np.float32)}, path)
    return path
