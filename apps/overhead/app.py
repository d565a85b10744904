"""An app whose training costs nothing, to measure what everything around it costs: a network of N megabytes.

`script/bench overhead` writes N into the file `megabytes` beside this one.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

LAYERS = 6
STEP = 1e-3
WANTED = 100.0  # far above what the network gives, so that every weight is better a little larger


def model():
    """Linear layers without activation in between, all weights positive: at least N million bytes of float32."""
    values = 250_000 * int(Path(__file__).with_name("megabytes").read_text())
    width = math.ceil(math.sqrt(values / LAYERS))
    layers = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(LAYERS)))
    dice = torch.Generator().manual_seed(0)
    for layer in layers:
        nn.init.uniform_(layer.weight, 0.5 / width, 1.5 / width, generator=dice)
    return layers


def data(path):
    """Rows of numbers between 0 and 1 (n, k) in the column x of a safetensors file."""
    return load_file(path)


def loss(model, batch):
    """How far the mean output is from what is wanted, the rows of the batch spread over the network's width."""
    width = model[0].in_features
    x = batch["x"].repeat(1, math.ceil(width / batch["x"].shape[1]))[:, :width]
    return functional.huber_loss(model(x).mean(), torch.tensor(WANTED))


def train(model, data, *, seed, round):  # noqa: ARG001  (the step is the same in every round)
    """Make every weight a little larger, each node by a little more or less: one pass over the memory.

    How much it is differs from layer to layer, so that the mean of the updates is none of them.
    """
    width = model[0].in_features
    for index, layer in enumerate(model):
        layer.weight.data.add_((1 + seed // 7**index % 100 / 1000) * STEP / width)
    return {}


@torch.no_grad()
def metrics(model, data):
    """One more pass over the shard, as any metric takes; by the name that the network's card asks for."""
    return {"accuracy": -loss(model, data).item()}
