"""A torch app's model as ONNX, written by the app's own process, and read by ONNX's own evaluator."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dao.app.gradient_client import GradientClient
from dao.errors import AppError
from node.trainer import Trainer
from tests.app.environments import install, make_environment

APP = """
import torch
from safetensors.torch import load_file

def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Linear(5, 2))

def data(path):
    return load_file(path)

def loss(model, batch):
    return torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"])

def train(model, data, *, seed, round): ...
"""
ARRAYS = """
import numpy as np

def model():
    return {"w": np.ones(3, np.float32)}

def data(path):
    return {"x": np.ones(4)}

def loss(weights, batch):
    return float(weights["w"].sum())

def train(weights, data, *, seed, round): ...
"""
READ = """
import json, sys
import numpy as np, torch
from onnx.reference import ReferenceEvaluator
from safetensors.torch import load_file
sys.path.insert(0, sys.argv[1])
import app
model = app.model()
model.load_state_dict(load_file(sys.argv[2]), strict=False)
model.eval()
apart = []
for rows in (1, 3, 10):
    x = np.random.default_rng(rows).standard_normal((rows, 3)).astype("f4")
    session = ReferenceEvaluator(sys.argv[3])
    apart.append(float(abs(session.run(None, {session.input_names[0]: x})[0] - model(torch.from_numpy(x)).detach().numpy()).max()))
print(json.dumps(apart))
"""


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "shard"
    rows = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    save_file({"x": rows, "y": np.arange(8) % 2}, path)
    return path


async def export(code: str, python: Path, shard: Path, folder: Path) -> tuple[Path, Path, Path]:
    """Make an app's model and export it; return the app's folder, model file and ONNX file."""
    app, model, out = folder / "app", folder / "model", folder / "model.onnx"
    app.mkdir()
    (app / "app.py").write_text(code)
    trainer = Trainer.of(app, None, folder / "trainer.log", python=python)
    client = GradientClient(app, python, folder / "scratch", limit=120, threads=1, keeps_log=False)
    try:
        await trainer.create(model)
        await client.export(model, shard, out)
    finally:
        await trainer.stop()
        await client.stop()
    return app, model, out


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_export__an_environment_with_the_exporter__gives_what_torch_does_for_any_rows(
    tmp_path: Path, shard: Path
) -> None:
    python = make_environment(tmp_path / "environment", "torch", "safetensors", "numpy")
    if why := install(python, "onnx", "onnxscript"):
        pytest.skip(f"onnx cannot be had here: {why[:200]}")
    places = asyncio.run(export(APP, python, shard, tmp_path))
    command = [str(python), "-c", READ, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert max(json.loads(done.stdout)) < 1e-5


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (APP, "the app's environment has no onnx and no onnxscript"),
        (ARRAYS, "model() gave arrays, and no torch module"),
    ],
    ids=["without the exporter", "without torch"],
)
async def test_export__where_it_cannot_be__says_why_and_leaves_no_file(
    code: str, why: str, tmp_path: Path, shard: Path
) -> None:
    with pytest.raises(AppError) as refused:
        await export(code, Path(sys.executable), shard, tmp_path)
    assert str(refused.value) == f"export: {why}"
    assert not (tmp_path / "model.onnx").exists()
