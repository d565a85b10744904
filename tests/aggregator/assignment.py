"""What the tests' Superlinks have their nodes train: a small app, its first model, and shards of points to score on."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from dao.app.bundle import bundle
from dao.app.shards import read_shards
from dao.chain.signer import Signer
from dao.core.formats.card import Card, Metric, write_card
from dao.core.formats.layout import Layout, compute_model_root, compute_model_size, parse_model, write_model
from dao.store.disk import DiskStore
from tests.support import RULES

APP = """
import torch
from safetensors.torch import load_file


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))


def data(path):
    return load_file(path)


def train(model, data, *, seed, round):
    weights = [*model.parameters()]
    for _ in range(20):  # by hand: the first optimizer of torch.optim takes seconds to import
        for weight, slope in zip(weights, torch.autograd.grad(loss(model, data), weights)):
            weight.data.sub_(slope, alpha=0.3)


def loss(model, batch):
    return torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"].long())


def metrics(model, data):
    right = model(data["x"]).argmax(1) == data["y"].long()
    return {"rows": len(right), "accuracy": right.float().mean()}
"""
SHAPES = {"0.weight": (16, 8), "0.bias": (16,), "2.weight": (3, 16), "2.bias": (3,)}
SHARDS, ROWS = 12, 96


def samples(seed: int, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Points of three classes, which a linear map and some noise decide."""
    true = np.random.Generator(np.random.Philox(42)).standard_normal((8, 3))
    generator = np.random.Generator(np.random.Philox(seed))
    x = generator.standard_normal((rows, 8)).astype(np.float32)
    y = (x @ true + 0.3 * generator.standard_normal((rows, 3))).argmax(1)
    return {"x": x, "y": y.astype(np.float32)}


@dataclass(frozen=True)
class Assignment:
    """A task's content as its proposer has it: app, first model, shards."""

    folder: Path
    app: Path
    base: Path
    shards: Path
    store: Path

    @classmethod
    def make(cls, folder: Path) -> "Assignment":
        made = cls(folder, folder / "app", folder / "base", folder / "shards", folder / "content")
        made.app.mkdir(parents=True)
        made.shards.mkdir()
        (made.app / "app.py").write_text(APP)
        layout = Layout.of(SHAPES)
        buffer = bytearray(compute_model_size(layout))
        model = write_model(layout, buffer)
        generator = np.random.Generator(np.random.Philox(5))
        model.flat[:] = 0.3 * generator.standard_normal(layout.size)
        made.base.write_bytes(buffer)
        for index in range(SHARDS):
            save_file(samples(1000 + index), made.shards / f"shard-{index:03}.safetensors")
        return made

    async def rules(self, superlink: Signer, **changes: Any) -> Any:
        store = DiskStore(self.store)
        app = await store.put_bytes(bundle(self.app))
        base = await store.put_file(self.base)
        shards = read_shards(self.shards)
        model = parse_model(self.base.read_bytes())
        rules = replace(
            RULES,
            superlink=superlink.address,
            app_hash=app.digest,
            card=(
                await store.put_bytes(
                    write_card(Card("Lines", metric=Metric("accuracy", higher_is_better=True)))
                )
            ).digest,
            base_model=base.digest,
            validation_root=shards.root,
            chunks=model.layout.chunks,
            scored_chunks=model.layout.scored_chunks,
            base_model_root=compute_model_root(model, RULES.body_depth),
            shards=SHARDS,
        )
        return replace(rules, **changes)
