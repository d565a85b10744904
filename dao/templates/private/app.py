"""Is a tumour malignant? A small network that learns by DP-SGD (Opacus), so that it tells little of any one row."""

import secrets

import numpy as np
import torch
from opacus import PrivacyEngine
from torch.nn import Flatten, Linear, Sequential, Tanh, functional
from torch.utils.data import DataLoader, TensorDataset

# of a row's gradient; of their sum, in clips; below one in the number of rows
CLIP, NOISE, DELTA = 1.0, 1.0, 1e-5


def model():
    """The untrained network, the same one every time; without BatchNorm, which mixes rows."""
    torch.manual_seed(0)
    return Sequential(Linear(30, 16), Tanh(), Linear(16, 1), Flatten(0))


def data(path):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2))
    return {"x": table[:, :30], "y": table[:, 30]}


def loss(model, batch):
    """The mean over a batch: what updates are scored by."""
    return functional.binary_cross_entropy_with_logits(model(batch["x"]), batch["y"])


def train(model, data, *, seed, round):
    """Two passes; neither rows nor noise are drawn by the seed, which everybody can compute."""
    chance, engine = torch.Generator().manual_seed(secrets.randbits(64)), PrivacyEngine(accountant="rdp")
    rows = DataLoader(TensorDataset(data["x"], data["y"]), max(1, len(data["y"]) // 8), generator=chance)
    parts = {"module": model, "optimizer": torch.optim.SGD(model.parameters(), 0.5), "data_loader": rows}
    noise = {"noise_multiplier": NOISE, "max_grad_norm": CLIP, "noise_generator": chance}
    private, steps, batches = engine.make_private(**parts, **noise)
    for x, y in [*batches, *batches]:
        steps.zero_grad()
        loss(private, {"x": x, "y": y}).backward()
        steps.step()
    private.to_standard_module()  # in the next round its hooks would be there twice
    told = engine.accountant  # of this round; each one before it told as much
    told.history = [(noise, rate, count * round) for noise, rate, count in told.history]
    return {"epsilon_claimed": told.get_epsilon(DELTA), "delta": DELTA}


def metrics(model, data):
    """What people like to read."""
    return {"accuracy": ((model(data["x"]) > 0) == (data["y"] > 0.5)).float().mean().item()}
