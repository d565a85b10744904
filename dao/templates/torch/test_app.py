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
    model, data, test = app.model(), app.data(HERE / "data/train.csv"), app.data(HERE / "data/test.csv")
    before = app.loss(model, test).item()
    list(app.train(model, data, seed=1, round=1))
    assert app.loss(model, test).item() < before
    assert app.metrics(model, test)["accuracy"] > 0.8


def test_train__the_same_seed__gives_the_same_model():
    pair = [app.model(), app.model()]
    for model in pair:
        list(app.train(model, app.data(HERE / "data/train.csv"), seed=7, round=1))
    first, second = (model.state_dict() for model in pair)
    assert all((first[name] == second[name]).all() for name in first)
