"""Scoring takes two gradients, and one for the gate, however many nodes there are."""

import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dao.app.gradient_client import GradientClient
from dao.app.shards import read_shards
from dao.chain.signer import Signer
from dao.core.formats.layout import FLOAT, Model
from dao.core.types import Address, RoundId, Wei
from dao.demo.simulation import Simulation, commit

APP = """
from pathlib import Path
import torch
from safetensors.torch import load_file

def model():
    return torch.nn.Linear(8, 1)

def data(path):
    return load_file(path)

def train(model, data, *, seed, round):
    raise NotImplementedError

def count(gradient):
    with Path(__file__).with_name("gradients").open("a") as file:
        file.write(".")

def loss(model, batch):
    value = torch.nn.functional.mse_loss(model(batch["x"]), batch["y"])
    if value.requires_grad:
        value.register_hook(count)
    return value
"""


@pytest.mark.parametrize("nodes", [1, 2, 20])
async def test_scoring__any_number_of_nodes__three_gradients(
    nodes: int, forked_apps: None, tmp_path: Path
) -> None:
    app, shards = tmp_path / "app", tmp_path / "shards"
    for folder in (app, shards):
        folder.mkdir()
    (app / "app.py").write_text(APP)
    dice = np.random.Generator(np.random.Philox(1))
    x = dice.standard_normal((32, 8)).astype(FLOAT)
    save_file({"x": x, "y": x.sum(1, keepdims=True)}, shards / "0.safetensors")
    save_file({"bias": np.zeros(1, FLOAT), "weight": np.zeros((1, 8), FLOAT)}, tmp_path / "model")
    # without a sandbox, so that it can count in its own folder
    evaluator = GradientClient(app, Path(sys.executable), tmp_path / "evaluator", limit=60, threads=1)
    settling = Simulation(evaluator, read_shards(shards), tmp_path / "superlink", Wei(100))
    await settling.begin(tmp_path / "model")
    base = settling.base.model
    step = Model(base.layout, np.full(base.flat.size, 0.1, FLOAT))
    commits = [
        commit(Signer.ephemeral(), Address(bytes([n]) * 20), Wei(1), RoundId(1), base, step)
        for n in range(nodes)
    ]
    try:
        manifest = await settling.settle(RoundId(1), commits)
    finally:
        await evaluator.stop()
    assert sum(row.reward_wei for row in manifest.nodes) == 100
    assert (app / "gradients").read_text() == "..."
