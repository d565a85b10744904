"""`dao superlink status` says whom the round waits for, also while the chain does not answer."""

import json
from pathlib import Path

from dao.runtime.locks import hold_lock
from tests.cli.command import Dao

OPENED = {"time": 1.0, "event": "opened", "round": 1, "nodes": ["0xa"]}


def test_status__a_member_is_awaited__named_while_the_superlink_runs(dao: Dao, tmp_path: Path) -> None:
    dao.run("superlink", "init", "--home", tmp_path, "--rpc", "ws://127.0.0.1:9")
    (tmp_path / "status.jsonl").write_text(json.dumps(OPENED) + "\n")
    status = ("superlink", "status", "--home", tmp_path)
    with hold_lock(tmp_path / "lock", "home"):
        (awaited,) = dao.json(*status)["awaited"]
        assert awaited == {"node": "0xa", "awaited": "commit", "since": 1.0, "why": "not heard yet"}
        said = "awaits the commit of 0xa since 1970-01-01 00:00:01 UTC: not heard yet"
        assert said in dao.run(*status).stdout.splitlines()
    assert dao.json(*status)["awaited"] == []
