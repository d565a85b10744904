"""An app without torch: arrays by name, trained and evaluated in real processes; gradients as torch has them."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
import pytest_asyncio

from dao.app.array_gradients import ArrayGradients
from dao.app.array_model import ArrayModel
from dao.app.gradient_client import GradientClient
from dao.app.model_state import inspect_model
from dao.app.preflight import find_odd_loss
from dao.app.priority import LOW_PRIORITY
from dao.app.worker import ConventionError, create_model_file, open_model_file
from dao.core.formats.layout import Layout, encode_model_header
from dao.errors import AppError
from node.trainer import Trainer

APP = """
import numpy as np

def model():
    dice = np.random.default_rng(0)
    return {"w1": dice.normal(size=(5, 4)), "b1": np.zeros(4), "w2": dice.normal(size=4).astype(np.float32), "b2": np.zeros(())}

def data(path):
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    return {"x": table[:, :5], "y": table[:, 5]}

def forward(weights, x):
    return np.tanh(x @ weights["w1"] + weights["b1"]) @ weights["w2"] + weights["b2"]

def loss(weights, batch):
    logits = forward(weights, batch["x"])
    return np.mean(np.logaddexp(0, logits) - batch["y"] * logits)

def train(weights, data, *, seed, round):
    yield {"loss": loss(weights, data)}
    return {name: array - 0.5 for name, array in weights.items()}

def metrics(weights, data):
    return {"accuracy": np.mean((forward(weights, data["x"]) > 0) == data["y"])}
"""
TORCH = """
import numpy as np
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name, shape in {"w1": (5, 4), "b1": (4,), "w2": (4,), "b2": ()}.items():
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(shape)))

def model():
    return Net()

def data(path):
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", ndmin=2)).float()
    return {"x": table[:, :5], "y": table[:, 5]}

def loss(model, batch):
    logits = torch.tanh(batch["x"] @ model.w1 + model.b1) @ model.w2 + model.b2
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, batch["y"])

def train(model, data, *, seed, round):
    raise NotImplementedError
"""
OWN = """
def gradient(weights, batch):
    hidden = np.tanh(batch["x"] @ weights["w1"] + weights["b1"])
    off = (1 / (1 + np.exp(-(hidden @ weights["w2"] + weights["b2"]))) - batch["y"]) / len(batch["y"])
    back = off[:, None] * weights["w2"] * (1 - hidden**2)
    return {"w1": batch["x"].T @ back, "b1": back.sum(0), "w2": hidden.T @ off, "b2": off.sum()}
"""


def write_rows(path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(150, 5))
    np.savetxt(path, np.column_stack([x, x @ np.arange(5) > 0]), delimiter=",")


class Bench:
    """A folder with apps, rows and models, and the processes of a test."""

    def __init__(self, folder: Path, running: AsyncExitStack) -> None:
        self.folder, self._running = folder, running
        self.rows = folder / "rows.csv"
        write_rows(self.rows)
        self.base, self.trained = folder / "base.safetensors", folder / "trained.safetensors"

    def _write(self, code: str) -> Path:
        app = self.folder / f"app-{abs(hash(code))}"
        app.mkdir(exist_ok=True)
        (app / "app.py").write_text(code)
        return app

    def trainer(self, code: str = APP) -> Trainer:
        trainer = Trainer.of(self._write(code), self.rows, self.folder / "log", threads=1, keeps_log=False)
        self._running.push_async_callback(trainer.stop)
        return trainer

    def client(self, code: str, *, yields: bool = False) -> GradientClient:
        app = self._write(code)
        how: Any = {"limit": 60, "threads": 1, "keeps_log": False, "yields": yields}
        client = GradientClient(app, Path(sys.executable), app / "out", **how)
        self._running.push_async_callback(client.stop)
        return client

    async def train(self, code: str = APP) -> Any:
        return await self.trainer(code).train(self.base, self.trained, seed=1, round=1, limit=60)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as running:
        made = Bench(tmp_path, running)
        await made.trainer().create(made.base)
        yield made


async def test_train__arrays__are_stored_in_float32_and_kept_in_the_apps_types(bench: Bench) -> None:
    trained = await bench.train()
    assert set(trained.metrics) == {"loss"}
    before: dict[str, Any] = {**open_model_file(bench.base).tensors}
    after: dict[str, Any] = {**open_model_file(bench.trained).tensors}
    assert sorted(after) == ["b1", "b2", "w1", "w2"]
    for name, array in after.items():
        expected = before[name].astype(np.float32 if name == "w2" else np.float64) - 0.5
        assert np.array_equal(array, expected.astype(np.float32)), name
    measured = await bench.trainer().measure(bench.trained, bench.rows)
    assert 0 <= measured["accuracy"] <= 1


@pytest.mark.parametrize(
    "train",
    [
        "return {name: array - 0.5 for name, array in weights.items()}",
        "for array in weights.values():\n        array -= 0.5",
    ],
    ids=["anew", "in place"],
)
async def test_train__new_weights_or_in_place__is_the_same(train: str, bench: Bench) -> None:
    await bench.train()
    one = bench.trained.read_bytes()
    await bench.train(f"{APP}\ndef train(weights, data, *, seed, round):\n    {train}\n")
    assert bench.trained.read_bytes() == one


@pytest.mark.parametrize("local", ["", 'local = ["b1"]\n'], ids=["all travel", "some are local"])
@pytest.mark.parametrize("own", ["", OWN], ids=["differences", "own gradient"])
async def test_gradient__without_torch__is_that_of_torch(own: str, local: str, bench: Bench) -> None:
    """Far within the 10^-3 that an audit allows: what is left is the rounding of torch's float32."""
    await bench.trainer(APP + local).create(bench.base)
    await bench.train(APP + local)
    plain, reference = bench.client(APP + local + own), bench.client(TORCH + local)
    for is_gate in (True, False):
        results = [
            await client.gate_gradient(bench.base, bench.rows)
            if is_gate
            else await client.reference_gradient(bench.base, bench.trained, bench.rows)
            for client in (plain, reference)
        ]
        assert results[0].path.stat().st_size == results[1].path.stat().st_size
        ours, theirs = (np.fromfile(result.path, np.float32).astype(np.float64) for result in results)
        assert np.linalg.norm(ours - theirs) < 2e-6 * np.linalg.norm(theirs)
        assert results[0].loss == pytest.approx(results[1].loss, rel=1e-6)
    assert await plain.loss(bench.trained, bench.rows) == pytest.approx(
        await reference.loss(bench.trained, bench.rows), rel=1e-6
    )


async def test_gradient__a_loss_that_moves_the_model__is_as_where_it_stays(bench: Bench) -> None:
    await bench.train()
    moving = TORCH.replace("    logits = ", "    model._apply(torch.clone)\n    logits = ")
    clients = [bench.client(TORCH), bench.client(moving)]
    expected, losses = [
        [await client.loss(model, bench.rows) for model in (bench.base, bench.trained)] for client in clients
    ]
    assert losses == expected
    stays, moved = [
        await client.reference_gradient(bench.base, bench.trained, bench.rows) for client in clients
    ]
    assert moved.loss == stays.loss
    assert moved.path.read_bytes() == stays.path.read_bytes()


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "a loss in float32": (
        lambda code: code.replace('["y"] * logits)', '["y"] * logits).astype(np.float32)'),
        "compute the loss in float64, or give a gradient",
    ),
    "a loss of another scale at each call": (
        lambda code: (
            "import itertools\ncalls = itertools.count(1)\n"
            + code.replace("return np.mean(", "return next(calls) * np.mean(")
        ),
        "rises by .* where its gradient says",
    ),
    "another gradient": (
        lambda code: code + OWN.replace('"b2": off.sum()', '"b2": off.sum() + 3'),
        "must be that of loss",
    ),
    "a gradient of other arrays": (
        lambda code: code + OWN.replace(', "b2": off.sum()', ""),
        "expected a mapping of arrays, in the shapes of model",
    ),
    "no number": (lambda code: code.replace("return np.mean(", "return list("), "loss.*: expected a number"),
    "no finite loss": (lambda code: code.replace("return np.mean(", "return np.nan * np.mean("), "gave nan"),
    "many values": (
        lambda code: code.replace("np.zeros(4)", "np.zeros(10001)"),
        "at most 10000 without a gradient",
    ),
    "integers": (
        lambda code: code.replace("np.zeros(4)", "np.zeros(4, int)"),
        "'b1' is int64; expected arrays",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_gradient__what_cannot_be_trusted__is_one_clear_line(case: str, tmp_path: Path) -> None:
    """As the app's process answers; the daemon's end makes an AppError of it."""
    change, words = REFUSED[case]
    app = ModuleType("app")
    exec(change(APP), app.__dict__)  # noqa: S102  (as a worker imports it)
    rows, base = tmp_path / "rows.csv", tmp_path / "base"
    write_rows(rows)
    first = ArrayModel({"w1": np.ones((5, 4)), "b1": np.zeros(4), "w2": np.ones(4), "b2": np.zeros(())})
    layout = Layout.of({name: array.shape for name, array in first.arrays.items()})
    inspect_model(app, first).store(create_model_file(base, encode_model_header(layout)))
    with pytest.raises(ConventionError, match=words) as raised:
        ArrayGradients(app, app.model()).gradient(str(base), None, (0.0,), str(rows), str(tmp_path / "out"))
    assert "\n" not in str(raised.value)


async def test_gradient__of_a_loss_that_is_none__reaches_the_daemon_in_one_line(bench: Bench) -> None:
    with pytest.raises(AppError, match=r"loss.*: expected a number") as raised:
        await bench.client(APP.replace("return np.mean(", "return list(")).gate_gradient(
            bench.base, bench.rows
        )
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ("return 7", "returned a int, expected the new weights by name"),
        ("return {}", "returned 'b1' of shape None, expected .4,."),
        ("return {**weights, 'w1': np.zeros(3)}", "returned 'w1' of shape .3,., expected .5, 4."),
    ],
)
async def test_train__other_weights__are_one_clear_line(train: str, words: str, bench: Bench) -> None:
    with pytest.raises(AppError, match=words):
        await bench.train(f"{APP}\ndef train(weights, data, *, seed, round):\n    {train}\n")


async def test_loss__a_sum__is_found_and_a_mean_is_not(bench: Bench) -> None:
    assert await find_odd_loss(bench.client(APP), bench.base, bench.rows) == ""
    sums = APP.replace("return np.mean(np.logaddexp", "return np.sum(np.logaddexp")
    said = await find_odd_loss(bench.client(sums), bench.base, bench.rows)
    assert "for its halves: expected the mean over the batch" in said


async def test_load__app_that_fails_on_import__is_one_clear_line(bench: Bench) -> None:
    with pytest.raises(
        AppError, match=r"load: ModuleNotFoundError: No module named 'no_such' \(app.py line 2\)"
    ) as raised:
        await bench.train("import numpy\nimport no_such\n" + APP)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("yields", [True, False])
async def test_start__yields__all_its_processes_leave_the_cores_to_others(bench: Bench, yields: bool) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    await bench.client(APP, yields=yields).start()
    started = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
    priorities, of_sessions = set(), set()
    for one in started:
        with suppress(psutil.NoSuchProcess):  # it has ended
            priorities.add(one.nice())
            of_sessions.add(read_session_priority(one))
    own = psutil.Process().nice()
    assert priorities == {max(LOW_PRIORITY, own) if yields else own}
    if yields:
        assert of_sessions == priorities


def read_session_priority(process: psutil.Process) -> int:
    """Read the priority of a process's session; that of the process where sessions have none."""
    try:
        return int(Path(f"/proc/{process.pid}/autogroup").read_text().split()[-1])
    except FileNotFoundError:
        return process.nice()
