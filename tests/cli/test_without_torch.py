"""A task whose app knows no torch, in an environment that has none: Superlink, Supernodes and auditor by their commands."""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from tests.app.environments import make_environment
from tests.cli.conftest import Devnet
from tests.cli.hired_network import Hired, hire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # processes on a shared machine
APP = Path(__file__).parents[2] / "dao/templates/sklearn/app.py"
ROWS = {"liar": 90, "one": 90, "two": 90, "shards/0": 60, "shards/1": 60, "shards/2": 60}
ROUNDS = 2
PACKAGES = "import numpy, sklearn, importlib.util as u; print([n for n in ('torch', 'web3', 'dao') if u.find_spec(n)])"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_environment(tmp_path_factory.mktemp("environment") / "sklearn", "numpy", "scikit-learn")
    said = subprocess.run([made, "-I", "-c", PACKAGES], check=True, capture_output=True, text=True)
    assert said.stdout == "[]\n"
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The medical data that scikit-learn brings: of three hospitals, of which one lies about each label, and of three shards."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "app").mkdir()
    (folder / "app" / "app.py").write_text(APP.read_text())
    (folder / "shards").mkdir()
    x, y = load_breast_cancer(return_X_y=True)
    table = np.random.default_rng(0).permutation(np.column_stack([(x - x.mean(0)) / x.std(0), y == 0]))
    for name, rows in ROWS.items():
        part, table = table[:rows], table[rows:]
        if name == "liar":
            part[:, 30] = 1 - part[:, 30]
        np.savetxt(folder / f"{name}.csv", part, "%.6g", ",")
    return folder


@pytest.fixture(scope="module")
def scene(devnet: Devnet, folder: Path, python: Path) -> Hired:
    return hire(devnet, folder, folder / "app", python, rounds=ROUNDS, quorum=3)


def test_network__no_torch_anywhere__honest_nodes_are_paid_the_liar_is_not_and_all_holds(
    scene: Hired,
) -> None:
    dao, network = scene.devnet.dao, scene.devnet.network
    with ExitStack() as stack:
        superlink = stack.enter_context(dao.running(*scene.start, "--rounds", ROUNDS))
        address = superlink.line().split()[-1]
        homes = {name: scene.join(name, address) for name in ("liar", "one", "two")}
        for home in homes.values():
            stack.enter_context(dao.running("node", "start", "--home", home))
        assert superlink.line() == "all rounds are final"
        source = ("--superlink", address, *network)
        audited = dao.json("audit", scene.task, "all", "--app-python", scene.python, *source)
        rounds: list[dict[str, Any]] = [
            dao.json("round", "show", scene.task, number, *source) for number in range(1, ROUNDS + 1)
        ]
    checks = [check for one in audited["rounds"] for check in one["checks"]]
    assert [check for check in checks if check["outcome"] != "ok"] == []
    assert audited["exit"] == 0
    liar = dao.json("node", "status", "--home", homes["liar"])["operator"]
    for one in rounds:
        assert one["manifest"]["loss_after"] < one["manifest"]["loss_before"]
        by_node = {node["node"]: node for node in one["nodes"]}
        assert by_node.pop(liar)["status"] == "gated"
        assert {node["status"] for node in by_node.values()} <= {"ok", "clipped"}
        assert all(float(node["reward"]) > 0 for node in by_node.values())
