"""Handwritten digits: a small network, trained for a few passes over a node's own images in each round."""

import torch
from safetensors.torch import load_file
from torch import nn

PASSES = 5
BATCH = 16
RATE = 0.1


def model():
    """Two convolutions and a linear layer, 28 x 28 pixels to 10 digits; the same start everywhere."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def data(path):
    """Images as float32 in 0..1, (n, 784), and their digits, (n,)."""
    columns = load_file(path)
    return {"x": columns["x"].float() / 255, "y": columns["y"].long()}


def loss(net, batch):
    """Mean cross-entropy."""
    return nn.functional.cross_entropy(net(batch["x"]), batch["y"])


def train(net, images, *, seed, round):
    """Plain SGD, slower from round to round, in an order drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE / (1 + 0.3 * (round - 1)))
    for done in range(PASSES):
        for rows in torch.randperm(len(images["y"]), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss(net, {name: column[rows] for name, column in images.items()}).backward()
            optimizer.step()
        yield {"pass": done + 1, "of": PASSES}


def metrics(net, images):
    """Accuracy (0..1) and loss, for people."""
    with torch.no_grad():
        right = (net(images["x"]).argmax(1) == images["y"]).float().mean()
        return {"accuracy": right.item(), "loss": loss(net, images).item()}
