"""What people get wrong before a chain is even asked: one line that says what, and never a traceback."""

import errno
import os
import sys
from pathlib import Path

import pytest

from dao.cli.action_options import read_folder
from dao.cli.new import Template, make_app
from tests.cli.command import Dao

OPERATOR = ("--superlink-operator", "0x" + "11" * 20)


@pytest.mark.parametrize("words", [("simulate", "--json"), ("simulate", "--plot"), ("demo", "--json")])
def test_results__a_folder_that_is_not_there__refused_before_the_work(
    dao: Dao, tmp_path: Path, words: tuple[str, str]
) -> None:
    for path in (tmp_path / "none" / "out", tmp_path):
        assert "expected a file in a folder that exists" in dao.refused(*words, path)


def test_simulate__a_word_too_many__no_command_is_offered(dao: Dao) -> None:
    said = dao.run("simulate", "x", code=2).stderr
    assert "COMMAND" not in said
    assert "COMMAND" not in dao.run("simulate", "--help").stdout


def test_challenge__two_ways_at_once__refused(dao: Dao) -> None:
    said = dao.refused("challenge", 1, 1, "--gradients", "--reason", "a wrong sum", "--dev-account", 0)
    assert "--demand, --gradients and --reason: expected one of them" in said


def test_model_get__an_interpreter_without_onnx__refused(dao: Dao, tmp_path: Path) -> None:
    said = dao.refused("model", "get", 1, "--out", tmp_path / "model", "--app-python", "python3")
    assert said == "--app-python python3: runs the app for --onnx alone; name both, or neither"


def test_superlink__content_settings_that_are_a_nodes__refused(dao: Dao, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[content]\nkeep_bytes = 1048576\n")
    assert "content.keep_bytes: there is no such setting" in dao.refused(
        "superlink", "status", "--home", tmp_path
    )


@pytest.mark.parametrize("listen", ["8600", ":8600", "host:99999", "http://host:8600"])
def test_superlink__listens_at_no_address__refused_before_its_settings_are_used(
    dao: Dao, tmp_path: Path, listen: str
) -> None:
    said = dao.refused("superlink", "start", "--home", tmp_path, "--listen", listen)
    assert said.endswith(f"listen: expected host:port, such as 0.0.0.0:8600, got '{listen}'")


def test_command__its_disk_is_full__one_line(
    dao: Dao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write)
    said = dao.refused("node", "init", "--home", tmp_path)
    assert said == "No space left on device; make room on the disk"


def test_home__is_a_file__one_line(dao: Dao, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (("node", "init"), ("superlink", "init"), ("devnet", "up")):
        assert str(tmp_path / "file") in dao.refused(*words, "--home", tmp_path / "file")


def test_init__wrong_settings__nothing_is_made_and_it_can_be_repeated(dao: Dao, tmp_path: Path) -> None:
    for role in ("node", "superlink"):
        home = tmp_path / role
        assert "chain.rpc" in dao.refused(role, "init", "--home", home, "--rpc", "ftp://x")
        assert "not a deployment" in dao.refused(
            role, "init", "--home", home, "--deployment", tmp_path / "no"
        )
        assert not list(home.iterdir())


def test_register__home_made_without_the_networks_file__says_where_to_put_it(
    dao: Dao, tmp_path: Path
) -> None:
    dao.run("superlink", "init", "--home", tmp_path)
    said = dao.refused("superlink", "register", "--home", tmp_path, "--stake", 1, "--dev-account", 1)
    assert said.endswith("deployment.json: not a deployment, it is not there; put the network's file there")


def test_init__there_is_a_key__kept(dao: Dao, tmp_path: Path) -> None:
    dao.run("node", "init", "--home", tmp_path)
    key = (tmp_path / "operator.json").read_text()
    assert "has an operator's key already" in dao.refused("node", "init", "--home", tmp_path)
    assert (tmp_path / "operator.json").read_text() == key


def test_join__data_or_address_that_is_none__refused_before_the_chain_is_asked(
    dao: Dao, tmp_path: Path
) -> None:
    join = ("node", "join", 1, "--home", tmp_path, "--owner-keystore", tmp_path / "none.json")
    assert "--data" in dao.refused(*join, "--data", tmp_path / "none", "--superlink", "localhost:8600")
    assert "expected host:port" in dao.refused(*join, "--data", tmp_path, "--superlink", "nonsense")


def test_join__privacy_that_lacks_something_or_lasts_for_nothing__refused_before_the_chain_is_asked(
    dao: Dao, tmp_path: Path
) -> None:
    owner = ("--owner-keystore", tmp_path / "none.json")
    place = ("--data", tmp_path, "--superlink", "localhost:8600", "--home", tmp_path)
    join = ("node", "join", 1, *owner, *place)
    assert "--noise: expected, too" in dao.refused(*join, "--clip", 1)
    private = (*join, "--clip", 1, "--epsilon-budget", 1)
    assert "privacy: noise: " in dao.refused(*private, "--noise", -1)
    said = dao.refused(*private, "--noise", 0.5)
    assert "privacy: one update has epsilon 26.4 at delta 1e-06" in said
    assert "nothing was sent; raise --noise or --epsilon-budget" in said


def test_task_propose__a_folder_without_an_app__refused_and_a_flower_app_is_one(
    dao: Dao, tmp_path: Path
) -> None:
    said = dao.refused("task", "propose", tmp_path, *OPERATOR)
    assert said.endswith("with an app.py, or a Flower app's pyproject.toml; see dao new")
    make_app(Template.FLOWER, tmp_path / "cells", "cells")
    said = dao.refused("task", "propose", tmp_path / "cells", *OPERATOR)
    assert said.startswith(f"{tmp_path / 'cells' / 'data' / 'shards'}: expected the folder of shards")


def test_task_propose__a_title_that_no_proposal_has__refused_before_anything_is_opened(
    dao: Dao, tmp_path: Path
) -> None:
    (tmp_path / "app.py").touch()
    propose = ("task", "propose", tmp_path, "--shards", tmp_path, *OPERATOR, "--name", "Cells", "--title")
    assert dao.refused(*propose, "one\ntwo") == "--title: expected one line"
    assert dao.refused(*propose, "é" * 201).startswith(
        "--title: expected at most 400 bytes of UTF-8, got 402"
    )


def test_append_shards__a_folder_below_home__found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "shards").mkdir()
    assert read_folder("1=~/shards") == (1, tmp_path / "shards")


def test_card__options_beside_its_file_or_a_base_that_is_no_cid__the_option_is_named(
    dao: Dao, tmp_path: Path
) -> None:
    (tmp_path / "card.json").write_text('{"name": "Cells"}')
    said = dao.refused("task", "card", "--card", tmp_path / "card.json", "--lower-is-better")
    assert said == "--card: expected no other option of the card beside it"
    said = dao.refused("task", "card", "--name", "Cells", "--frozen-base", "mine")
    assert said.startswith("--frozen-base: CID 'mine': expected a CIDv1")


def test_metrics__tensorboard_without_its_package__told_before_the_chain_is_asked(
    dao: Dao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert "pip install tensorboardX" in dao.refused("task", "metrics", 1, "--tensorboard", tmp_path / "runs")
