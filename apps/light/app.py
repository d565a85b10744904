"""An app that trains with numpy alone, so that many Supernodes fit on one machine; only the scores need torch.

`script/bench nodes` writes the size of its one matrix, in megabytes, into the file `megabytes` beside this one.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

WIDTH = 250
STEP = 1e-3
WANTED = 100.0  # far above what the model gives, so that every weight is better a little larger
ROWS = 1000 * int(Path(__file__).with_name("megabytes").read_text())


class Matrix:
    """The model of a Supernode: what a torch module offers, as far as the daemon asks for it."""

    def __init__(self):
        self.weight = np.zeros((ROWS, WIDTH), np.float32)

    def state_dict(self):
        """Its tensors."""
        return {"weight": self.weight}

    def load_state_dict(self, state):
        """Take the tensors' values."""
        self.weight[...] = state["weight"]


def model():
    """A matrix; for whoever takes gradients, which is done by torch, as a torch module."""
    if "torch" not in sys.modules:
        return Matrix()
    import torch

    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.zeros(ROWS, WIDTH))
    return module


def data(path):
    """Rows of numbers between 0 and 1, in the column x of a safetensors file."""
    columns = load_file(path)
    if "torch" not in sys.modules:
        return columns
    import torch

    return {name: torch.from_numpy(column) for name, column in columns.items()}


def loss(model, batch):
    """How far the mean output is from what is wanted."""
    import torch

    return torch.nn.functional.huber_loss(
        WIDTH * batch["x"].mean() * model.weight.mean(), torch.tensor(WANTED)
    )


def train(model, data, *, seed, round):  # noqa: ARG001  (the step is the same in every round)
    """Make every weight a little larger, each node by a little more or less."""
    model.weight += np.float32((1 + seed % 100 / 1000) * STEP)
    return {}
