"""A card in words: one line for each part, without what nobody sees, whatever strangers wrote into it."""

from pathlib import Path

import pytest

from dao.core.formats.card import Card, FrozenBase, Metric, Stop, write_card
from dao.core.formats.manifest import MeasuredMetric
from dao.core.types import Digest
from dao.gov.card_words import MOST_CHARACTERS, describe_card, describe_metric, describe_stop, read_card_words
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore

CID = cid_of_bytes(b"base")


def test_describe_card__texts_of_a_stranger__one_clean_line_each_and_cut() -> None:
    card = Card(
        "Cells",
        purpose="line\none\u202e\x1b[2J two",
        data="x" * 1000,
        metric=Metric("loss", higher_is_better=False),
        settings={"rate": 0.5, "deep": True},
        stop=Stop(5, 1000),
        base=FrozenBase(CID, "a hub\u200b"),
    )
    assert describe_card(card) == {
        "name": "Cells",
        "purpose": "line one[2J two",
        "data": "x" * MOST_CHARACTERS + "…",
        "metric": "loss, lower is better",
        "settings": "deep=True rate=0.5",
        "stop": "once the best of its last 5 rounds is not 0.001 better than that of the 5 before",
        "frozen_base": f"{CID} a hub",
    }
    assert describe_card(Card("Cells")) == {"name": "Cells"}


@pytest.mark.parametrize(
    ("stop", "bests", "words"),
    [
        (Stop(1, 0), None, "the best f1 of its last round is not as good as that of the one before"),
        (
            Stop(2, 1),
            (1_234_567_800, -500_000),
            "the best f1 of its last 2 rounds (1234.5678) is not 0.000001 better than that of the 2 before (-0.5)",
        ),
    ],
)
def test_describe_stop__one_round_or_figures__plural_and_all_digits(
    stop: Stop, bests: tuple[int, int] | None, words: str
) -> None:
    assert describe_stop(stop, "f1", bests) == words


def test_describe_metric__many_digits__all_of_them() -> None:
    assert describe_metric(MeasuredMetric("f\n1", 1_234_567_800)) == "f 1 1234.5678"


async def test_read_card_words__there_none_and_no_card__says_which(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    good, bad = await store.put_bytes(write_card(Card("Cells"))), await store.put_bytes(b"no card\x1b")
    assert await read_card_words(store, good.digest) == {"name": "Cells"}
    for digest in (bad.digest, Digest(bytes(32))):
        words = await read_card_words(store, digest)
        assert set(words) == {"name"}
        assert words["name"].startswith("not known: ")
