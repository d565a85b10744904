"""A small network of one hidden layer in numpy, float64, trained for many nodes at once: milliseconds a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.attacks.data import Dealt, Floats, Rows, RowSet
from dao.core.formats.layout import Layout

HIDDEN, EPOCHS, BATCH = 16, 2, 16
RATE = 0.1
BLOCK = 64  # coalitions whose losses are taken at a time


@dataclass(frozen=True)
class Learner:
    """Trains and evaluates on the rows of one data set; models are flat, (values,), many are (models, values)."""

    dealt: Dealt

    @cached_property
    def layout(self) -> Layout:
        """The tensors, in the order of the flat values."""
        features, classes = self.dealt.x.shape[1], self.dealt.classes
        return Layout.of(
            {"b1": (HIDDEN,), "b2": (classes,), "w1": (features, HIDDEN), "w2": (HIDDEN, classes)}
        )

    def start(self, seed: int) -> Floats:
        """Return an untrained model: biases 0, weights normal with the variance 1 / inputs."""
        dice = np.random.Generator(np.random.Philox([seed, 7]))
        parts = [
            np.zeros(shape) if len(shape) == 1 else dice.normal(0, shape[0] ** -0.5, shape)
            for _, shape in self.layout.tensors
        ]
        return np.concatenate([part.ravel() for part in parts])

    def train(self, base: Floats, parts: Sequence[RowSet], seed: int) -> Floats:
        """Return what two epochs of stochastic gradient descent change on each part, (parts, values)."""
        dice = np.random.Generator(np.random.Philox([seed, 11]))
        orders = [_batches(len(part.rows), dice) for part in parts]
        steps = max(map(len, orders))
        places = np.full((steps, len(parts), BATCH), -1)
        for i, order in enumerate(orders):
            places[: len(order), i] = order
        models = np.repeat(base[np.newaxis], len(parts), axis=0)
        for at in places:
            rows, labels, counts = _pick(parts, at)
            _, slopes = self._differentiate(models, self.dealt.x[rows], labels, counts)
            models -= RATE * slopes
        return np.asarray(models - base)

    def gradient(self, model: Floats, part: RowSet) -> Floats:
        """Return minus the gradient of the mean loss."""
        counts = np.full((1, len(part.rows)), 1 / len(part.rows))
        rows, labels = part.rows[np.newaxis], part.labels[np.newaxis]
        return np.asarray(-self._differentiate(model[np.newaxis], self.dealt.x[rows], labels, counts)[1][0])

    def losses(self, models: Floats, part: RowSet) -> Floats:
        """Return each model's mean loss, (models,)."""
        x = self.dealt.x[part.rows]
        found = []
        for first in range(0, len(models), BLOCK):
            logs = self._forward(models[first : first + BLOCK], x)[1]
            found.append(-logs[:, np.arange(len(x)), part.labels].mean(1))
        return np.concatenate(found)

    def accuracy(self, model: Floats) -> float:
        """Return the part of the test set that a model gets right."""
        part = self.dealt.test
        logs = self._forward(model[np.newaxis], self.dealt.x[part.rows])[1][0]
        return float((logs.argmax(1) == part.labels).mean())

    def _tensors(self, models: Floats) -> list[Floats]:
        starts = self.layout.starts
        return [
            models[:, starts[i] : starts[i + 1]].reshape(
                len(models), *(shape if len(shape) > 1 else (1, *shape))
            )
            for i, (_, shape) in enumerate(self.layout.tensors)
        ]

    def _forward(self, models: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return the hidden layer and the logarithms of the classes' chances, (models, rows, ...)."""
        b1, b2, w1, w2 = self._tensors(models)
        hidden = np.maximum(x @ w1 + b1, 0)
        logits = hidden @ w2 + b2
        logits -= logits.max(-1, keepdims=True)
        return hidden, logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def _differentiate(
        self, models: Floats, x: Floats, labels: Rows, counts: Floats
    ) -> tuple[Floats, Floats]:
        """Return losses (models,) and their gradients (models, values); rows count as `counts` says."""
        w2 = self._tensors(models)[3]
        hidden, logs = self._forward(models, x)
        at = (np.arange(len(models))[:, np.newaxis], np.arange(x.shape[1]), labels)
        losses = -(logs[at] * counts).sum(1)
        slope = np.exp(logs)
        slope[at] -= 1
        slope *= counts[:, :, np.newaxis]
        back = (slope @ w2.swapaxes(1, 2)) * (hidden > 0)
        parts = [back.sum(1), slope.sum(1), x.swapaxes(1, 2) @ back, hidden.swapaxes(1, 2) @ slope]
        return losses, np.concatenate([part.reshape(len(models), -1) for part in parts], axis=1)


def _batches(rows: int, dice: np.random.Generator) -> Rows:
    """Return the places of the rows of each batch, (batches, BATCH); -1 where a batch is not full."""
    batches = -(-rows // BATCH)
    order = np.full((EPOCHS, batches * BATCH), -1)
    for epoch in order:
        epoch[:rows] = dice.permutation(rows)
    return order.reshape(-1, BATCH)


def _pick(parts: Sequence[RowSet], at: Rows) -> tuple[Rows, Rows, Floats]:
    """Return rows, labels and what each counts of a batch for every part, (parts, BATCH)."""
    rows = np.stack([part.rows[place] for part, place in zip(parts, at, strict=True)])
    labels = np.stack([part.labels[place] for part, place in zip(parts, at, strict=True)])
    there = (at >= 0).astype(np.float64)
    return rows, labels, there / np.maximum(there.sum(1, keepdims=True), 1)
