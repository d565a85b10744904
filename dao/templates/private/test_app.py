"""The app keeps to the conventions, learns, and claims what its noise is worth: pytest, in an environment of its dependencies."""

import runpy
from pathlib import Path

import app
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def rows():
    if not (HERE / "data").exists():
        runpy.run_path(str(HERE / "make_data.py"))


def test_train__three_rounds__learns_and_claims_an_epsilon_that_adds_up():
    model, data, test = app.model(), app.data(HERE / "data/train.csv"), app.data(HERE / "data/test.csv")
    before = app.loss(model, test).item()
    claims = [app.train(model, data, seed=1, round=number)["epsilon_claimed"] for number in (1, 2, 3)]
    assert app.loss(model, test).item() < before
    assert app.metrics(model, test)["accuracy"] > 0.8
    assert 0 < claims[0] < claims[1] < claims[2] < 10


def test_train__the_same_seed__gives_another_model():
    """Whoever could compute the noise could take it away."""
    pair = [app.model(), app.model()]
    for model in pair:
        app.train(model, app.data(HERE / "data/train.csv"), seed=7, round=1)
    first, second = (model.state_dict() for model in pair)
    assert not any((first[name] == second[name]).all() for name in first)


def test_train__one_row_that_is_far_off__moves_the_model_no_further_than_its_clip():
    model, data = app.model(), app.data(HERE / "data/train.csv")
    data["x"][0] *= 1e6
    app.train(model, data, seed=1, round=1)
    before, after = app.model().state_dict(), model.state_dict()
    assert max((after[name] - before[name]).norm() for name in before) < 10
