"""`dao simulate`, run as a user runs it: real training, the protocol's arithmetic, real images."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [str(DAO), "simulate", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done
    return done


def test_simulate__more_rounds_than_shards__one_clear_line() -> None:
    said = run("--rounds", 13, code=1).stderr
    assert said == "dao: --rounds 13: expected at most one for each of the 10 shards\n"


@pytest.mark.timeout(180)
def test_simulate__own_app_and_data__pays_who_helped(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text(LINE)
    (tmp_path / "shards").mkdir()
    dice = np.random.default_rng(1)
    for name, slope in {
        "right.csv": 2,
        "wrong.csv": -2,
        "shards/a.csv": 2,
        "shards/b.csv": 2,
        "test.csv": 2,
    }.items():
        x = dice.normal(size=40)
        np.savetxt(tmp_path / name, np.column_stack([x, slope * x]), delimiter=",")
    files = {name: tmp_path / f"{name}.csv" for name in ("right", "wrong", "test")}
    out = tmp_path / "out.json"
    done = run(
        *("--app", app, "--data", files["right"], "--data", files["wrong"], "--shards", tmp_path / "shards"),
        *("--test", files["test"], "--rounds", 2, "--json", out),
    )
    first, second = json.loads(out.read_text())["rounds"]
    earned = {node["name"]: int(node["reward_wei"]) for node in first["nodes"]}
    assert earned["right.csv"] > 0 == earned["wrong.csv"]
    assert second["loss"] < first["loss"]
    assert first["accuracy"] is None
    assert "round 1: loss " in done.stdout
    assert "; on the test off " in done.stdout
    assert "claimed" not in done.stdout


def test_simulate__parts_of_an_own_scene__one_clear_line(tmp_path: Path) -> None:
    assert "--app: expected the folder of an app" in run("--data", tmp_path, code=1).stderr
    assert "p.svg: expected a name that ends in .png" in run("--plot", tmp_path / "p.svg", code=1).stderr
    assert "expected --data for each contributor" in run("--app", tmp_path, code=1).stderr
    nothing = ("--app", tmp_path, "--shards", tmp_path, "--data", tmp_path / "none.csv")
    assert "none.csv: expected a contributor's data" in run(*nothing, code=1).stderr
