"""The app keeps to the conventions, and learns: pytest, in an environment of its dependencies."""

import runpy
from pathlib import Path

import app
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def rows():
    if not (HERE / "data").exists():
        runpy.run_path(str(HERE / "make_data.py"), run_name="__main__")


def test_train__one_round__lowers_the_loss_and_leaves_the_base_alone():
    model, data, test = app.model(), app.data(HERE / "data/train.txt"), app.data(HERE / "data/test.txt")
    before = app.loss(model, test).item()
    frozen = {name: one.clone() for name, one in model.named_parameters() if not one.requires_grad}
    list(app.train(model, data, seed=1, round=1))
    assert app.loss(model, test).item() < before
    assert all((one == frozen[name]).all() for name, one in model.named_parameters() if name in frozen)


def test_train__the_same_seed__gives_the_same_model():
    pair = [app.model(), app.model()]
    for model in pair:
        list(app.train(model, app.data(HERE / "data/train.txt"), seed=7, round=1))
    first, second = (model.state_dict() for model in pair)
    assert all((first[name] == second[name]).all() for name in first)
