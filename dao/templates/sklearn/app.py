"""Is a tumour malignant? scikit-learn's logistic regression over 30 measurements of its cells."""

import numpy as np
from sklearn.linear_model import SGDClassifier


def model():
    """The untrained weights by name: arrays of numpy, so that no torch is needed."""
    return {"coef": np.zeros((1, 30)), "intercept": np.zeros(1)}


def use(weights, seed=0):
    """A classifier with these weights."""
    made = SGDClassifier(loss="log_loss", alpha=0, learning_rate="constant", eta0=0.01, random_state=seed)
    made.coef_, made.intercept_, made.classes_ = weights["coef"], weights["intercept"], np.array([0, 1])
    return made


def data(path):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    return {"x": table[:, :30], "y": table[:, 30].astype(int)}


def loss(weights, batch):
    """The mean over a batch: what updates are scored by."""
    chances = use(weights).predict_proba(batch["x"])[np.arange(len(batch["y"])), batch["y"]]
    return -np.log(chances.clip(1e-12)).mean()


def train(weights, data, *, seed, round):
    """One pass over the rows, in an order that the seed draws; returns the new weights."""
    trained = use(weights, seed).partial_fit(data["x"], data["y"], classes=[0, 1])
    return {"coef": trained.coef_, "intercept": trained.intercept_}


def metrics(weights, data):
    """What people like to read."""
    return {"accuracy": use(weights).score(data["x"], data["y"])}
