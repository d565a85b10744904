"""A node's own rows and public ones, joined as its app gives them."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from dao.app.joining import JoinedDataset, join_data
from dao.app.worker import ConventionError

APP = SimpleNamespace()


class Patients(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Rows by number, as torch's loaders take them."""

    classes = ("well", "ill")

    def __init__(self, *rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < len(self.rows):
            raise IndexError(index)
        return self.rows[index]

    def __getitems__(self, indices: list[int]) -> list[int]:
        return [self.rows[index] for index in indices]


@pytest.mark.parametrize("array", [np.array, torch.tensor, list])
def test_columns__own_and_two_shards__one_after_the_other(array: Callable[[list[int]], Any]) -> None:
    parts = [{"x": array([index, index]), "y": array([index, 10])} for index in range(3)]
    own = {"y": array([7]), "x": array([8])}
    joined = join_data(APP, own, parts)
    assert {name: list(map(int, column)) for name, column in joined.items()} == {
        "y": [7, 0, 10, 1, 10, 2, 10],
        "x": [8, 0, 0, 1, 1, 2, 2],
    }
    assert type(joined["x"]) is type(own["x"])
    assert len(own["x"]) == 1


def test_columns__a_shard_has_one_more__it_is_left_out() -> None:
    joined = join_data(APP, {"x": np.zeros(1)}, [{"x": np.ones(2), "ward": np.ones(2)}])
    assert joined["x"].tolist() == [0, 1, 1]
    assert [*joined] == ["x"]


@pytest.mark.parametrize(
    ("own", "public", "words"),
    [
        (
            {"x": np.zeros(1), "name": np.zeros(1)},
            {"x": np.zeros(1)},
            "column 'name' that a public shard lacks",
        ),
        ({"x": np.zeros((1, 3))}, {"x": np.zeros((1, 4))}, "column 'x': cannot be joined with public rows"),
        ({"x": torch.zeros(1, 3)}, {"x": torch.zeros(1, 4)}, "column 'x': cannot be joined with public rows"),
        ({"x": 5}, {"x": 5}, "column 'x': int cannot be joined"),
        ({"x": np.zeros(1)}, {"x": [0.0]}, "column 'x': list and ndarray cannot be joined"),
        ("/data/mine", "/in/shard", "gave str, which cannot be joined"),
        ((1, 2), (3, 4), "gave tuple, which cannot be joined"),
        (iter([1]), iter([2]), "gave list_iterator, which cannot be joined"),
    ],
)
def test_data__that_cannot_be_joined__one_line_with_the_remedy(own: Any, public: Any, words: str) -> None:
    with pytest.raises(ConventionError, match=words) as refused:
        join_data(APP, own, [public])
    assert str(refused.value).startswith("data(): ")


def test_rows__without_names__are_joined_too() -> None:
    assert join_data(APP, [1], [[2], [3]]) == [1, 2, 3]
    assert join_data(APP, np.zeros((1, 2)), [np.ones((2, 2))]).tolist() == [[0, 0], [1, 1], [1, 1]]


def test_table__of_pandas__stays_one() -> None:
    pandas: Any = importlib.import_module("pandas")  # an app's, not ours: mlxtend brings it
    table = pandas.DataFrame({"age": [40]})
    joined = join_data(APP, table, [pandas.DataFrame({"age": [50, 60]})])
    assert joined["age"].tolist() == [40, 50, 60]
    assert joined.index.tolist() == [0, 1, 2]


def test_dataset__joined__is_loaded_row_by_row_and_keeps_what_its_own_says() -> None:
    joined = join_data(APP, Patients(1, 2), [Patients(3), Patients(4, 5)])
    assert isinstance(joined, JoinedDataset)
    assert joined.classes == ("well", "ill")
    batches: Any = torch.utils.data.DataLoader(cast("Any", joined), batch_size=2)
    assert [batch.tolist() for batch in batches] == [[1, 2], [3, 4], [5]]
    assert joined[np.int64(-1)] == 5
    for index in (5, -6):
        with pytest.raises(IndexError):
            joined[index]
    with pytest.raises(TypeError, match=r"by number, not by slice.*define join\(data, public\)"):
        joined[0:2]
    with pytest.raises(AttributeError):
        _ = joined.wards


def test_app__with_a_join_of_its_own__has_the_last_word() -> None:
    app = SimpleNamespace(join=lambda data, public: f"{data} and {' and '.join(public)}")
    assert join_data(app, "mine", ["a", "b"]) == "mine and a and b"


def test_worker__imports_it__without_torch_or_pandas() -> None:
    code = "import sys, node.training_worker; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60, check=False).returncode == 0
