"""A task whose app knows no torch, in an environment that has none: Superlink, Supernodes and auditor by their commands."""

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from dao.chain.signer import Signer
from dao.core.types import hex_of
from dao.devnet.anvil import dev_signer
from tests.app.environments import make_environment
from tests.cli.conftest import Devnet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # processes on a shared machine
APP = Path(__file__).parents[2] / "dao/templates/sklearn/app.py"
ROWS = {"liar": 90, "one": 90, "two": 90, "shards/0": 60, "shards/1": 60, "shards/2": 60}
ROUNDS, PASSWORD = 2, "canary"
PERIODS = {"commit": 120, "reveal": 60, "result": 120, "challenge": 2, "resolve": 30}
PACKAGES = "import numpy, sklearn, importlib.util as u; print([n for n in ('torch', 'web3', 'dao') if u.find_spec(n)])"


@dataclass(frozen=True)
class Scene:
    devnet: Devnet
    folder: Path
    python: Path
    operator: str
    task: int
    app: str
    card: str


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
def scene(devnet: Devnet, folder: Path, python: Path) -> Scene:
    dao, home = devnet.dao, folder / "superlink"
    made = dao.json(
        "superlink",
        "init",
        "--home",
        home,
        "--rpc",
        devnet.rpc,
        "--deployment",
        devnet.home / "deployment.json",
    )
    operator = made["operator"]
    dao.run("devnet", "fund", operator, "--home", devnet.home, "--tokens", 0)
    dao.run("devnet", "fund", hex_of(dev_signer(1).address), "--home", devnet.home)
    dao.run("superlink", "register", "--home", home, "--dev-account", 1, "--stake", "500")
    task = dao.json(
        *("task", "create", "--app", folder / "app", "--shards", folder / "shards", "--app-python", python),
        *("--superlink-operator", operator, "--content-folder", folder / "store", "--dev-account", 0),
        *("--fund-rounds", ROUNDS, "--quorum", 3),
        *(word for name, seconds in PERIODS.items() for word in (f"--{name}-period", seconds)),
        *devnet.network,
    )
    return Scene(devnet, folder, python, operator, task["task"], task["app"], task["card"])


def join(scene: Scene, name: str, address: str) -> Path:
    dao, home, folder = scene.devnet.dao, scene.folder / f"node-{name}", scene.folder
    password, key = folder / f"password-{name}", folder / f"owner-{name}.json"
    password.touch(0o600)
    password.write_text(PASSWORD)
    owner = Signer.create(key, PASSWORD, work=4096)
    deployment = scene.devnet.home / "deployment.json"
    dao.run("node", "init", "--home", home, "--rpc", scene.devnet.rpc, "--deployment", deployment)
    dao.run("devnet", "fund", hex_of(owner.address), "--home", scene.devnet.home, "--tokens", 10)
    owned = ("--owner-keystore", key, "--owner-password-file", password, "--home", home)
    dao.run("node", "register", *owned, "--stake", 10)
    dao.run(
        *("node", "join", scene.task, "--data", folder / f"{name}.csv", "--superlink", address),
        *("--approve", scene.app, "--approve", scene.card, "--app-python", scene.python, *owned),
    )
    return home


def test_network__no_torch_anywhere__honest_nodes_are_paid_the_liar_is_not_and_all_holds(
    scene: Scene,
) -> None:
    dao, network = scene.devnet.dao, scene.devnet.network
    start = ("superlink", "start", "--home", scene.folder / "superlink", "--task", scene.task)
    content = (
        "--shards",
        scene.folder / "shards",
        "--store",
        scene.folder / "store",
        "--listen",
        "127.0.0.1:0",
    )
    with ExitStack() as stack:
        running = dao.running(*start, *content, "--app-python", scene.python, "--rounds", ROUNDS)
        superlink = stack.enter_context(running)
        address = superlink.line().split()[-1]
        homes = {name: join(scene, name, address) for name in ("liar", "one", "two")}
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
