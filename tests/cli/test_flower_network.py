"""A task whose app is a Flower app as its author wrote it: Superlink, Supernodes and auditor by their commands."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.flower_apps import APPS, deal_rows
from tests.cli.conftest import Devnet
from tests.cli.hired_network import hire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # processes on a shared machine
NAME, ROUNDS = "pytorch", 2


def test_network__a_flower_app__trains_is_paid_and_all_holds(
    devnet: Devnet, tmp_path: Path, flower_python: Path
) -> None:
    sites = deal_rows(NAME, tmp_path / "play")
    hired = hire(devnet, tmp_path / "play", APPS / NAME, flower_python, rounds=ROUNDS, quorum=2)
    dao, network = devnet.dao, devnet.network
    with ExitStack() as stack:
        superlink = stack.enter_context(dao.running(*hired.start, "--rounds", ROUNDS))
        address = superlink.line().split()[-1]
        for site in sites[:2]:
            home = hired.join(site.stem, address)
            stack.enter_context(dao.running("node", "start", "--home", home))
        assert superlink.line() == "all rounds are final"
        source = ("--superlink", address, *network)
        audited = dao.json("audit", hired.task, "all", "--app-python", flower_python, *source)
        rounds = [dao.json("round", "show", hired.task, number, *source) for number in (1, 2)]
    assert [check for one in audited["rounds"] for check in one["checks"] if check["outcome"] != "ok"] == []
    assert audited["exit"] == 0
    assert rounds[-1]["manifest"]["loss_after"] < rounds[0]["manifest"]["loss_before"]
    assert sum(float(node["reward"]) > 0 for node in rounds[0]["nodes"]) > 0
    assert {node["status"] for one in rounds for node in one["nodes"]} <= {"ok", "clipped", "gated"}
