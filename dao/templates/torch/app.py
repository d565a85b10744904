"""Is a tumour malignant? A small network over 30 measurements of its cells."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def model():
    """The untrained network, the same one every time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))


def data(path):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2))
    return {"x": table[:, :30], "y": table[:, 30]}


def loss(model, batch):
    """The mean over a batch: what updates are scored by."""
    return functional.binary_cross_entropy_with_logits(model(batch["x"]), batch["y"])


def train(model, data, *, seed, round):
    """Fifty small steps, each on sixteen rows that the seed draws."""
    chance, steps = torch.Generator().manual_seed(seed), torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(50):
        rows = torch.randint(len(data["y"]), (16,), generator=chance)
        steps.zero_grad()
        value = loss(model, {name: column[rows] for name, column in data.items()})
        value.backward()
        steps.step()
        yield {"step": step + 1, "loss": value.item()}


def metrics(model, data):
    """What people like to read."""
    return {"accuracy": ((model(data["x"]) > 0) == (data["y"] > 0.5)).float().mean().item()}
