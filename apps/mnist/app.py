"""Handwritten digits: a small network that each Supernode trains on its own images."""

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

BATCHES = 120  # of each training, however many images: then all move the model about as far
BATCH = 32
RATE = 0.02
MOMENTUM = 0.9
WARM_UP = 30  # batches until the full rate


def model():
    """The untrained network, the same one every time."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        nn.Conv2d(1, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def data(path):
    """Images as float32 in 0..1, (n, 28, 28), and their digits, (n,): the columns x and y of a safetensors file."""
    columns = load_file(path)
    return {"x": columns["x"].float().div(255).unflatten(1, (28, 28)), "y": columns["y"].long()}


def loss(model, batch):
    """The mean over a batch: what the task is scored by."""
    return functional.cross_entropy(model(batch["x"]), batch["y"])


def draw_batches(count, chance):
    """The numbers of the rows of one batch after another, each row once before any comes again."""
    while True:
        yield from torch.randperm(count, generator=chance).split(BATCH)


def train(model, data, *, seed, round):  # noqa: ARG001  (other apps may lower their rate by the round)
    """So many batches, each moved by up to one pixel so that few images go further."""
    chance = torch.Generator().manual_seed(seed)
    weights = list(model.parameters())
    speeds = [torch.zeros_like(weight) for weight in weights]
    for number, rows in zip(range(1, BATCHES + 1), draw_batches(len(data["y"]), chance)):  # noqa: B905  (no end)
        move = torch.randint(-1, 2, (2,), generator=chance).tolist()
        value = loss(model, {"x": data["x"][rows].roll(move, (1, 2)), "y": data["y"][rows]})
        rate = RATE * min(1, number / WARM_UP)
        # momentum by hand: torch.optim would be as good, but takes seconds to import
        for weight, speed, slope in zip(weights, speeds, torch.autograd.grad(value, weights), strict=True):
            weight.data.sub_(speed.mul_(MOMENTUM).add_(slope), alpha=rate)
        if number % 20 == 0:
            yield {"batch": number, "loss": value.item()}


@torch.no_grad()
def metrics(model, data):
    """What people like to read."""
    right = model(data["x"]).argmax(1) == data["y"]
    return {"accuracy": right.float().mean().item(), "loss": loss(model, data).item()}
