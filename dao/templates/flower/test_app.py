"""The app learns: pytest, in an environment of its dependencies."""

import runpy
from pathlib import Path

import pytest
import torch
from flowerapp import task
from flowerapp.client_app import app as client
from flowerapp.server_app import app as server

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def rows():
    if not (HERE / "data").exists():
        runpy.run_path(str(HERE / "make_data.py"))


def test_train__one_round__lowers_the_loss():
    torch.manual_seed(1)
    net, data = task.Net(), task.load_data({"data-path": HERE / "data/test.csv"}, 16)
    before, _ = task.test(net, data)
    task.train(net, task.load_data({"data-path": HERE / "data/train.csv"}, 16), epochs=5, lr=0.05)
    after, accuracy = task.test(net, data)
    assert after < before
    assert accuracy > 0.8


def test_apps__are_there():
    assert client
    assert server
