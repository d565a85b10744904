"""`dao simulate`, run as a user runs it: real training, the protocol's arithmetic, real images."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import Dao

LINE = """
import numpy as np
import torch

def model():
    torch.manual_seed(0)
    return torch.nn.Linear(1, 1)

def data(path):
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32))
    return {"x": table[:, :1], "y": table[:, 1:]}

def loss(model, batch):
    return torch.nn.functional.mse_loss(model(batch["x"]), batch["y"])

def train(model, data, *, seed, round):
    for _ in range(5):
        slopes = torch.autograd.grad(loss(model, data), model.parameters())
        for weight, slope in zip(model.parameters(), slopes):
            weight.data.sub_(slope, alpha=0.05)

@torch.no_grad()
def metrics(model, data):
    return {"off": (model(data["x"]) - data["y"]).abs().mean().item()}
"""
DAO = Path(sys.executable).parent / "dao"


@pytest.mark.timeout(300)
def test_simulate__three_rounds__learns_and_pays_for_worth(tmp_path: Path) -> None:
    out, plot = tmp_path / "out.json", tmp_path / "plot.png"
    command = [str(DAO), "simulate", "--rounds", "3", "--json", str(out), "--plot", str(plot)]
    subprocess.run(command, check=True, capture_output=True, timeout=280)
    document = json.loads(out.read_text())
    earned: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for view in document["rounds"]:
        paid = sum(int(node["reward_wei"]) for node in view["nodes"])
        assert paid + int(view["refunded_wei"]) == int(view["budget_wei"]) > 0
        for node in view["nodes"]:
            assert node["reason"]
            names[node["name"]] = node["role"]
            earned.setdefault(node["name"], []).append(int(node["reward_wei"]))
    totals = {name: sum(parts) for name, parts in earned.items()}
    by_role = {role: [totals[n] for n, r in names.items() if r == role] for role in names.values()}
    assert min(by_role["good"]) > max(by_role["small"] + by_role["mislabelled"])
    assert sum(by_role["free-rider"]) <= 0.03 * sum(totals.values())
    rounds = document["rounds"]
    assert rounds[-1]["accuracy"] > 0.85
    assert rounds[-1]["loss"] < rounds[0]["loss"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_dao__help__lists_its_commands() -> None:
    done = subprocess.run([str(DAO), "--help"], check=True, capture_output=True, text=True, timeout=60)
    assert "simulate" in done.stdout


@pytest.fixture
def simulate(forked_apps: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The command in this process, where nothing need be loaded again; what it printed."""

    def play(*arguments: object, cwd: Path = tmp_path) -> str:
        monkeypatch.chdir(cwd)
        return Dao(tmp_path).run("simulate", *arguments).stdout

    return play


def test_simulate__more_rounds_than_shards__one_clear_line(tmp_path: Path) -> None:
    said = Dao(tmp_path).refused("simulate", "--rounds", 13)
    assert said == "--rounds 13: expected at most one for each of the 10 shards"


@pytest.mark.timeout(180)
def test_simulate__own_app_and_data__pays_who_helped(simulate: Callable[..., str], tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text(LINE)
    (tmp_path / "shards").mkdir()
    dice = np.random.default_rng(1)
    slopes = {"right.csv": 2, "wrong.csv": -2, "shards/a.csv": 2, "shards/b.csv": 2, "test.csv": 2}
    for name, slope in slopes.items():
        x = dice.normal(size=40)
        np.savetxt(tmp_path / name, np.column_stack([x, slope * x]), delimiter=",")
    files = {name: tmp_path / f"{name}.csv" for name in ("right", "wrong", "test")}
    out = tmp_path / "out.json"
    said = simulate(
        *("--app", app, "--data", files["right"], "--data", files["wrong"], "--shards", tmp_path / "shards"),
        *("--test", files["test"], "--rounds", 2, "--json", out),
    )
    first, second = json.loads(out.read_text())["rounds"]
    earned = {node["name"]: int(node["reward_wei"]) for node in first["nodes"]}
    assert earned["right.csv"] > 0 == earned["wrong.csv"]
    assert second["loss"] < first["loss"]
    assert first["accuracy"] is None
    assert "round 1: loss " in said
    assert "; on the test off " in said
    assert "claimed" not in said


@pytest.mark.timeout(180)
def test_simulate__a_nodes_training_gives_nan__it_sits_out_and_the_others_go_on(
    simulate: Callable[..., str], tmp_path: Path
) -> None:
    app, shards, out = tmp_path / "app", tmp_path / "shards", tmp_path / "out.json"
    app.mkdir()
    shards.mkdir()
    bad = '    if data["x"].min() > 0:\n        model.bias.data.fill_(float("nan"))\n'
    (app / "app.py").write_text(LINE.replace("    for _ in range(5):", f"{bad}    for _ in range(5):"))
    for name, x in {"good.csv": (-2, 2), "bad.csv": (1, 2), "shards/a.csv": (-1, 1)}.items():
        (tmp_path / name).write_text("".join(f"{one},{2 * one}\n" for one in np.linspace(*x, 20)))
    files = ("--data", tmp_path / "good.csv", "--data", tmp_path / "bad.csv", "--shards", shards)
    said = simulate("--app", app, *files, "--rounds", 1, "--json", out)
    (played,) = json.loads(out.read_text())["rounds"]
    statuses = {node["name"]: node["status"] for node in played["nodes"]}
    assert statuses == {"good.csv": "ok", "bad.csv": "passed"}
    assert played["loss_after"] < played["loss_before"]
    assert re.search(r"bad.csv sat it out: train: tensor 'bias': expected training .*, got nan", said)


def test_simulate__parts_of_an_own_scene__one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def refused(*arguments: object) -> str:
        return Dao(tmp_path).refused("simulate", *arguments)

    assert "--app: expected the folder of an app" in refused("--data", tmp_path)
    assert "p.svg: expected a name that ends in .png" in refused("--plot", tmp_path / "p.svg")
    assert "expected --data for each contributor" in refused("--app", tmp_path)
    nothing = ("--app", tmp_path, "--shards", tmp_path, "--data", tmp_path / "none.csv")
    assert "none.csv: expected a contributor's data" in refused(*nothing)
    assert f"--report {tmp_path}: expected a file" in refused("--report", tmp_path)


# without torch, which each process of an app would take seconds to import
SIDES = """
import numpy as np

def model():
    return {"w": np.zeros((2, 2), np.float32)}

def data(path):
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    return {"x": table[:, :2], "y": table[:, 2].astype(int)}

def chances(weights, x):
    parts = np.exp(x @ weights["w"])
    return parts / parts.sum(1, keepdims=True)

def loss(weights, batch):
    return -np.log(chances(weights, batch["x"])[np.arange(len(batch["y"])), batch["y"]]).mean()

def train(weights, data, *, seed, round):
    if len(data["y"]) > 110 and round == 2:  # with the 64 rows of the first round's shard
        raise ValueError("too much for me")
    rows = np.random.default_rng(seed).integers(len(data["y"]), size=30)
    x, right = data["x"][rows], np.eye(2)[data["y"][rows]]
    for _ in range(10):
        weights = {"w": weights["w"] - 0.1 * x.T @ (chances(weights, x) - right) / len(x)}
    return weights

def metrics(weights, data):
    return {"accuracy": (chances(weights, data["x"]).argmax(1) == data["y"]).mean()}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app's folder whose pyproject.toml says how to make data, and what to play with."""
    folder = tmp_path_factory.mktemp("<b>sides")
    (folder / "app.py").write_text(SIDES)
    (folder / "make.py").write_text(
        "import numpy as np, os\n"
        "os.makedirs('data/shards')\n"
        "dice = np.random.default_rng(0)\n"
        "for name, rows in {'all': 300, 'test': 100, 'shards/0': 64, 'shards/1': 64, 'shards/2': 64}.items():\n"
        "    y = dice.integers(2, size=rows)\n"
        "    x = dice.normal(size=(rows, 2)) + 2 * y[:, None] - 1\n"
        "    np.savetxt(f'data/{name}.csv', np.column_stack([x, y]), delimiter=',')\n"
    )
    (folder / "pyproject.toml").write_text(
        '[tool.commonweight]\ndata = "data/all.csv"\nshards = "data/shards"\ntest = "data/test.csv"\n'
        'make-data = "make.py"\n'
    )
    return folder


@pytest.mark.timeout(300)
def test_simulate__one_seed__the_same_bytes_and_attackers_earn_nothing(project: Path, tmp_path: Path) -> None:
    played = []
    for name in ("first", "second"):
        out, report = tmp_path / f"{name}.json", tmp_path / f"{name}.html"
        command = [str(DAO), "simulate", "--nodes", "8", "--rounds", "3", "--seed", "7"]
        command += ["--split", "dirichlet:0.8", "--attack", "label-flip:2"]
        command += ["--json", str(out), "--report", str(report)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, cwd=project)
        assert done.returncode == 0, done
        played.append(json.loads(out.read_text())["rounds"])
    names = [[(one["model"], one["manifest"]) for one in rounds] for rounds in played]
    assert names[0] == names[1]
    assert len({model for model, _ in names[0]}) == 3
    first, *_, last = played[0]
    assert last["loss"] < first["loss"]
    assert last["metrics"]["accuracy"] > 0.8
    liars = [node for one in played[0] for node in one["nodes"] if node["role"] == "attacker"]
    assert len(liars) == 6
    # from the second round on they train on the true labels of the first one's shard, too
    assert [(node["status"], node["reward_wei"]) for node in liars[:2]] == [("gated", "0")] * 2
    paid = [int(node["reward_wei"]) for one in played[0] for node in one["nodes"]]
    assert sum(int(node["reward_wei"]) for node in liars) < sum(paid) / 8  # a quarter of them are liars
    assert {node["name"] for node in liars} == {"node 7 (label-flip)", "node 8 (label-flip)"}
    assert re.search(
        r"node \d.* sat it out: train_part: ValueError: too much for me \(app.py line \d+\)", done.stdout
    )
    assert "passed" in {node["status"] for node in played[0][1]["nodes"]}
    page = (tmp_path / "first.html").read_text()
    assert page == (tmp_path / "second.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;sides" in page
    assert "http:" not in page
    assert "<script" not in page
    assert all(model in page and manifest in page for model, manifest in names[0])


@pytest.mark.timeout(300)
def test_simulate__another_seed_or_setting__another_model(
    simulate: Callable[..., str], project: Path, tmp_path: Path
) -> None:
    app, out = tmp_path / "app", tmp_path / "out.json"
    shutil.copytree(project, app, ignore=shutil.ignore_patterns("data"))
    code = (app / "app.py").read_text()
    code = code.replace("seed, round):", "seed, round, settings):").replace("0.1 *", 'settings["rate"] *')
    (app / "app.py").write_text(code)
    models = []
    for seed, rate in ((1, "0.1"), (2, "0.1"), (1, "0.01")):
        simulate(
            *("--nodes", 3, "--rounds", 1, "--seed", seed, "--setting", f"rate={rate}", "--json", out),
            cwd=app,
        )
        models.append(json.loads(out.read_text())["rounds"][0]["model"])
    assert len({*models}) == 3
    done = Dao(tmp_path).refused("simulate", "--app", app, "--rounds", 1, "--setting", "rate")
    assert "setting 'rate': expected name=value" in done


def test_simulate__what_cannot_be_played__one_clear_line(
    project: Path, forked_apps: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)

    def refused(*arguments: object) -> str:
        return Dao(tmp_path).refused("simulate", "--rounds", 1, *arguments)

    assert "--attack flip:3: expected NAME:COUNT" in refused("--attack", "flip:3")
    assert "--attack noise:0: expected NAME:COUNT" in refused("--attack", "noise:0")
    assert "expected fewer than the 3 contributors" in refused("--attack", "noise:3", "--nodes", 3)
    assert "--split thirds: expected iid or dirichlet:NUMBER" in refused("--split", "thirds")
    assert "expected labels of 2 to 1000 classes, got 0" in refused("--split", "dirichlet:1", "--label", "z")
    assert "--nodes 301: expected at most one for each of the 300 rows" in refused("--nodes", 301)
    both = ("--data", tmp_path, "--data", tmp_path, "--shards", tmp_path, "--nodes", 2)
    assert "--data: expected one file to deal" in refused(*both)


def test_simulate__an_apps_own_table_or_script_is_wrong__one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dao = Dao(tmp_path)
    (tmp_path / "app.py").write_text(LINE)
    table = tmp_path / "pyproject.toml"
    table.write_text("[tool.commonweight]\nrows = 3\n")
    assert "[tool.commonweight] rows: expected texts named data, label" in dao.refused("simulate")
    table.write_text('[tool.commonweight]\ndata = "x.csv"\nshards = "y"\nmake-data = "make.py"\n')
    (tmp_path / "make.py").write_text("raise SystemExit('no such site')")
    assert "make.py: could not make data: no such site" in dao.refused("simulate")
    (tmp_path / "make.py").write_text("")
    assert "x.csv: expected a contributor's data" in dao.refused("simulate")
    table.unlink()
    assert "or both in [tool.commonweight] of its pyproject.toml" in dao.refused("simulate")


def test_simulate__environment_cannot_be_built__one_clear_line_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UV_OFFLINE", "1")
    for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "app.py").write_text(LINE)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_text("1,2\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["package-of-nobody"]\n[tool.commonweight]\ndata = "rows/a.csv"\nshards = "rows"\n'
    )
    said = Dao(tmp_path).refused("simulate")
    assert said.startswith("the app's environment cannot be built: ")
    # whichever is looked for first
    assert re.search(r"Because (numpy|package-of-nobody) was not found", said)


def test_simulate__model_that_no_machine_holds__is_told_before_all_processes_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "app").mkdir()
    enormous = LINE.replace(
        "return torch.nn.Linear(1, 1)",
        "made = torch.nn.Module()\n"
        "    made.w = torch.nn.Parameter(torch.zeros(1).expand(1 << 38))\n"
        "    return made",
    )
    (tmp_path / "app" / "app.py").write_text(enormous)
    (tmp_path / "shards").mkdir()
    for name in "abcde":
        (tmp_path / "shards" / name).write_text(f"1,{ord(name)}\n")
    data = ("--data", tmp_path / "shards" / "a")
    places = ("--app", tmp_path / "app", "--shards", tmp_path / "shards")
    said = Dao(tmp_path).refused("simulate", *places, *data, *data)
    assert re.match(r"app app: a model of 1,099.5 GB in \d processes of apps takes at least", said)
