"""Is a tumour malignant? scikit-learn's MLPClassifier, as it is, over 30 measurements of its cells."""

import numpy as np
from sklearn.neural_network import MLPClassifier


def make(seed):
    """A classifier that knows how many columns and classes there are."""
    made = MLPClassifier((16,), solver="sgd", learning_rate_init=0.02, random_state=seed)
    return made.partial_fit(np.zeros((1, 30)), [0], classes=[0, 1])


def use(made, weights):
    """A classifier with these weights."""
    made.coefs_, made.intercepts_ = (
        [weights[f"{name}{layer}"] for layer in (0, 1)] for name in ("coef", "bias")
    )
    return made


def show(made):
    """The weights of a classifier by name."""
    layers = enumerate(zip(made.coefs_, made.intercepts_, strict=True))
    return {
        f"{name}{i}": part for i, pair in layers for name, part in zip(("coef", "bias"), pair, strict=True)
    }


READER = make(0)


def model():
    """The untrained weights, the same ones every time."""
    return show(make(0))


def data(path):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    return {"x": table[:, :30], "y": table[:, 30].astype(int)}


def loss(weights, batch):
    """The mean over a batch: what updates are scored by."""
    chances = use(READER, weights).predict_proba(batch["x"])[np.arange(len(batch["y"])), batch["y"]]
    return -np.log(chances.clip(1e-12)).mean()


def train(weights, data, *, seed, round):
    """Ten passes over the rows, in orders that the seed draws; returns the new weights."""
    made = use(make(seed), weights)
    for _ in range(10):
        made.partial_fit(data["x"], data["y"])
    return show(made)


def metrics(weights, data):
    """What people like to read."""
    return {"accuracy": use(READER, weights).score(data["x"], data["y"])}
