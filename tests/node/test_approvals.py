"""The owner's approvals: each app once, by its digest; what is new is shown as a difference."""

import json
from pathlib import Path

import pytest

from dao.app.bundle import bundle, compute_app_digest
from dao.core.types import Digest, TaskId
from dao.errors import ConfigError
from node.approvals import Approvals, NotApproved, describe_difference
from node.commands import AppToApprove, describe_app

TASK, APP = TaskId(3), Digest(b"a" * 32)


def test_require__nothing_approved_yet__says_what_the_owner_does(tmp_path: Path) -> None:
    with pytest.raises(NotApproved, match=r"^task 3: the app 0x61616161… waits .*: dao node approve 3$"):
        Approvals(tmp_path).require(TASK, APP)


def test_require__another_one_approved__says_that_it_changed(tmp_path: Path) -> None:
    approvals = Approvals(tmp_path)
    approvals.approve(TASK, APP)
    approvals.require(TASK, APP)
    approvals.require(TaskId(4), APP)  # once per app
    with pytest.raises(
        NotApproved, match=r"^task 3: the app changed; read it and approve: dao node approve 3$"
    ):
        approvals.require(TASK, Digest(b"b" * 32))
    with pytest.raises(NotApproved, match=r"^task 4: the app 0x62626262… waits for its owner's approval; "):
        approvals.require(TaskId(4), Digest(b"b" * 32))


def test_approve__twice__is_one_line(tmp_path: Path) -> None:
    for _ in range(2):
        Approvals(tmp_path).approve(TASK, APP)
    assert [approval.app for approval in Approvals(tmp_path).read()] == [APP]


def test_read__a_line_that_is_none__names_the_file(tmp_path: Path) -> None:
    (tmp_path / "approvals.jsonl").write_text(json.dumps({"app": "0xzz"}) + "\n")
    with pytest.raises(ConfigError, match=r"approvals.jsonl: a line is no approval"):
        Approvals(tmp_path).read()


def test_read_last__of_several__is_the_last_that_was_kept(tmp_path: Path) -> None:
    approvals, folder = Approvals(tmp_path), tmp_path / "app"
    assert approvals.read_last() is None
    folder.mkdir()
    (folder / "app.py").write_text("one = 1\n")
    content = bundle(folder)
    digest = compute_app_digest(content)
    approvals.approve(TASK, digest)
    approvals.keep(digest, content)
    approvals.approve(TASK, APP)  # by its digest alone
    assert approvals.read_last() == (digest, {"app.py": "one = 1\n"})


def test_describe_app__changed__shows_what_differs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("one = 1\ntwo = 3\n")
    (tmp_path / "new.py").write_text("three = 3\n")
    before = {"app.py": "one = 1\ntwo = 2\n", "old.py": "gone = 0\n"}
    shown = AppToApprove(APP, False, bundle(tmp_path), (Digest(b"b" * 32), before))
    first, *lines = describe_app(shown)
    assert first == f"app 0x{'61' * 32}, as it differs from 0x{'62' * 32}:"
    assert {line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")} == {
        "-two = 2",
        "+two = 3",
        "+three = 3",
        "-gone = 0",
    }
    assert "as none was approved before" in next(
        describe_app(AppToApprove(APP, False, bundle(tmp_path), None))
    )


def test_describe_difference__the_same__is_nothing() -> None:
    assert not list(describe_difference({"app.py": "x"}, {"app.py": "x"}))
