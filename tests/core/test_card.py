"""A task's card: read as it was written, and refused with the name of what is wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import MAX_CARD, MAX_EVALUATORS, MAX_NAME, MAX_SETTINGS, MAX_STOP_ROUNDS, MAX_TEXT
from dao.core.formats.canonical import read_canonical, write_canonical
from dao.core.formats.card import (
    Card,
    FrozenBase,
    Metric,
    Stop,
    parse_card,
    parse_setting,
    read_draft,
    write_card,
)
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Address, Digest
from dao.errors import DaoError, DecodeError

CARD = Card(
    name="Digits",
    purpose="Reads digits",
    data="Images",
    metric=Metric("accuracy", higher_is_better=True),
    settings={"rate": 0.01, "epochs": 3, "augment": True, "mode": "fast"},
    stop=Stop(5, 1000),
    base=FrozenBase(Cid(ContentCodec.DAG_PB, Digest(b"\x07" * 32)), "a language model"),
    evaluators=(Address(b"\x01" * 20), Address(b"\x02" * 20)),
)
SETTINGS = st.dictionaries(
    st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.-]{0,9}\Z"),
    st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=5,
)


@given(SETTINGS)
def test_card__any_settings__read_as_written(settings: dict[str, str | int | float | bool]) -> None:
    content = write_card(replace(CARD, settings=settings))
    seen = parse_card(content)
    assert {name: (type(value), repr(value)) for name, value in seen.settings.items()} == {
        name: (type(value), repr(value)) for name, value in settings.items()
    }
    assert write_card(seen) == content


def test_card__its_bytes__canonical_json() -> None:
    assert write_card(Card("Digits", settings={"rate": 0.01})) == (
        b'{"base":null,"data":"","evaluators":[],"format":"card/1","metric":null,"name":"Digits","purpose":"",'
        b'"settings":{"rate":{"decimal":"0.01"}},"stop":null}'
    )
    with pytest.raises(DecodeError, match="canonical JSON"):
        parse_card(write_card(CARD) + b" ")


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("format", "card/2", r"card.format: expected 'card/1'"),
        ("name", "", "card.name"),
        ("name", "x" * (MAX_NAME + 1), "card.name"),
        ("name", "two\nlines", "card.name"),
        ("purpose", "x" * (MAX_TEXT + 1), "card.purpose"),
        ("data", 7, "card.data"),
        ("metric", {"name": "", "higher_is_better": True}, "card.metric.name"),
        ("metric", {"name": "loss"}, "card.metric.higher_is_better"),
        ("stop", {"rounds": 0, "gain_micro": 0}, "card.stop.rounds"),
        ("stop", {"rounds": MAX_STOP_ROUNDS + 1, "gain_micro": 0}, "card.stop.rounds"),
        ("stop", {"rounds": 1, "gain_micro": -1}, "card.stop.gain_micro"),
        ("base", {"cid": "nothing", "note": ""}, "card.base.cid"),
        ("evaluators", ["0x" + "02" * 20, "0x" + "01" * 20], "card.evaluators"),
        ("evaluators", ["0x" + "01" * 20] * 2, "card.evaluators"),
        ("evaluators", [f"0x{i:040x}" for i in range(MAX_EVALUATORS + 1)], "card.evaluators"),
        ("settings", [], "card.settings"),
        ("settings", {f"a{i}": i for i in range(MAX_SETTINGS + 1)}, "card.settings"),
        ("settings", {"1st": 1}, "card.settings.1st"),
        ("settings", {"rate": {"decimal": "0.010"}}, "card.settings.rate.decimal"),
        ("settings", {"rate": {"decimal": "nan"}}, "card.settings.rate.decimal"),
        ("settings", {"rate": {"decimal": "1e999"}}, "card.settings.rate.decimal"),
        ("settings", {"rate": {"decimal": 1}}, "card.settings.rate.decimal"),
        ("settings", {"rate": {"other": "1"}}, "card.settings.rate"),
        ("settings", {"list": [1]}, "card.settings.list"),
        ("settings", {"text": "x" * (MAX_TEXT + 1)}, "card.settings.text"),
        ("more", 1, "card.more"),
    ],
)
def test_card__broken__named(field: str, value: object, named: str) -> None:
    obj = {**read_canonical(write_card(CARD), "card", MAX_CARD), field: value}
    with pytest.raises(DecodeError, match=named):
        parse_card(write_canonical(obj))


def test_card__too_large__refused_unread() -> None:
    with pytest.raises(DaoError, match=f"card: expected at most {MAX_CARD} bytes"):
        parse_card(b"{" * (MAX_CARD + 1))


def test_draft__numbers_as_people_write_them_and_parts_left_out__a_card() -> None:
    text = b'{"name": "Digits", "settings": {"rate": 1e-2, "epochs": 3}}\n'
    assert read_draft(text) == Card("Digits", settings={"rate": 0.01, "epochs": 3})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=true", True),
        ("a=3", 3),
        ("a=0.50", 0.5),
        ("a=1e-3", 0.001),
        ("a=fast", "fast"),
        ("a=", ""),
        ("a=x=y", "x=y"),
    ],
)
def test_setting__text_of_an_option__its_value(text: str, value: object) -> None:
    name, seen = parse_setting(text)
    assert (name, type(seen), seen) == ("a", type(value), value)


@pytest.mark.parametrize("text", ["a", "=1", "a=inf", "a=99999999999999999999", "1=2"])
def test_setting__no_setting__refused(text: str) -> None:
    with pytest.raises(DecodeError, match="setting"):
        parse_setting(text)
