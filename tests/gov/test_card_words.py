"""A card in words: one line for each part, without what nobody sees, whatever strangers wrote into it."""

from pathlib import Path

from dao.core.formats.card import Card, FrozenBase, Metric, Stop, write_card
from dao.core.types import Digest
from dao.gov.card_words import MOST_CHARACTERS, describe_card, read_card_words
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
        "stop": "once the best of 5 rounds is not 0.001 better than that of the 5 before",
        "frozen_base": f"{CID} a hub",
    }
    assert describe_card(Card("Cells")) == {"name": "Cells"}


async def test_read_card_words__there_none_and_no_card__says_which(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    good, bad = await store.put_bytes(write_card(Card("Cells"))), await store.put_bytes(b"no card\x1b")
    assert await read_card_words(store, good.digest) == {"name": "Cells"}
    for digest in (bad.digest, Digest(bytes(32))):
        words = await read_card_words(store, digest)
        assert set(words) == {"name"}
        assert words["name"].startswith("not known: ")
