"""Flower apps as their authors wrote them, in an environment that has Flower: trained, evaluated, scored, or refused by name."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from bench.flower_apps import APPS, DATA, deal_rows, play_flower_app
from dao.app.bundle import bundle, is_flower_app, read_bundle, unpack
from dao.app.flower_project import read_flower_project
from dao.app.gradient_client import GradientClient
from dao.app.preflight import find_odd_loss, try_loss
from dao.app.worker import open_model_file
from dao.errors import AppError, DecodeError
from node.trainer import Trainer
from tests.cli.command import Dao

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]  # Flower takes seconds to import, on a machine at rest
ROOT = Path(__file__).parents[2]


class Bench:
    """A folder with rows for one of the apps, and the processes of a test."""

    def __init__(self, name: str, folder: Path, python: Path, running: AsyncExitStack) -> None:
        self.app = unpack(bundle(APPS / name), folder / "app")
        self.folder, self._python, self._running = folder, python, running
        self.rows = deal_rows(name, folder / "data")[0]
        self.shard = folder / "data" / "shards" / "0.csv"
        self.base, self.trained = folder / "base.safetensors", folder / "trained.safetensors"

    def trainer(self) -> Trainer:
        log = self.folder / "log"
        trainer = Trainer.of(self.app, self.rows, log, python=self._python, threads=1, silence=300)
        self._running.push_async_callback(trainer.stop)
        return trainer

    def client(self) -> GradientClient:
        client = GradientClient(self.app, self._python, self.folder / "out", limit=300, threads=1)
        self._running.push_async_callback(client.stop)
        return client


@pytest_asyncio.fixture(params=DATA)
async def bench(request: pytest.FixtureRequest, tmp_path: Path, flower_python: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as running:
        yield Bench(request.param, tmp_path, flower_python, running)


async def test_quickstart__unchanged__trains_and_its_gradient_is_that_of_its_loss(bench: Bench) -> None:
    trainer, client = bench.trainer(), bench.client()
    await trainer.create(bench.base)
    answer = await trainer.train(bench.base, bench.trained, seed=1, round=1, limit=300, public=[bench.shard])
    assert answer.rows == answer.metrics["num-examples"]
    assert "a Flower app trains on the rows of one path alone" in answer.public_problem
    first = bench.trained.read_bytes()
    await trainer.train(bench.base, bench.trained, seed=1, round=1, limit=300)
    assert bench.trained.read_bytes() == first
    await trainer.train(bench.base, bench.trained, seed=2, round=1, limit=300)
    has_chance = not (bench.app / "flower_numpy").exists()
    assert (bench.trained.read_bytes() != first) == has_chance

    await try_loss(client, bench.base, bench.shard)  # the same twice, and by a file without name
    assert await find_odd_loss(client, bench.base, bench.shard) == ""
    gradient = await client.reference_gradient(bench.base, bench.trained, bench.shard)
    before, after = (open_model_file(path).tensors for path in (bench.base, bench.trained))
    moved = np.concatenate([(after[n] - before[n]).ravel() for n in sorted(before)]).astype(np.float64)
    fall = await client.loss(bench.base, bench.shard) - await client.loss(bench.trained, bench.shard)
    assert np.fromfile(gradient.path, np.float32) @ moved == pytest.approx(fall, rel=0.05)


# app, what is changed in which file, what is said
REFUSED: dict[str, tuple[str, str, str, str, str]] = {
    "momentum": (
        *("sklearn", "server_app.py", "FedAvg(", "FedAvgM(server_momentum=0.9, "),
        "ServerApp: strategy FedAvgM: does not average what comes back",
    ),
    "adam": (
        *("sklearn", "server_app.py", "FedAvg(", "FedAdam("),
        "ServerApp: strategy FedAdam: does not average",
    ),
    "median": (
        *("sklearn", "server_app.py", "FedAvg(", "FedMedian("),
        "ServerApp: strategy FedMedian: does not average",
    ),
    "trimmed": (
        *("sklearn", "server_app.py", "FedAvg(", "FedTrimmedAvg(beta=0.05, "),
        "ServerApp: strategy FedTrimmedAvg: does not average",
    ),
    "own-grid": (
        *(
            "sklearn",
            "server_app.py",
            "    strategy = ",
            "    grid.push_messages([])\n    strategy = ",
        ),
        "ServerApp: sends messages by itself, as for secure aggregation",
    ),
    "no-start": (
        *("sklearn", "server_app.py", "    strategy = ", "    return\n    strategy = "),
        "ServerApp: started no strategy",
    ),
    "old-adam": (
        *("numpy", "server_app.py", "FedAvg(", "FedYogi("),
        "ServerApp: strategy FedYogi: does not average",
    ),
    "no-model": (
        *("numpy", "server_app.py", "initial_parameters=", "initial_parameters=None and "),
        "ServerApp: strategy FedAvg: has no initial_parameters",
    ),
    "secure": (
        *(
            "numpy",
            "client_app.py",
            "ClientApp(client_fn)",
            "ClientApp(client_fn, mods=[secaggplus_mod])",
        ),
        "ClientApp: mod secaggplus_mod: needs its counterpart at a Flower server",
    ),
    "state": (
        *(
            "sklearn",
            "client_app.py",
            "    _, _, x_test",
            '    context.state["seen"] = RecordDict().config_records.get("x") or MetricRecord({"n": 1})\n    _, _, x_test',
        ),
        "ClientApp: keeps 'seen' in context.state from round to round",
    ),
    "no-loss": (
        *("sklearn", "client_app.py", '"test_logloss"', '"cost"'),
        "evaluate answered the metrics accuracy, cost, num-examples: expected one with loss in its name",
    ),
    "two-losses": (
        *("sklearn", "client_app.py", '"test_logloss"', '"loss": 1.0, "test_logloss"'),
        "evaluate answered the metrics accuracy, loss, num-examples, test_logloss: expected one",
    ),
    "raises": (
        *("sklearn", "task.py", "    table = ", '    raise ValueError("bad rows")\n    table = '),
        "ValueError: bad rows (task.py line ",
    ),
    "partition": (
        *("sklearn", "task.py", '["data-path"]', '["partition-id"]'),
        "ClientApp: asks for 'partition-id' in context.node_config, which has data-path: rows are read from the file",
    ),
    "no-evaluate": (
        *("sklearn", "client_app.py", "@app.evaluate()\n", ""),
        "No evaluate function registered",
    ),
}
SAVING = """
    class Saving(FedAvg):
        def aggregate_fit(self, *results):
            made = super().aggregate_fit(*results)
            weights = parameters_to_ndarrays(made[0])
            assert weights[0].shape == (4, 3)
            np.savez("model", *weights)
            return made

"""
IMPORTS = {
    "flower_sklearn": "from flwr.serverapp.strategy import FedAdam, FedAvgM, FedMedian, FedTrimmedAvg\n",
    "flower_numpy": "from flwr.server.strategy import FedYogi\nfrom flwr.client.mod import secaggplus_mod\nfrom flwr.common import parameters_to_ndarrays\n"
    "import numpy as np\n",
}
TAKEN: dict[str, tuple[str, str, str, str]] = {
    # told apart by its name alone it would be refused
    "own-strategy": ("sklearn", "server_app.py", "FedAvg(", "type('Mine', (FedAvg,), {})("),
    "saves": ("numpy", "server_app.py", "    strategy = FedAvg(", f"{SAVING}    strategy = Saving("),
    "proximal": ("sklearn", "server_app.py", "FedAvg(", "FedProx(proximal_mu=0.1, "),
    # what it has read once it takes for all data, as a Flower process may
    "caches": (
        *("sklearn", "task.py", '    table = np.loadtxt(node_config["data-path"], delimiter=",")'),
        '    global seen\n    if seen is None:\n        seen = np.loadtxt(node_config["data-path"], delimiter=",")\n    table = seen',
    ),
    "normed": (
        *("pytorch", "task.py", "        self.fc3 = nn.Linear(84, 10)\n"),
        "        self.fc3 = nn.Linear(84, 10)\n        self.norm = nn.BatchNorm2d(3)\n",
    ),
}


def write_app(folder: Path, name: str, file: str, old: str, new: str) -> Path:
    """Copy an app with a change, and what that needs of imports."""
    shutil.copytree(APPS / name, folder)
    package = f"flower_{name}"
    path = folder / package / file
    text = path.read_text()
    assert old in text
    more = IMPORTS.get(package, "") + "from flwr.serverapp.strategy import FedProx\nseen = None\n"
    head, _, body = text.partition("\n\n")
    path.write_text(f"{head}\n{more}\n{body.replace(old, new)}")
    return folder


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory, flower_python: Path) -> dict[str, dict[str, Any]]:
    """What becomes of each changed app; one process tries those of one data."""
    folder, answers = tmp_path_factory.mktemp("tried"), dict[str, dict[str, Any]]()
    changes = {key: value[:4] for key, value in REFUSED.items()} | TAKEN
    for name in DATA:
        sites = deal_rows(name, folder / name)
        apps = [
            write_app(folder / "apps" / key, *change) for key, change in changes.items() if change[0] == name
        ]
        done = subprocess.run(
            [flower_python, Path(__file__).with_name("flower_trial.py"), ROOT, *sites[:2], *apps],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers |= json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize("case", REFUSED)
def test_app__what_cannot_be_had_here__is_refused_by_name_in_one_line(
    case: str, tried: dict[str, dict[str, Any]]
) -> None:
    assert REFUSED[case][4] in tried[case].get("error", tried[case])
    assert "\n" not in tried[case]["error"]


@pytest.mark.parametrize("case", TAKEN)
def test_app__what_averages_in_the_end__is_taken(case: str, tried: dict[str, dict[str, Any]]) -> None:
    before, after, elsewhere = tried[case]["losses"]
    assert after < before
    assert elsewhere != after
    assert tried[case]["part"] < tried[case]["rows"] / 3


def test_app__buffers_of_its_module__are_carried_and_integers_stay(tried: dict[str, dict[str, Any]]) -> None:
    assert tried["normed"]["carried"] == ["norm.running_mean", "norm.running_var"]
    assert "norm.num_batches_tracked" not in tried["normed"]["arrays"]
    assert set(tried["normed"]["arrays"].values()) == {"float32"}
    assert set(tried["caches"]["arrays"].values()) == {"float64"}


@pytest.mark.parametrize("name", DATA)
def test_simulate__a_quickstart__learns_unchanged_and_scores_add_up(
    name: str, tmp_path: Path, flower_python: Path
) -> None:
    row = play_flower_app(name, tmp_path / "play", flower_python)
    assert (row["unchanged"], row["lines_of_glue"], row["rounds"]) == (True, 0, 3)
    assert row["loss_after"] < row["loss_before"]
    assert 0.9 <= row["score_sum_over_loss_drop"] <= 1.1


def test_simulate__what_needs_the_rows_of_a_flower_app__one_clear_line(tmp_path: Path) -> None:
    app, rows = APPS / "numpy", deal_rows("numpy", tmp_path / "data")[0]
    play = ("simulate", "--app", app, "--data", rows, "--shards", rows.parent / "shards", "--nodes", 3)
    for option in (("--split", "dirichlet:1"), ("--attack", "label-flip:1"), ("--label", "y")):
        said = Dao(tmp_path).refused(*play, *option)
        assert said.endswith(
            "a Flower app reads and deals its data itself; name --data for each contributor, or --nodes"
        )
        assert said.startswith(option[0])


def test_bundle__a_flower_app__is_its_files_and_needs_no_app_py(tmp_path: Path) -> None:
    app = APPS / "numpy"
    assert is_flower_app(app)
    assert not is_flower_app(APPS.parent / "mnist")
    content = bundle(app)
    assert "flower_numpy/client_app.py" in read_bundle(content)
    assert bundle(unpack(content, tmp_path / "copy")) == content


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[project]\nname = 'x'\n", "expected app.py, or a Flower app's pyproject.toml"),
        ("[tool.flwr.app.components]\nclientapp = 'a:b'\n", "serverapp: expected module:object, got None"),
        (
            "[tool.flwr.app.components]\nclientapp = 'a'\nserverapp = 'a:b'\n",
            "clientapp: expected module:object",
        ),
        ("[tool", "'pyproject.toml': "),
        ("deep = " + "[" * 5000, "'pyproject.toml': expected fewer tables in one another"),
        (
            "[tool.flwr.app]\ncomponents = {clientapp = 'a:b', serverapp = 'a:b'}\nconfig.a"
            + ".a" * 5000
            + " = 1",
            "'pyproject.toml': expected fewer tables in one another",
        ),
    ],
)
def test_bundle__neither_app_py_nor_a_whole_project__is_one_clear_line(
    text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises((AppError, DecodeError), match=words) as raised:
        bundle(tmp_path)
    assert "\n" not in str(raised.value)


def test_read_flower_project__nested_configuration__has_dotted_names() -> None:
    project = read_flower_project(
        "[tool.flwr.app.components]\nclientapp = 'a:b'\nserverapp = 'c:d'\n"
        "[tool.flwr.app.config]\nrate = 0.1\n[tool.flwr.app.config.net]\nwidth = 3\n"
        "[tool.commonweight]\nloss = 'cost'\n"
    )
    assert project is not None
    assert (dict(project.config), project.loss) == ({"rate": 0.1, "net.width": 3}, "cost")


async def test_environment__without_flower__is_one_clear_line(tmp_path: Path) -> None:
    trainer = Trainer.of(APPS / "numpy", None, tmp_path / "log", keeps_log=False)
    try:
        with pytest.raises(
            AppError, match="this environment has no flwr; expected it among the dependencies"
        ):
            await trainer.start()
    finally:
        await trainer.stop()
