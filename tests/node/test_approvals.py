"""The owner's approvals: each app once, by its digest; what is new is shown as a difference."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dao.app.bundle import bundle, compute_app_digest
from dao.core.formats.card import Card, write_card
from dao.core.types import Digest, TaskId
from dao.errors import ConfigError
from node.approvals import AppApproval, Approvals, NotApproved, describe_difference, list_files
from node.commands import AppToApprove, describe_app

TASK, APP, CARD = TaskId(3), Digest(b"a" * 32), Digest(b"c" * 32)


def test_require__nothing_approved_yet__says_what_the_owner_does(tmp_path: Path) -> None:
    with pytest.raises(NotApproved, match=r"^task 3: the app 0x61616161… waits .*: dao node approve 3$"):
        Approvals(tmp_path).require(TASK, APP, CARD)


def test_require__another_one_approved__says_that_it_changed(tmp_path: Path) -> None:
    approvals = Approvals(tmp_path)
    approvals.approve(TASK, APP, CARD)
    approvals.require(TASK, APP, CARD)
    approvals.require(TaskId(4), APP, CARD)  # once per app and card
    with pytest.raises(
        NotApproved, match=r"^task 3: the app changed; read it and approve: dao node approve 3$"
    ):
        approvals.require(TASK, Digest(b"b" * 32), CARD)
    with pytest.raises(NotApproved, match=r"^task 4: the app 0x62626262… waits for its owner's approval; "):
        approvals.require(TaskId(4), Digest(b"b" * 32), CARD)


def test_require__the_app_with_another_card__says_that_this_changed(tmp_path: Path) -> None:
    approvals, other = Approvals(tmp_path), Digest(b"d" * 32)
    approvals.approve(TASK, APP, CARD)
    with pytest.raises(
        NotApproved, match=r"^task 3: the card changed; read it and approve: dao node approve 3$"
    ):
        approvals.require(TASK, APP, other)
    with pytest.raises(NotApproved, match=r"^task 4: the card 0x64646464… waits for its owner's approval; "):
        approvals.require(TaskId(4), APP, other)
    approvals.require(TASK, APP)  # where it sees public rows alone
    approvals.approve(TASK, APP, other)
    for card in (CARD, other):
        approvals.require(TASK, APP, card)


def test_approve__twice__is_one_line(tmp_path: Path) -> None:
    for _ in range(2):
        Approvals(tmp_path).approve(TASK, APP, CARD)
    assert [approval.app for approval in Approvals(tmp_path).read()] == [APP]


def test_read__a_line_that_is_none__names_the_file(tmp_path: Path) -> None:
    (tmp_path / "approvals.jsonl").write_text(json.dumps({"app": "0xzz", "card": "0x"}) + "\n")
    with pytest.raises(ConfigError, match=r"approvals.jsonl: a line is no approval"):
        Approvals(tmp_path).read()


def test_read_last__of_several__is_the_last_that_was_kept(tmp_path: Path) -> None:
    approvals, folder = Approvals(tmp_path), tmp_path / "app"
    assert approvals.read_last() is None
    folder.mkdir()
    (folder / "app.py").write_text("one = 1\n")
    content = bundle(folder)
    digest = compute_app_digest(content)
    approvals.approve(TASK, digest, CARD)
    approvals.keep(digest, content)
    approvals.keep(CARD, write_card(Card("Means", settings={"rate": 0.5})))
    approvals.approve(TASK, APP, CARD)  # by its digest alone
    last = approvals.read_last()
    assert last is not None
    assert (last[0].app, last[0].card, last[1]["app.py"]) == (digest, CARD, "one = 1\n")
    assert '"name": "Means"' in last[1]["task:card"]


def shown_of(folder: Path, card: Card, before: tuple[AppApproval, dict[str, str]] | None) -> AppToApprove:
    return AppToApprove(APP, CARD, False, bundle(folder), write_card(card), before)


def test_describe_app__changed__shows_what_differs_in_code_and_card(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("one = 1\ntwo = 3\n")
    (tmp_path / "new.py").write_text("three = 3\n")
    card = Card("Means", "Finds means", settings={"rate": 0.5})
    before = {"app.py": "one = 1\ntwo = 2\n", "old.py": "gone = 0\n"}
    before["task:card"] = list_files(bundle(tmp_path), write_card(replace(card, settings={"rate": 0.25})))[
        "task:card"
    ]
    last = AppApproval(Digest(b"b" * 32), Digest(b"d" * 32), TASK, 0)
    first, than, *lines = describe_app(shown_of(tmp_path, card, (last, before)))
    assert first == f"app 0x{'61' * 32}, card 0x{'63' * 32}:"
    assert than.startswith(f"as they differ from app 0x{'62' * 32}, card 0x{'64' * 32}, ")
    assert {
        " ".join(line.split()) for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")
    } == {
        "-two = 2",
        "+two = 3",
        "+three = 3",
        "-gone = 0",
        '- "decimal": "0.25"',
        '+ "decimal": "0.5"',
    }
    everything = "\n".join(describe_app(shown_of(tmp_path, card, None)))
    assert "as none was approved before" in everything
    assert '"purpose": "Finds means"' in everything


def test_describe_difference__the_same__is_nothing() -> None:
    assert not list(describe_difference({"app.py": "x"}, {"app.py": "x"}))


@pytest.mark.parametrize("hidden", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_describe_difference__a_comment_that_becomes_code__is_shown(hidden: str) -> None:
    """What ends a line for a reader of texts ends none for Python: code hid behind it, and the difference was empty."""
    before, now = f"x = 1  # see{hidden}steal()\n", "x = 1  # see\nsteal()\n"
    assert "+steal()" in list(describe_difference({"app.py": now}, {"app.py": before}))
