"""Is a tumour malignant? A small network in JAX over 30 measurements of its cells."""

import jax
import numpy as np


def model():
    """The untrained weights by name, the same ones every time."""
    first = np.random.default_rng(0).normal(0, 0.2, (30, 16)).astype(np.float32)
    return {"w1": first, "b1": np.zeros(16), "w2": np.full(16, 0.1), "b2": np.zeros(())}


def data(path):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
    return {"x": table[:, :30], "y": table[:, 30]}


def logits(weights, x):
    return jax.nn.relu(x @ weights["w1"] + weights["b1"]) @ weights["w2"] + weights["b2"]


def loss(weights, batch):
    """The mean over a batch: what updates are scored by."""
    return jax.nn.softplus((1 - 2 * batch["y"]) * logits(weights, batch["x"])).mean()


gradient = jax.jit(jax.grad(loss))  # of the same weights and batch


def train(weights, data, *, seed, round):
    """Fifty small steps, each on sixteen rows that the seed draws; returns the new weights."""
    for rows in np.random.default_rng(seed).integers(len(data["y"]), size=(50, 16)):
        slopes = gradient(weights, {name: column[rows] for name, column in data.items()})
        weights = jax.tree.map(lambda weight, slope: weight - 0.05 * slope, weights, slopes)
    return weights


def metrics(weights, data):
    return {"accuracy": ((logits(weights, data["x"]) > 0) == (data["y"] > 0.5)).mean()}
