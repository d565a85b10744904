"""A rule to stop, given to `dao task card`: what the card has of it, and what is refused."""

import asyncio
from pathlib import Path

import pytest

from dao.core.constants import MAX_STOP_ROUNDS
from dao.core.formats.card import Stop, parse_card
from dao.core.formats.cid import Cid
from dao.store.disk import DiskStore
from tests.cli.command import Dao


@pytest.mark.parametrize(
    ("options", "stop"),
    [
        ((), None),
        (("--stop-rounds", 5), Stop(5, 0)),
        (("--stop-rounds", 5, "--stop-gain", 0), Stop(5, 0)),
        (("--stop-rounds", 1, "--stop-gain", "1e-6"), Stop(1, 1)),
        (("--stop-rounds", MAX_STOP_ROUNDS, "--stop-gain", "1234.5678"), Stop(MAX_STOP_ROUNDS, 1_234_567_800)),
    ],
)  # fmt: skip
def test_card__stop_options__are_in_it_to_the_millionth(
    tmp_path: Path, options: tuple[object, ...], stop: Stop | None
) -> None:
    made = Dao(tmp_path).json("task", "card", "--name", "Cells", "--content-folder", tmp_path, *options)
    path = asyncio.run(DiskStore(tmp_path).get(Cid.parse(made["card"]).digest))
    assert parse_card(path.read_bytes()).stop == stop


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--stop-gain", 0.1), "--stop-gain: expected --stop-rounds beside it"),
        (("--stop-rounds", 5, "--stop-gain", "inf"), "--stop-gain inf: expected less than 9.0072e+09"),
        (("--stop-rounds", 5, "--stop-gain", "1e-7"), "--stop-gain 1e-07: expected 0, or a millionth or more"),
        (("--card", "card.json", "--stop-rounds", 5), "--card: expected no other option of the card beside it"),
        (("--card", "card.json", "--stop-gain", 1), "--card: expected no other option of the card beside it"),
    ],
)  # fmt: skip
def test_card__stop_options_that_do_not_fit__are_named(
    tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    name = () if "--card" in options else ("--name", "Cells")
    assert Dao(tmp_path).refused("task", "card", *name, *options) == said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--stop-rounds", 0),
        ("--stop-rounds", MAX_STOP_ROUNDS + 1),
        ("--stop-gain", -1),
        ("--stop-gain", "nan"),
    ],
)
def test_card__stop_options_out_of_range__are_named(tmp_path: Path, option: str, value: object) -> None:
    rounds = () if option == "--stop-rounds" else ("--stop-rounds", 5)
    done = Dao(tmp_path).run("task", "card", "--name", "Cells", *rounds, option, value, code=2)
    assert f"'{option}'" in done.stderr
