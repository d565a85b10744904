"""A whole network by its commands alone: contracts, task, stakes, daemons, a round, its audit, a claim, a clean end."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from dao.chain.signer import Signer
from dao.content.tensor_files import compute_cid
from dao.core.formats.cid import Cid
from dao.core.formats.reasons import format_millionths
from dao.core.types import hex_of
from dao.devnet.anvil import dev_signer
from tests.aggregator.assignment import ROWS, SHARDS, Assignment, samples
from tests.cli.command import Daemon
from tests.cli.conftest import Devnet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # processes that load torch, on a shared machine
NODES = 2
PURPOSE = "Tells \u200bcells apart"  # with a character that nobody sees
PASSWORD = "canary-of-the-owner"
PERIODS = {"commit": 60, "reveal": 30, "result": 60, "challenge": 2, "resolve": 30}


@dataclass(frozen=True)
class Made:
    """A task on the devnet with its Superlink; `task` is what `dao task create --json` printed."""

    devnet: Devnet
    assignment: Assignment
    superlink: Path
    operator: str
    task: dict[str, Any]


@pytest.fixture(scope="module")
def made(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Made:
    dao, folder = devnet.dao, tmp_path_factory.mktemp("superlink")
    assignment, home = Assignment.make(tmp_path_factory.mktemp("content")), folder / "home"
    init = ("superlink", "init", "--home", home, "--rpc", devnet.rpc)
    operator = dao.json(*init, "--deployment", devnet.home / "deployment.json")["operator"]
    dao.run("devnet", "fund", operator, "--home", devnet.home, "--tokens", 0)
    dao.run("devnet", "fund", hex_of(dev_signer(1).address), "--home", devnet.home)
    staked = dao.run("superlink", "register", "--home", home, "--dev-account", 1, "--stake", "500")
    assert staked.stdout.startswith("stake 500 tokens")
    options = ["--app", assignment.app, "--shards", assignment.shards, "--superlink-operator", operator]
    options += [
        "--content-folder",
        assignment.store,
        "--fund-rounds",
        2,
        "--quorum",
        NODES,
        "--dev-account",
        0,
    ]
    options += ["--name", "Cells", "--purpose", PURPOSE, "--metric", "accuracy", "--setting", "rate=0.5"]
    periods = [word for name, seconds in PERIODS.items() for word in (f"--{name}-period", seconds)]
    task = dao.json("task", "create", *options, *periods, *devnet.network)
    return Made(devnet, assignment, home, operator, task)


def start_of(made: Made) -> tuple[object, ...]:
    return (
        *("superlink", "start", "--home", made.superlink, "--task", made.task["task"]),
        *("--shards", made.assignment.shards, "--store", made.assignment.store, "--listen", "127.0.0.1:0"),
    )


@pytest.fixture
def serving(made: Made) -> Iterator[tuple[Daemon, str]]:
    """The running Superlink and its address."""
    with made.devnet.dao.running(*start_of(made), "--rounds", 1) as daemon:
        line = daemon.line()
        assert line.startswith(f"superlink of task {made.task['task']} serving at 127.0.0.1:")
        yield daemon, line.split()[-1]


def join(made: Made, index: int, folder: Path, address: str) -> Path:
    """A node with stake and data that has joined; its home."""
    dao, home = made.devnet.dao, folder / f"node-{index}"
    password, key = folder / f"password-{index}", folder / f"owner-{index}.json"
    password.touch(0o600)
    password.write_text(PASSWORD)
    owner = Signer.create(key, PASSWORD, work=4096)
    save_file(samples(index), folder / f"data-{index}")
    dao.run(
        "node",
        "init",
        "--home",
        home,
        "--rpc",
        made.devnet.rpc,
        "--deployment",
        made.devnet.home / "deployment.json",
    )
    dao.run("devnet", "fund", hex_of(owner.address), "--home", made.devnet.home, "--tokens", 10)
    owned = ("--owner-keystore", key, "--owner-password-file", password, "--home", home)
    dao.run("node", "register", *owned, "--stake", 10)
    data, task = folder / f"data-{index}", made.task
    approval = ("--approve", task["app"], "--approve", task["card"])
    if index == 0:
        check_site(made, data, address)
        nowhere = ("--superlink", "127.0.0.1:9")
        said = dao.refused("node", "join", task["task"], "--data", data, *nowhere, *approval, *owned)
        assert "Superlink 127.0.0.1:9: no answer" in said
        assert said.endswith("nothing was sent; name another by --superlink, or join --unchecked")
    dao.run("node", "join", task["task"], "--data", data, "--superlink", address, *approval, *owned)
    return home


def check_site(made: Made, data: Path, address: str) -> None:
    """A site is checked without its home, key or stake: the app is run on the data, and data that it cannot read are named."""
    dao, task, at = made.devnet.dao, made.task["task"], ("--superlink", address, *made.devnet.network)
    said = dao.run("node", "check", task, "--data", data, "--line", 10, *at).stdout
    assert said.startswith("task's name: Cells\ntask's purpose: Tells cells apart\n")
    assert "the app has no schema" in said
    assert f"trained on {ROWS} rows" in said
    assert "dry score: none" in said
    assert said.endswith("nothing was found that would keep you out\n")
    bad = data.with_name("bad.safetensors")
    bad.write_bytes(b"not what the app reads")
    done = dao.run("node", "check", task, "--data", bad, *at, code=1)
    assert "fault: the app fails on your data: load: " in done.stdout
    assert done.stderr.startswith("dao: data: the app fails on your data")
    assert "no such file" in dao.refused("node", "check", task, "--data", data.with_name("none"), *at)


def shown_app(made: Made) -> str:
    """The digest of the task's app, as its rules have it."""
    return str(made.devnet.dao.json("task", "show", made.task["task"], *made.devnet.network)["app_hash"])


def check_approval(made: Made, home: Path) -> None:
    """Approvals by the digest of another app are refused; without a terminal nothing new is approved."""
    dao, task, at, listed = made.devnet.dao, made.task["task"], ("--home", home), home / "approvals.jsonl"
    assert "not one of this node's" in dao.refused("node", "approve", 99, *at)
    assert "expected 0x and 64 hex digits, or a CID" in dao.refused("node", "approve", task, "0x12", *at)
    assert f"its app is {shown_app(made)}" in dao.refused("node", "approve", task, "0x" + "11" * 32, *at)
    assert dao.run("node", "approve", task, *at).stdout.startswith("approved: ")  # as it was before
    app, card = made.task["app"], made.task["card"]
    listed.unlink()
    assert "its card is 0x" in dao.refused("node", "approve", task, app, *at)
    assert "its app is 0x" in dao.refused("node", "approve", task, card, *at)
    dao.run("node", "approve", task, card, app, *at)
    listed.unlink()
    said = dao.refused("node", "approve", task, *at)
    assert "nothing was approved: expected the HASH of app and card, or a terminal to ask at" in said
    assert not listed.exists()
    assert dao.run("node", "uses", *at).stdout == "no app has run on this node's data\n"
    code, _ = dao.asked("node", "approve", task, *at, at="+def train(model, data, *, seed", press=b"n\n")
    assert code == 1
    assert not listed.exists()
    code, _ = dao.asked("node", "approve", task, *at, at="Approve this? [y/N]: ", press=b"y\n")
    assert code == 0
    assert listed.exists()


def claim(made: Made, index: int, home: Path, folder: Path) -> float:
    """Have a node's owner paid; return the tokens."""
    owned = (
        "--owner-keystore",
        folder / f"owner-{index}.json",
        "--owner-password-file",
        folder / f"password-{index}",
    )
    said = made.devnet.dao.run("node", "claim", made.task["task"], "--home", home, *owned).stdout
    return float(said.partition("paid ")[2].split()[0]) if "nothing to claim" not in said else 0


def claim_by_owner(made: Made, index: int, folder: Path) -> float:
    """The same with the owner's key alone."""
    key, password = folder / f"owner-{index}.json", folder / f"password-{index}"
    owned = ("--owner-keystore", key, "--owner-password-file", password)
    source = ("--store", made.superlink / "store", *made.devnet.network)
    said = made.devnet.dao.run("owner", "claim", *source, *owned).stdout
    return float(said.partition("paid ")[2].split()[0])


def check_model(made: Made, source: tuple[str, ...], folder: Path) -> None:
    """The newest model is got with what it comes from; what is there already is not written over."""
    dao, task, network = made.devnet.dao, made.task["task"], made.devnet.network
    got = ("model", "get", task, "--out", folder, "--verify", *source, *network)
    done = dao.run(*got, "--onnx")
    assert done.stdout.startswith("round       1\nphase       finalized\n")
    # whoever gets a model has it, whatever its app's environment lacks
    assert "dao: no model.onnx: export: the app's environment has no onnx and no onnxscript" in done.stderr
    told = json.loads((folder / "provenance.json").read_text())
    assert Cid.parse(told["model"]) == compute_cid(folder / "model.safetensors")
    assert (told["verified"], told["round"], told["app_digest"]) == ("statements", 1, shown_app(made))
    assert told["first_model"] == made.task["base_model"] == told["rounds"][0]["base_model"]
    assert 999_998 <= sum(share["millionths"] for share in told["shares"]) <= 1_000_000
    assert len(told["rounds"][0]["nodes"]) == NODES
    assert load_file(folder / "model.safetensors")
    readme = (folder / "README.md").read_text()
    assert readme.startswith('---\nlibrary_name: "safetensors"\n')
    assert "# Cells\n\n- Purpose: Tells cells apart\n" in readme
    assert told["model"] in readme
    assert "is there already" in dao.refused(*got)
    rest = ("--out", folder / "more", *source, *network)
    assert "round 2: is none and led to no model" in dao.refused("model", "get", task, "--round", 2, *rest)
    assert "expected the number of a round, or best" in dao.refused(
        "model", "get", task, "--round", "x", *rest
    )
    assert not (folder / "more").exists()


def check_watch(made: Made, watching: Daemon, source: tuple[str, ...]) -> None:
    """Each site's change was a line, up to what came of the round; a table at a terminal; Ctrl-C ends either by 130."""
    counted: set[str] = set()
    waited: set[str] = set()
    while len(counted) < NODES:
        _, number, node, standing, *why = watching.line().split()
        assert (number, bool(why)) == ("1:", True)
        {"waiting:": waited, "counted:": counted}[standing].add(node)
    assert waited <= counted
    code, out, errors = watching.stop(signal.SIGINT)
    assert (code, out, "Traceback" in errors) == (130, "", False)
    at = ("task", "watch", made.task["task"], *source, *made.devnet.network)
    code, shown = made.devnet.dao.asked(*at, at="counted", press=b"\x03")
    assert code == 130
    assert "Traceback" not in shown
    assert "there is no task 99" in made.devnet.dao.refused(
        "task", "watch", 99, *source, *made.devnet.network
    )


def test_network__a_round_by_commands__is_played_audited_shown_and_ends_cleanly(
    made: Made, serving: tuple[Daemon, str], tmp_path: Path
) -> None:
    dao, task, (superlink, address) = made.devnet.dao, made.task["task"], serving
    homes = [join(made, index, tmp_path, address) for index in range(NODES)]
    with ExitStack() as stack:
        check_approval(made, homes[0])
        source, network = ("--superlink", address), made.devnet.network
        watching = stack.enter_context(dao.running("task", "watch", task, *source, *network))
        nodes = [stack.enter_context(dao.running("node", "start", "--home", home)) for home in homes]
        assert superlink.line() == "all rounds are final"
        check_watch(made, watching, source)

        audited = dao.json("audit", task, "all", *source, *network)
        bad = [c for c in audited["rounds"][0]["checks"] if c["outcome"] != "ok"]
        assert (audited["exit"], len(audited["rounds"]), bad) == (0, 1, [])
        lines = dao.run("audit", task, 1, "--store", made.superlink / "store", *network).stdout.splitlines()
        assert lines[0] == f"task {task} round 1"
        assert lines[-1] == f"task {task}: 1 round, all holds"
        partly = dao.spawn("audit", task, 1, "--store", made.assignment.store, *network, code=2).stdout
        assert "unchecked manifest" in partly

        (row,) = dao.json("round", "ls", task, *network)
        assert (row["phase"], row["commits"], row["eligible"]) == ("finalized", NODES, NODES)
        shown = dao.json("round", "show", task, 1, *source, *network)
        assert {node["status"] for node in shown["nodes"]} <= {"ok", "clipped"}
        assert sum(float(node["reward"]) for node in shown["nodes"]) == pytest.approx(1000)
        metric = shown["manifest"]["metric"]
        assert (metric["name"], 0 < metric["value"] <= 10**6) == ("accuracy", True)
        words = f"accuracy {format_millionths(metric['value'])}"
        assert (
            f"{words}, as the Superlink measured it"
            in dao.run("round", "show", task, 1, *source, *network).stdout
        )
        told = dao.json("task", "show", task, *source, *network)["measured"]
        assert told == f"{words} after round 1, as the Superlink measured it"
        assert 20_000 < shown["gas_post"] < 500_000
        assert "finalized" in dao.run("round", "show", task, 1, *source, *network).stdout
        assert "name --superlink" in dao.run("round", "show", task, 1, *network).stdout

        check_model(made, source, tmp_path / "model")
        (figures,) = dao.json("task", "metrics", task, *source, *network, "--tensorboard", tmp_path / "runs")
        assert next(iter(figures["values"].items())) == ("metric/accuracy", metric["value"] / 1e6)
        assert figures["values"]["loss/after"] < figures["values"]["loss/before"]
        assert figures["values"]["supernodes/committed"] == NODES
        assert len([*(tmp_path / "runs").iterdir()]) == 1
        status = dao.json("superlink", "status", "--home", made.superlink)
        assert (status["running"], status["address"], status["stake"]) == (True, address, "500")
        assert "finalized" in [event["event"] for event in status["events"]]
        assert status["awaited"] == []
        (use,) = dao.json("node", "uses", "--home", homes[0])
        assert (use["task"], use["round"], use["app"]) == (task, 1, shown_app(made))
        assert use["decided_by"] == f"account {hex_of(dev_signer(0).address)}"
        assert use["update"] in dao.run("node", "uses", "--home", homes[0]).stdout
        assert dao.json("node", "status", "--home", homes[0])["tasks"][0]["card"]["name"] == "Cells"
        for node in nodes:
            assert node.stop()[0] == 0
    paid = [claim(made, 0, homes[0], tmp_path), claim_by_owner(made, 1, tmp_path)]
    assert sum(paid) == pytest.approx(1000)
    assert all(paid)
    assert claim(made, 0, homes[0], tmp_path) == 0  # once more: nothing is left
    code, out, errors = superlink.stop()
    assert (code, out) == (0, "")
    secret = (made.superlink / "password").read_text()
    assert "Traceback" not in errors
    assert secret not in errors + out
    assert not dao.json("superlink", "status", "--home", made.superlink)["running"]
    late = dao.refused("superlink", "concede", task, 1, "--home", made.superlink)
    assert "Finalized" in late  # an own result, which stands for ever


def test_superlink__told_to_end_while_it_waits_for_members__ends_cleanly(
    made: Made, serving: tuple[Daemon, str]
) -> None:
    daemon, _ = serving
    assert "in use" in made.devnet.dao.refused(*start_of(made))
    code, out, errors = daemon.stop(signal.SIGINT)
    assert (code, out) == (0, "")
    assert "Traceback" not in errors


def test_task__as_people_read_it__shows_rules_and_funds(made: Made) -> None:
    dao, network = made.devnet.dao, made.devnet.network
    shown = dao.json("task", "show", made.task["task"], *network)
    assert shown["superlink"] == made.operator
    assert (shown["shards"], shown["funded_wei"], shown["codec"]) == (SHARDS, str(2000 * 10**18), "int8")
    assert (
        f"challenge_period  {PERIODS['challenge']}"
        in dao.run("task", "show", made.task["task"], *network).stdout
    )
    assert [row["task"] for row in dao.json("task", "ls", *network)] == [made.task["task"]]
    assert "2000" in dao.run("task", "ls", *network).stdout
    named = (*network, "--store", made.assignment.store, "--store", made.superlink / "store")
    card = {"name": "Cells", "purpose": "Tells cells apart", "metric": "accuracy, higher is better"}
    card["settings"] = "rate=0.5"
    assert dao.json("task", "ls", *named)[0]["card"] == card
    header, line = dao.run("task", "ls", *named).stdout.splitlines()
    assert header.split()[:3] == ["task", "name", "state"]
    assert line.split()[1] == "Cells"
    assert line.endswith("accuracy, higher is better  Tells cells apart")
    shown = dao.json("task", "show", made.task["task"], *named)
    assert {name: shown[name] for name in card} == card
    # once a round was played: its manifest is at its Superlink, not in the store that the task was created from
    assert shown.get("trouble", "who was missing: manifest: 0x").startswith("who was missing: manifest: 0x")


def test_commands__bad_input__one_line_that_says_what_to_do(made: Made, tmp_path: Path) -> None:
    dao, network, source = made.devnet.dao, made.devnet.network, ("--store", made.assignment.store)
    assert "there is no task 99" in dao.refused("task", "show", 99, *network)
    as_process = dao.spawn("task", "show", 99, *network, code=1)
    assert as_process.stderr == "dao: rulesOf: refused: there is no task 99 [UnknownTask]\n"
    assert "not a deployment" in dao.refused(
        "task", "ls", "--rpc", made.devnet.rpc, "--deployment", tmp_path / "no"
    )
    assert "there is no task 99" in dao.refused("audit", 99, "all", *source, *network, code=2)
    assert "expected a number" in dao.refused("audit", made.task["task"], "x", *source, *network, code=2)
    assert "from where?" in dao.refused("audit", made.task["task"], 1, *network, code=2)
    assert "not the folder of a store" in dao.refused("audit", 1, 1, "--store", tmp_path, *network, code=2)
    assert "not opened yet" in dao.refused("round", "show", made.task["task"], 50, *network)
    assert "dao superlink init" in dao.refused("superlink", "start", "--home", tmp_path / "none")
    assert "--task and --shards" in dao.refused("superlink", "start", "--home", made.superlink)
    assert "already is a daemon's folder" in dao.refused("superlink", "init", "--home", made.superlink)
    options = ["--app", tmp_path, "--shards", made.assignment.shards, "--superlink-operator", made.operator]
    create = ("task", "create", *options, *network, "--content-folder", tmp_path / "store")
    assert "app.py" in dao.refused(*create, "--dev-account", 0)
    assert "--dev-account NUMBER" in dao.refused(*create)
    assert "--superlink-operator: expected 0x" in dao.refused(
        *create, "--dev-account", 0, "--superlink-operator", "me"
    )
    assert "--min-stake" in dao.refused(*create, "--dev-account", 0, "--min-stake", "-1")
    whole = (
        "task",
        "create",
        "--app",
        made.assignment.app,
        *options[2:],
        *network,
        "--content-folder",
        tmp_path / "s",
    )
    said = dao.refused(*whole, "--dev-account", 0, "--fund-rounds", 999)
    assert "--fund-rounds 999: expected at most one for each of the" in said


def test_superlink__unbonds_a_part__is_locked_and_what_stays_is_its_bond(made: Made) -> None:
    dao, owned = made.devnet.dao, ("--home", made.superlink, "--dev-account", 1)
    dao.run("superlink", "register", *owned, "--stake", 520)
    assert dao.run("superlink", "unbond", *owned, "--keep-stake", 500).stdout.startswith(
        "unbonding until block time"
    )
    assert "locked until" in dao.refused("superlink", "withdraw", *owned)
    assert dao.json("superlink", "status", "--home", made.superlink)["stake"] == "500"
