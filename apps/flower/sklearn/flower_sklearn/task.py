"""flower-sklearn: model and data."""

import numpy as np
from sklearn.linear_model import LogisticRegression

CLASSES = [0, 1]
FEATURES = 30


def get_model_params(model):
    """Return the weights of a model."""
    return [model.coef_, model.intercept_]


def set_model_params(model, params):
    """Give weights to a model, and return it."""
    model.coef_, model.intercept_ = params
    return model


def make_model(epochs):
    """Return an untrained model with weights, which go on where training left them."""
    model = LogisticRegression(max_iter=epochs, warm_start=True, solver="saga")
    model.classes_ = np.array(CLASSES)
    return set_model_params(model, [np.zeros((1, FEATURES)), np.zeros(1)])


def load_data(node_config):
    """Load the rows of a node, 30 measurements and the diagnosis: four fifths to train on, one to evaluate on."""
    table = np.loadtxt(node_config["data-path"], delimiter=",")
    if "partition-id" in node_config:
        table = table[node_config["partition-id"] :: node_config["num-partitions"]]
    x, y, cut = table[:, :FEATURES], table[:, FEATURES].astype(int), int(0.8 * len(table))
    return x[:cut], y[:cut], x[cut:], y[cut:]
