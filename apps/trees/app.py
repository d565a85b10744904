"""Is a tumour malignant? LightGBM's trees: their structure is a part of the app, the values of their leaves are trained."""

from pathlib import Path

import lightgbm
import numpy as np

STRUCTURE = Path(__file__).with_name("trees.txt").read_text()  # as Booster.save_model writes it
READER = lightgbm.Booster(model_str=STRUCTURE)
SIZES = [tree["num_leaves"] for tree in READER.dump_model()["tree_info"]]


def model():
    """All leaves at zero: (trees, leaves)."""
    return {"leaves": np.zeros((len(SIZES), max(SIZES)))}


def data(path):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    return {"x": table[:, :30], "y": table[:, 30], "leaf": READER.predict(table[:, :30], pred_leaf=True)}


def logits(weights, leaf):
    """The sum of the leaves that a row falls into."""
    return weights["leaves"][np.arange(len(SIZES)), leaf].sum(1)


def loss(weights, batch):
    """The mean over a batch: what updates are scored by."""
    return np.logaddexp(0, (1 - 2 * batch["y"]) * logits(weights, batch["leaf"])).mean()


def train(weights, data, *, seed, round):
    """LightGBM's own refit: each leaf moves by a fifth towards what these rows say; returns the new leaves."""
    booster = lightgbm.Booster(model_str=STRUCTURE)
    leaves = [(tree, leaf) for tree, size in enumerate(SIZES) for leaf in range(size)]
    for place in leaves:
        booster.set_leaf_output(*place, weights["leaves"][place])
    trained, values = booster.refit(data["x"], data["y"], decay_rate=0.8), model()["leaves"]
    for place in leaves:
        values[place] = trained.get_leaf_output(*place)
    return {"leaves": values}


def metrics(weights, data):
    """What people like to read."""
    return {"accuracy": ((logits(weights, data["leaf"]) > 0) == (data["y"] > 0.5)).mean()}
