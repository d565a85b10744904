"""The demonstration as a newcomer runs it: real chain, real processes, real images."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

DAO = Path(sys.executable).parent / "dao"
LIMIT = 240.0


def results(tmp_path: Path, *options: str) -> dict[str, Any]:
    out = tmp_path / "out.json"
    command = [str(DAO), "demo", "--home", str(tmp_path / "home"), "--json", str(out), *options]
    # a newcomer has no settings in the environment: those of the other tests would put the free rider's program into a sandbox
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMMONWEIGHT_")}
    given: dict[str, Any] = {"timeout": LIMIT, "cwd": tmp_path, "env": environment}
    done = subprocess.run(command, check=False, capture_output=True, text=True, **given)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def check(document: dict[str, Any], nodes: int, rounds: int) -> None:
    """Every round audited, every wei accounted for, every zero with its reason, no gas for participants."""
    assert len(document["rounds"]) == rounds
    owed: dict[str, int] = {}
    for view in document["rounds"]:
        assert view["audit"] == "ok"
        assert view["gas"]["participants"] == 0
        assert 0 < view["gas"]["superlink"] <= 250_000
        assert len(view["nodes"]) == nodes
        paid = sum(int(node["reward_wei"]) for node in view["nodes"])
        assert paid + int(view["refunded_wei"]) == int(view["budget_wei"]) > 0
        for node in view["nodes"]:
            assert node["reason"]
            assert node["owner"] != node["operator"]
            if node["role"] == "free-rider":
                assert (node["status"], node["reward_wei"]) == ("gated", "0"), node["reason"]
            owed[node["owner"]] = owed.get(node["owner"], 0) + int(node["reward_wei"])
    assert document["claimed_wei"] == {owner: str(wei) for owner, wei in owed.items() if wei}


@pytest.mark.slow
@pytest.mark.timeout(LIMIT + 30)
def test_demo__five_nodes_three_rounds__learns_pays_and_is_audited(tmp_path: Path) -> None:
    document = results(tmp_path, "--rounds", "3")
    check(document, 5, 3)
    assert document["rounds"][-1]["accuracy"] > 0.85
    assert document["rounds"][-1]["loss"] < document["rounds"][0]["loss"]
    assert (tmp_path / "commonweight-demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.kubo
@pytest.mark.timeout(LIMIT + 30)
def test_demo__over_ipfs__the_same(tmp_path: Path) -> None:
    document = results(tmp_path, "--rounds", "2", "--nodes", "2", "--with-ipfs")
    check(document, 2, 2)
    assert document["store"] == "kubo"


def descendants(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("when", "how"),
    [
        ("chain", signal.SIGINT),
        ("superlink/status.jsonl", signal.SIGTERM),
        ("superlink/status.jsonl", signal.SIGKILL),
    ],
)
def test_demo__ended_in_any_way__leaves_no_process(tmp_path: Path, when: str, how: int) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [str(DAO), "demo", "--home", str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**os.environ},
    )
    end = time.monotonic() + 60
    started: list[psutil.Process] = []
    while not ((home / when).exists() and started):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
        started = descendants(process)
    process.send_signal(how)
    assert process.wait(60) == (-how if how == signal.SIGKILL else 128 + how)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    named = [
        p.cmdline()
        for p in psutil.process_iter(["cmdline"])
        if str(home) in " ".join(p.info["cmdline"] or ())
    ]
    assert not named


def test_demo__home_that_exists__one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(DAO), "demo", "--home", str(tmp_path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith("dao: ")
    assert str(tmp_path) in done.stderr.replace("\n", "")


@pytest.mark.slow
@pytest.mark.timeout(LIMIT)
def test_demo__keep__a_supernode_joins_by_the_printed_commands(tmp_path: Path) -> None:
    options = ["--home", str(tmp_path / "home"), "--nodes", "2", "--rounds", "1", "--keep"]
    environment = {**os.environ, "PATH": f"{DAO.parent}:{os.environ['PATH']}", "COLUMNS": "4000"}
    demo = subprocess.Popen(
        [str(DAO), "demo", *options], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    guest = None
    try:
        assert demo.stdout is not None
        commands = []
        for line in demo.stdout:
            if line.startswith("dao node"):
                commands.append(line.split())
            if line.startswith("page "):
                page = line.split()[1]
                break
        assert [command[2] for command in commands] == ["init", "register", "join", "start"]
        with urlopen(f"{page}/api/v1/tasks/1/rounds/1", timeout=30) as answer:  # noqa: S310  (our own)
            assert len(json.load(answer)["nodes"]) == 2
        for command in commands[:-1]:
            subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)
        guest = subprocess.Popen(commands[-1], env=environment, stderr=subprocess.DEVNULL)
        last = next(line for line in demo.stdout if " tokens: " in line)
        assert any(f": {status}, " in last for status in ("ok", "clipped")), last
    finally:
        if guest is not None:
            guest.terminate()
            guest.wait(30)
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
