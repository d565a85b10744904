"""`dao simulate --ray`: a real Ray cluster on this machine trains, and the bytes are those of the pool of processes."""

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench import simulated_load
from dao.demo import ray_pool
from dao.demo.packed_files import Shelf, pack
from tests.cli.command import Dao

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DAO = Path(sys.executable).parent / "dao"
LIMIT, TRIES = 240.0, 3  # seconds for one command; starts of a cluster, which Ray itself gives up after 30 s
TRAINS = "ray::SimulationWorker.train"  # the title of a worker while it does so

APP = """
import time
from pathlib import Path
import numpy as np

def model():
    return {"w": np.zeros(2, np.float32)}

def data(path):
    path = Path(path)
    table = np.loadtxt(path / "rows.csv" if path.is_dir() else path, delimiter=",", dtype=np.float32)
    return {"x": table[:, :2], "y": table[:, 2]}

def loss(weights, batch):
    return float(np.mean((batch["x"] @ weights["w"].astype(np.float64) - batch["y"]) ** 2))

def train(weights, data, *, seed, round, settings):
    time.sleep(1)  # long enough to be killed in it
    rows = np.random.default_rng(seed).permutation(len(data["y"]))[:20]
    off = data["x"][rows] @ weights["w"] - data["y"][rows]
    return {"w": weights["w"] - settings["rate"] * off @ data["x"][rows] / len(rows)}
"""

# the cluster lives as long as its starter's input
START = """
import sys, ray
cluster = ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=80 << 20, log_to_driver=False)
print(cluster.address_info["address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token of the tests' own, by which their cluster knows them."""
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
        yield


@pytest.fixture(scope="module")
def cluster(token: None) -> Iterator[tuple[str, psutil.Process]]:
    """A Ray cluster of two cores: its address, and the process that everything of it descends from."""
    for _ in range(TRIES):
        with subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as starter:
            assert starter.stdout is not None
            if address := starter.stdout.readline().strip():
                yield address, psutil.Process(starter.pid)
                starter.communicate(timeout=LIMIT)
                return
    pytest.fail("no Ray cluster started")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("linear")
    (folder / "app.py").write_text(APP)
    dice = np.random.default_rng(0)
    for name in ("all/rows", "shards/0"):
        x = dice.normal(size=(80, 2))
        path = folder / "data" / f"{name}.csv"
        path.parent.mkdir(parents=True)
        np.savetxt(path, np.column_stack([x, x @ [2, -1]]), delimiter=",")
    (folder / "pyproject.toml").write_text('[tool.commonweight]\ndata = "data/all"\nshards = "data/shards"\n')
    return folder


def start(project: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [str(DAO), "simulate", "--nodes", "4", "--rounds", "1", "--seed", "3", "--setting", "rate=0.2"]
    command += ["--json", str(out), *options]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(running: subprocess.Popen[str], out: Path) -> tuple[str, str]:
    """Return a simulation's model and manifest, to which all four nodes came."""
    said, _ = running.communicate(timeout=LIMIT)
    assert running.returncode == 0, said
    (played,) = json.loads(out.read_text())["rounds"]
    assert len(played["nodes"]) == 4
    assert "passed" not in {node["status"] for node in played["nodes"]}, said
    return played["model"], played["manifest"]


@pytest.fixture(scope="module")
def pooled(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the processes of one machine make."""
    out = tmp_path_factory.mktemp("pool") / "out.json"
    return finish(start(project, out), out)


def test_simulate__on_a_ray_cluster__the_bytes_of_the_pool(
    project: Path, cluster: tuple[str, psutil.Process], pooled: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    assert finish(start(project, out, "--ray", cluster[0]), out) == pooled


def find_training(cluster: psutil.Process) -> psutil.Process:
    """Wait until a Ray worker trains."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        for process in cluster.children(recursive=True):
            try:
                if process.cmdline()[:1] == [TRAINS]:
                    return process
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)
    raise AssertionError("no Ray worker trained")


def test_simulate__a_ray_worker_is_killed_while_it_trains__the_same_bytes(
    project: Path, cluster: tuple[str, psutil.Process], pooled: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    running = start(project, out, "--ray", cluster[0])
    worker = find_training(cluster[1])
    apps = worker.children(recursive=True)
    worker.send_signal(signal.SIGKILL)
    assert running.poll() is None
    assert finish(running, out) == pooled
    _, alive = psutil.wait_procs(apps, timeout=10)
    assert apps
    assert not alive  # the app ends with its worker


def test_simulate__an_app_that_fails_on_the_cluster__one_clear_line(
    project: Path, cluster: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    running = start(project, tmp_path / "out", "--ray", cluster[0], "--app-python", "/nowhere/python")
    said, _ = running.communicate(timeout=LIMIT)
    assert running.returncode == 1
    assert "/nowhere/python: cannot run the app's interpreter" in said


def test_simulate__ray_is_not_installed__says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    said = Dao(tmp_path).refused("simulate", "--ray", "auto")
    assert said == "--ray takes Ray: pip install 'commonweight[ray]', here and on each machine of the cluster"


def test_simulate__no_ray_cluster_at_the_address__one_clear_line(tmp_path: Path) -> None:
    dao = Dao(tmp_path)
    assert "--ray there: expected HOST:PORT, ray://HOST:PORT" in dao.refused("simulate", "--ray", "there")
    assert "--ray 127.0.0.1:1: no cluster answers there" in dao.refused("simulate", "--ray", "127.0.0.1:1")


def test_bench_simulate__few_nodes__times_both_and_tells_of_memory() -> None:
    row = simulated_load.measure(3, 1, ray=False)
    assert (row["nodes"], row["rounds"]) == (3, 1)
    assert min(row["seconds"], row["loop_seconds"], row["core_seconds_over_loop"]) > 0
    assert min(row["main_mb"], row["largest_trainer_mb"]) > 10


async def test_shelf__files_and_folders__are_placed_under_their_names_and_old_ones_removed(
    tmp_path: Path,
) -> None:
    (tmp_path / "images" / "cats").mkdir(parents=True)
    (tmp_path / "images" / "cats" / "1.png").write_bytes(b"cat")
    (tmp_path / "rows.csv").write_bytes(b"1,2\n")
    folder, file = pack(tmp_path / "images"), pack(tmp_path / "rows.csv")
    asked = []

    async def fetch(label_and_content: tuple[object, bytes]) -> bytes:
        asked.append(label_and_content[0])
        return label_and_content[1]

    shelf = Shelf(tmp_path / "shelf")
    paths = await shelf.place([folder[0], file[0]], {one[0].key: fetch(one) for one in (folder, file)})
    assert (paths[folder[0]].name, paths[file[0]].name) == ("images", "rows.csv")
    assert (paths[folder[0]] / "cats" / "1.png").read_bytes() == b"cat"
    assert paths[file[0]].read_bytes() == b"1,2\n"
    again = await shelf.place([file[0]], {})
    assert asked == [folder[0], file[0]]
    assert again[file[0]].exists()
    assert not paths[folder[0]].exists()


async def test_send__at_once_by_many__packs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainings of a round begin together, each with the same base."""
    import ray

    (tmp_path / "base").write_bytes(b"a model")
    put: list[bytes] = []
    monkeypatch.setattr(ray, "put", put.append)
    sent = ray_pool._Sent()
    labels = await asyncio.gather(*(sent.send(tmp_path / "base", {}) for _ in range(5)))
    assert put == [b"a model"]
    assert len({str(label) for label in labels}) == 1
