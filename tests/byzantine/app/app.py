"""Handwritten digits by a small dense network: a round of ten Supernodes trains in tenths of a second."""

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

EPOCHS = 4
BATCH = 32
RATE = 0.1


def model():
    """The untrained network, the same one every time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def data(path):
    """Images as float32 in 0..1, (n, 784), and their digits, (n,)."""
    columns = load_file(path)
    return {"x": columns["x"].float().div(255), "y": columns["y"].long()}


def loss(model, batch):
    """The mean over a batch."""
    return functional.cross_entropy(model(batch["x"]), batch["y"])


def train(model, data, *, seed, round):  # noqa: A002  (the name that apps are called with)
    """A few passes over the images."""
    chance = torch.Generator().manual_seed(seed)
    weights = list(model.parameters())
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(data["y"]), generator=chance).split(BATCH):
            value = loss(model, {"x": data["x"][rows], "y": data["y"][rows]})
            for weight, slope in zip(weights, torch.autograd.grad(value, weights), strict=True):
                weight.data.sub_(slope, alpha=RATE)
        yield {"epoch": epoch + 1}
