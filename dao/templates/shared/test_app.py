"""The app keeps to the conventions, and learns: pytest, in an environment of its dependencies."""

import runpy
from pathlib import Path

import app
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def rows():
    if not (HERE / "data").exists():
        runpy.run_path(str(HERE / "make_data.py"))


def test_train__one_round__lowers_the_loss():
    data, test = app.data(HERE / "data/train.csv"), app.data(HERE / "data/test.csv")
    before = app.loss(app.model(), test)
    trained = app.train(app.model(), data, seed=1, round=1)
    assert app.loss(trained, test) < before
    assert app.metrics(trained, test)["accuracy"] > 0.8


def test_train__the_same_seed__gives_the_same_model():
    data = app.data(HERE / "data/train.csv")
    first, second = (app.train(app.model(), data, seed=7, round=1) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)
