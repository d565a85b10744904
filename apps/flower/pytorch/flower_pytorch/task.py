"""flower-pytorch: model, data, training and test."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """Two convolutions and three layers over digits of 8 x 8 pixels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 2 * 2, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        """Return the logits of a batch of images."""
        x = self.pool(functional.relu(self.conv1(x)))
        x = self.pool(functional.relu(self.conv2(x)))
        x = functional.relu(self.fc1(x.flatten(1)))
        return self.fc3(functional.relu(self.fc2(x)))


def load_rows(path, part=slice(None)):
    """Load rows of 64 pixels and the digit."""
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)[part]
    images, labels = torch.from_numpy(table[:, :64]) / 16, torch.from_numpy(table[:, 64]).long()
    return TensorDataset(images.view(-1, 1, 8, 8), labels)


def load_data(node_config, batch_size):
    """Load the rows of a node: four fifths to train on, one to evaluate on."""
    part = slice(None)
    if "partition-id" in node_config:
        part = slice(node_config["partition-id"], None, node_config["num-partitions"])
    dataset = load_rows(node_config["data-path"], part)
    train, test = torch.utils.data.random_split(dataset, [0.8, 0.2], torch.Generator().manual_seed(42))
    return DataLoader(train, batch_size=batch_size, shuffle=True), DataLoader(test, batch_size=batch_size)


def load_centralized_dataset():
    """Load the test of the server, which a network of sites has none of."""
    return DataLoader(load_rows("centralized.csv"), batch_size=128)


def train(net, trainloader, epochs, lr, device):
    """Train the model; return the mean loss."""
    net.to(device)
    criterion = torch.nn.CrossEntropyLoss().to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    net.train()
    running_loss = 0.0
    for _ in range(epochs):
        for images, labels in trainloader:
            optimizer.zero_grad()
            loss = criterion(net(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return running_loss / (epochs * len(trainloader))


def test(net, testloader, device):
    """Return loss and accuracy of the model."""
    net.to(device)
    criterion = torch.nn.CrossEntropyLoss()
    correct, loss = 0, 0.0
    with torch.no_grad():
        for images, labels in testloader:
            outputs = net(images.to(device))
            loss += criterion(outputs, labels.to(device)).item()
            correct += (torch.max(outputs.data, 1)[1] == labels.to(device)).sum().item()
    return loss / len(testloader), correct / len(testloader.dataset)
