"""What of real models travels: BatchNorm, narrow and wide types, tied weights, what an app keeps to itself."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dao.app.worker import open_model_file
from dao.core.formats.layout import Model, parse_model
from dao.errors import AppError
from node.trainer import Trained, Trainer

pytestmark = pytest.mark.usefixtures("forked_apps")

APP = """
import torch
from torch import nn
{declared}

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Linear(4, 8), nn.BatchNorm1d(8)
        self.last = nn.Linear(8, 1)
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, x):
        hidden = self.first(x)
        return self.last(hidden + torch.relu(self.norm(hidden))) * self.scale

def model():
    return Residual()

def data(path):
    torch.manual_seed(int(path.read_text()) if hasattr(path, "read_text") else 1)
    x = torch.randn(64, 4)
    return {{"x": x, "y": x.sum(1, keepdim=True)}}

def loss(model, batch):
    return (model(batch["x"]) - batch["y"]).square().mean()

def train(model, data, *, seed, round):
    assert model.training
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        value = loss(model, data)
        value.backward()
        optimizer.step()
        {also}
        yield {{"loss": value.item()}}

def metrics(model, data):
    assert not model.training
    return {{"loss": loss(model, data).item()}}
"""
NORM = {"norm.running_mean", "norm.running_var"}


class Site:
    """A node's folder with an app and data."""

    def __init__(self, folder: Path) -> None:
        self.app, self.base, self.out = folder / "app", folder / "base", folder / "out"
        self.data, self.log = folder / "data", folder / "app.log"
        self.app.mkdir()
        self.data.write_text("1")
        self.trainers: list[Trainer] = []

    async def create(self, code: str, settings: Mapping[str, object] | None = None) -> Model:
        (self.app / "app.py").write_text(code)
        self.trainers.append(Trainer.of(self.app, self.data, self.log, threads=1, settings=settings or {}))
        await self.trainers[-1].create(self.base)
        return parse_model(self.base.read_bytes())

    async def train(self) -> tuple[Model, Trained]:
        trained = await self.trainers[-1].train(self.base, self.out, seed=1, round=1, limit=60)
        return parse_model(self.out.read_bytes()), trained


def made(declared: str = "", also: str = "pass") -> str:
    return APP.format(declared=declared, also=also)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    for trainer in site.trainers:
        await trainer.stop()


def changed(before: Model, after: Model) -> set[str]:
    return {
        name for name, values in before.tensors.items() if not np.array_equal(values, after.tensors[name])
    }


async def test_batch_norm__says_nothing__its_statistics_are_carried(site: Site) -> None:
    before = await site.create(made())
    assert set(before.layout.carried) == NORM | {"scale"}
    assert not {"steps", "norm.num_batches_tracked"} & set(before.tensors)
    after, trained = await site.train()
    assert after.layout == before.layout
    assert changed(before, after) > NORM
    assert "scale" not in changed(before, after)
    assert trained.kept_here == ()
    assert set(await site.trainers[-1].measure(site.out, site.data)) == {"loss"}


async def test_batch_norm__buffers_stay_as_in_the_base__they_travel_unchanged(site: Site) -> None:
    before = await site.create(made('buffers = "base"'))
    assert set(before.layout.carried) == NORM | {"scale"}
    after, _ = await site.train()
    assert not NORM & changed(before, after)
    assert "first.weight" in changed(before, after)


async def test_batch_norm__buffers_are_local__stay_at_the_node(site: Site) -> None:
    before = await site.create(made('buffers = "local"'))
    assert before.layout.carried == ()
    assert not NORM & set(before.tensors)
    _, trained = await site.train()
    assert set(trained.kept_here) == NORM


async def test_local__by_a_pattern__does_not_travel_and_is_trained(site: Site) -> None:
    before = await site.create(made('local = ["last.*"]'))
    assert not {name for name in before.tensors if name.startswith("last.")}
    first = await site.train()
    assert set(first[1].kept_here) == {"last.weight", "last.bias"}
    # it goes on from where it was: the same base, seed and data give another loss
    second = await site.train()
    assert second[1].metrics["loss"] != first[1].metrics["loss"]


async def test_integers__training_changes_one__is_named(site: Site) -> None:
    await site.create(made(also="model.steps += 1"))
    _, trained = await site.train()
    assert trained.kept_here == ("steps",)


REPLACED = {
    "data anew": lambda code: code.replace(
        "optimizer.step()",
        "for one in model.parameters():\n            one.data = one.data - 0.05 * one.grad",
    ),
    "moved": lambda code: code.replace("    optimizer = ", "    model._apply(torch.clone)\n    optimizer = "),
    "parameters anew": lambda code: code.replace(
        "    optimizer = ",
        "    for part in (model.first, model.norm, model.last):\n"
        "        part.weight = nn.Parameter(part.weight.detach().clone())\n    optimizer = ",
    ),
}


@pytest.mark.parametrize("case", REPLACED)
async def test_train__gives_tensors_other_memory__is_as_in_place(case: str, site: Site) -> None:
    await site.create(made())
    expected, _ = await site.train()
    await site.create(REPLACED[case](made()))
    for _ in range(2):  # the second loads into what the first left
        after, _ = await site.train()
        for name, values in expected.tensors.items():
            np.testing.assert_allclose(after.tensors[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


async def test_train__leaves_a_tensor_of_another_shape__names_it(site: Site) -> None:
    await site.create(made(also="model.scale = torch.ones(2)"))
    with pytest.raises(AppError, match=r"'scale': has shape \[2\] now, model\(\) made it with \[\]"):
        await site.train()


async def test_tied_weights__travel_once_and_stay_tied(site: Site) -> None:
    tied = (
        made()
        .replace(
            'self.register_buffer("scale"',
            'self.copy = nn.Linear(4, 8)\n        self.copy.weight = self.first.weight\n        self.register_buffer("scale"',
        )
        .replace("hidden = self.first(x)", "hidden = self.first(x) + self.copy(x)")
    )
    before = await site.create(tied)
    assert "copy.weight" in before.tensors
    assert "first.weight" not in before.tensors
    after, _ = await site.train()
    assert {"copy.weight", "copy.bias", "first.bias"} <= changed(before, after)


async def test_bfloat16__one_weight_trained__all_others_are_as_in_the_base(site: Site) -> None:
    code = (
        made()
        .replace("return Residual()", "return Residual().bfloat16()")
        .replace("torch.randn(64, 4)", "torch.randn(64, 4).bfloat16()")
    )
    code = code.replace("model.parameters()", "[model.last.weight]")
    before = await site.create(code)
    # as aggregation leaves it: values between those of the type
    moved = parse_model(bytearray(site.base.read_bytes()))
    moved.flat[:] += np.float32(1e-5)
    site.base.write_bytes(_bytes_of(site.base, moved))
    after, _ = await site.train()
    assert changed(moved, after) - NORM == {"last.weight"}
    step = after.tensors["last.weight"] - moved.tensors["last.weight"]
    assert 0 < np.abs(step).max() < 1
    assert before.layout == after.layout


async def test_float64__travels_as_float32_rounded(site: Site) -> None:
    code = (
        made()
        .replace("return Residual()", "return Residual().double()")
        .replace("torch.randn(64, 4)", "torch.randn(64, 4).double()")
    )
    before = await site.create(code)
    after, _ = await site.train()
    assert before.flat.dtype == np.float32
    assert "first.weight" in changed(before, after)


async def test_settings__a_function_that_asks_for_them__gets_them_and_no_other(site: Site) -> None:
    code = (
        made().replace("seed, round):", "seed, round, settings):").replace("lr=0.05", 'lr=settings["rate"]')
    )
    code = code.replace("return Residual()", "return Residual()").replace(
        "def model():", "def model(settings):"
    )
    before = await site.create(code, settings={"rate": 0.0})
    still, _ = await site.train()
    assert not changed(before, still) - NORM
    await site.create(code, settings={"rate": 0.05})
    moved, _ = await site.train()
    assert "first.weight" in changed(before, moved)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('buffers = "mean"', "buffers: expected one of median, base, local"),
        ('local = "head"', "local: expected a list of names or patterns"),
        ('local = ["*"]', "none of its tensors is trained and travels"),
    ],
)
async def test_declared__what_there_is_not__refused(site: Site, declared: str, words: str) -> None:
    with pytest.raises(AppError, match=words):
        await site.create(made(declared))


async def test_model_file__without_what_is_carried__names_the_tensor(site: Site) -> None:
    await site.create(made())
    from safetensors.numpy import load_file, save_file

    tensors: dict[str, Any] = load_file(site.base)
    save_file(tensors, site.base)
    with pytest.raises(
        AppError, match=r"'norm.running_mean': it is only carried by the app, and is scored by the model"
    ):
        await site.train()


def _bytes_of(path: Path, model: Model) -> bytes:
    file = open_model_file(path)
    return bytes(file.head) + model.flat.tobytes()
