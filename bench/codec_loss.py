"""What a codec costs in loss: the same rounds of a small language model, from scratch, with each codec and its error feedback.

The text is the reference manual that Python carries. Each node has a part of it and an AdamW that it keeps, trains some steps from
the round's model, and sends its update in the codec; updates are averaged by the round's own arithmetic (`compute_aggregate`).
The learning rate falls to 0 over the rounds, as it does where a model is trained to an end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pydoc_data import topics
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dao.core.aggregate import compute_aggregate
from dao.core.engine.backend import get_step_codec, is_sparse
from dao.core.formats.feedback import Feedback, write_start
from dao.core.formats.layout import FLOAT, Layout, Model, compute_depth
from dao.core.formats.update import Update, count_leaves, get_leaf_size, write_update_rows
from dao.core.types import Address, Codec
from dao.core.weigh import UpdateEntry

LETTERS, CONTEXT, WIDTH, HEADS, LAYERS = 128, 32, 64, 4, 2
BATCH, RATE, WARM_UP = 8, 3e-3, 10
HELD_OUT, EVALUATED = 0.1, 512  # part of the text, and pieces of it


class AttentionBlock(nn.Module):
    """Attention to what came before, then two layers on each letter; both added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_layers = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.layers = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, values: Tensor) -> Tensor:
        """Return (batch, letters, WIDTH) for as much."""
        batch, letters, _ = values.shape
        parts = self.attention(self.before_attention(values)).chunk(3, -1)
        query, key, value = (part.view(batch, letters, HEADS, -1).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        values = values + self.out(seen.transpose(1, 2).reshape(batch, letters, WIDTH))
        moved: Tensor = self.layers(self.before_layers(values))
        return values + moved


class LanguageModel(nn.Module):
    """Guesses each next letter."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(LETTERS, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(AttentionBlock() for _ in range(LAYERS)))
        self.end, self.guess = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS)

    def compute_loss(self, pieces: Tensor) -> Tensor:
        """Return the mean loss of pieces, (batch, CONTEXT + 1) letters, in nats a letter."""
        values = self.letters(pieces[:, :-1]) + self.places.weight
        guesses = self.guess(self.end(self.blocks(values)))
        return functional.cross_entropy(guesses.flatten(0, 1), pieces[:, 1:].flatten())


class TextOwner:
    """One contributor: its text, its dice, its model and optimizer, and what its updates left out."""

    def __init__(self, text: Tensor, seed: int) -> None:
        self.text, self.dice = text, torch.Generator().manual_seed(seed)
        self.model = LanguageModel()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.0, weight_decay=0.0)
        self.left: Model | None = None

    def train(self, rate: float, steps: int) -> None:
        """Train on pieces of its text."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.model.compute_loss(_draw(self.text, self.dice, BATCH)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()


class CodecTraining:
    """Rounds of some nodes with one codec."""

    def __init__(self, codec: Codec, nodes: int, steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.codec, self.steps = codec, steps
        self.model = LanguageModel()
        for module in self.model.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        self.layout = Layout.of({name: tuple(p.shape) for name, p in self.model.named_parameters()})
        text = torch.tensor([min(ord(letter), LETTERS - 1) for letter in "".join(topics.topics.values())])
        cut = len(text) - int(HELD_OUT * len(text))
        train, held_out = text[:cut], text[cut:]
        self.nodes = [TextOwner(part, seed + 1 + i) for i, part in enumerate(train.chunk(nodes))]
        self.held_out = _draw(held_out, torch.Generator().manual_seed(seed), EVALUATED)
        self.base = self._read(self.model)

    def play_round(self, rate: float) -> None:
        """Have all nodes train, and move the base model by the mean of their updates."""
        entries = [
            UpdateEntry(Address(bytes([i]) * 20), 1, self._make_update(node, rate))
            for i, node in enumerate(self.nodes)
        ]
        chunks, new = self.layout.chunks, np.empty(self.layout.size, FLOAT)
        rows = np.empty((chunks, get_leaf_size(get_step_codec(self.codec))), np.uint8)
        weights = [1] * len(entries)
        depth = compute_depth(chunks)
        compute_aggregate(entries, weights, len(weights), self.base, self.codec, rows, new, depth)
        self.base = Model(self.layout, new)

    def compute_loss(self) -> float:
        """Return the base model's loss on text that nobody has."""
        self._load(self.model, self.base)
        with torch.no_grad():
            return float(self.model.compute_loss(self.held_out))

    def _make_update(self, node: TextOwner, rate: float) -> Update:
        start = self.base
        if node.left is not None:
            start = Model(self.layout, np.empty(self.layout.size, FLOAT))
            write_start(self.base, node.left, start.flat)
        self._load(node.model, start)
        node.train(rate, self.steps)
        rows = np.empty((count_leaves(self.codec, self.layout.chunks), get_leaf_size(self.codec)), np.uint8)
        feedback = None
        if is_sparse(self.codec):
            feedback = Feedback(self.layout, node.left, np.empty(self.layout.size, FLOAT))
        write_update_rows(start, self._read(node.model), self.codec, rows, feedback=feedback)
        if feedback is not None:
            node.left = Model(self.layout, np.asarray(feedback.after, FLOAT))
        return Update(self.layout, self.codec, rows)

    def _read(self, model: LanguageModel) -> Model:
        named = dict(model.named_parameters())
        flat = [named[name].detach().numpy().ravel() for name, _ in self.layout.tensors]
        return Model(self.layout, np.concatenate(flat).astype(FLOAT))

    def _load(self, model: LanguageModel, values: Model) -> None:
        """Set a model's parameters."""
        tensors = values.tensors
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(tensors[name].copy()))


def measure(
    codecs: Sequence[Codec],
    rounds: int,
    nodes: int,
    steps: int,
    say: Callable[[dict[str, Any]], None],
    seed: int = 1,
) -> list[dict[str, Any]]:
    """Play the rounds with each codec; return a row for each, and give `say` one each tenth of the way.

    `ratio` is that of the loss to the first codec's after as many rounds.
    """
    torch.set_num_threads(1)
    rows = []
    first: dict[int, float] = {}  # losses by round
    for codec in codecs:
        training, begun = CodecTraining(codec, nodes, steps, seed), time.monotonic()
        for number in range(1, rounds + 1):
            training.play_round(RATE * min(1.0, number / WARM_UP) * (1 - (number - 1) / rounds))
            if number % max(1, rounds // 10) == 0 or number == rounds:
                loss = training.compute_loss()
                row = {
                    "codec": str(codec),
                    "round": number,
                    "nodes": nodes,
                    "steps": steps,
                    "seed": seed,
                    "values": training.layout.size,
                    "update_bytes": count_leaves(codec, training.layout.chunks) * get_leaf_size(codec),
                    "loss": round(loss, 4),
                    "ratio": round(loss / first.setdefault(number, loss), 4),
                    "seconds": round(time.monotonic() - begun, 1),
                }
                say(row)
        rows.append(row)
    return rows


def _draw(text: Tensor, dice: torch.Generator, count: int) -> Tensor:
    """Return pieces of a text, (count, CONTEXT + 1)."""
    starts = torch.randint(0, len(text) - CONTEXT - 1, (count,), generator=dice)
    return torch.stack([text[start : start + CONTEXT + 1] for start in starts.tolist()])
