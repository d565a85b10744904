"""An app that would end each round, or fail each audit, is told so before anybody depends on it."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import torch

from dao.app.gradient_client import GradientClient
from dao.app.preflight import try_loss
from dao.errors import AppError
from tests.aggregator.test_evaluator import network, save, shard

__all__ = ["shard"]
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("forked_apps")]

SWITCHES = """
import os
HERE = os.path.dirname(__file__) + "/"
import torch
from safetensors.torch import load_file

class Noisy(torch.nn.Sequential):
    noise = torch.rand(5) if os.path.exists(HERE + "model") else torch.zeros(5)
    def forward(self, x):
        return super().forward(x + self.noise)

def model():
    return Noisy(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))

def data(path):
    if os.path.exists(HERE + "ending") and not path.endswith(".safetensors"):
        raise ValueError("unknown kind of file")
    found = load_file(path)
    if os.path.exists(HERE + "data"):
        found["x"] += torch.rand(found["x"].shape)
    return found

def train(model, data, *, seed, round):
    raise NotImplementedError

def loss(model, batch):
    x = batch["x"] + torch.rand(5) if os.path.exists(HERE + "loss") else batch["x"]
    return torch.nn.functional.cross_entropy(model(x), batch["y"].long())
"""


def evaluator_in(folder: Path, code: str) -> GradientClient:
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(code)
    return GradientClient(folder, Path(sys.executable), folder / "scratch", limit=60, threads=1)


@contextmanager
def turned_on(switch: Path) -> Iterator[None]:
    switch.touch()
    try:
        yield
    finally:
        switch.unlink()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def switched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[GradientClient, Path]]:
    """One warm process whose app goes by chance where the files of a folder tell it to."""
    folder = tmp_path_factory.mktemp("switched")
    evaluator = evaluator_in(folder, SWITCHES)
    yield evaluator, folder
    await evaluator.stop()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    layers = network().state_dict()
    return save(tmp_path / "base", {name.replace("3.", "2."): tensor for name, tensor in layers.items()})


async def test_try_loss__app_without_chance__passes(
    switched: tuple[GradientClient, Path], base: Path, shard: Path
) -> None:
    await try_loss(switched[0], base, shard)


@pytest.mark.parametrize("where", ["loss", "data"])
async def test_try_loss__by_chance__is_told(
    switched: tuple[GradientClient, Path], base: Path, shard: Path, where: str
) -> None:
    with (
        turned_on(switched[1] / where),
        pytest.raises(AppError, match=r"apart, at most 1e-04 may be, .* give it a fixed seed"),
    ):
        await try_loss(switched[0], base, shard)


async def test_try_loss__model_made_by_chance__is_told_by_a_second_process(
    switched: tuple[GradientClient, Path], base: Path, shard: Path
) -> None:
    other = GradientClient(switched[1], Path(sys.executable), switched[1] / "other", limit=60, threads=1)
    try:
        with turned_on(switched[1] / "model"), pytest.raises(AppError, match="give it a fixed seed"):
            await try_loss(switched[0], base, shard, other)
    finally:
        await other.stop()


async def test_try_loss__data_goes_by_the_files_name__is_told(
    switched: tuple[GradientClient, Path], base: Path, shard: Path
) -> None:
    other = shard.with_name("shard.other")
    await asyncio.to_thread(shutil.copy, shard, other)
    with turned_on(switched[1] / "ending"):
        with pytest.raises(AppError, match=r"has no name but its digest: .*unknown kind of file"):
            await try_loss(switched[0], base, shard)
        with pytest.raises(AppError, match=r"^gradient: ValueError: unknown kind of file"):
            await try_loss(switched[0], base, other)
