"""`dao simulate`, run as a user runs it: real training, the protocol's arithmetic, real images."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_dao__more_rounds_than_shards__one_clear_line() -> None:
    done = subprocess.run(
        [str(DAO), "simulate", "--rounds", "13"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "--rounds" in done.stderr
    assert "12" in done.stderr
