"""The model, the data, training and test."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """A small network over 30 measurements of a tumour's cells."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))

    def forward(self, x):
        """Return the logits of a batch."""
        return self.layers(x)


def load_data(node_config, batch_size, *, shuffle=False):
    """A CSV file: 30 measurements a row, in standard deviations, then 1 for malignant or 0."""
    table = torch.from_numpy(np.loadtxt(node_config["data-path"], delimiter=",", dtype=np.float32, ndmin=2))
    if "partition-id" in node_config:  # in a simulation all nodes have one file
        table = table[node_config["partition-id"] :: node_config["num-partitions"]]
    return DataLoader(TensorDataset(table[:, :30], table[:, 30]), batch_size=batch_size, shuffle=shuffle)


def train(net, loader, epochs, lr):
    """Train in place; return the mean loss."""
    steps, criterion, total = torch.optim.SGD(net.parameters(), lr=lr), nn.BCEWithLogitsLoss(), 0.0
    net.train()
    for _ in range(epochs):
        for x, y in loader:
            steps.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            steps.step()
            total += loss.item()
    return total / (epochs * len(loader))


def test(net, loader):
    """Return loss and accuracy, means over all rows."""
    criterion, loss, right, rows = nn.BCEWithLogitsLoss(reduction="sum"), 0.0, 0, len(loader.dataset)
    net.eval()
    with torch.no_grad():
        for x, y in loader:
            logits = net(x)
            loss += criterion(logits, y).item()
            right += ((logits > 0) == (y > 0.5)).sum().item()
    return loss / rows, right / rows
