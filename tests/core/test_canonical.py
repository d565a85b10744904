"""Canonical JSON: one way to write an object, and a reader that takes no other and no bomb."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import MAX_INTEGER, MAX_JSON_VALUES
from dao.core.formats.canonical import read_canonical, read_json, write_canonical
from dao.errors import DecodeError, TooLarge

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(texts, values, max_size=5)


@given(objects)
def test_canonical_json__any_object__reads_back(obj: dict[str, object]) -> None:
    data = write_canonical(obj)
    assert read_canonical(data, "it", len(data)) == read_json(data, "it", len(data)) == obj


@given(objects)
def test_canonical_json__keys_in_another_order__same_bytes(obj: dict[str, object]) -> None:
    assert write_canonical(dict(reversed(obj.items()))) == write_canonical(obj)


def test_canonical_json__keys_and_text__sorted_by_code_point_and_plain() -> None:
    obj = {"b": [1, None, True], "a": 'ü"\n', "é": {}, "Z": -1, "\U0001f600": "/", "\uffff": 0}
    expected = '{"Z":-1,"a":"ü\\"\\n","b":[1,null,true],"é":{},"\uffff":0,"\U0001f600":"/"}'
    assert write_canonical(obj) == expected.encode()


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"a": [1, {"b": 0.5}]}, r"a\[1\]\.b: expected text, .*got 0\.5"),
        ({"a": float("nan")}, "a: expected .*got nan"),
        ({"a": 2**53}, "a: expected an integer within 2"),
        ({"a": b"x"}, "a: expected text"),
        ({"a": {1: 2}}, "a: expected text as key, got 1"),
        ({"a": "\ud800"}, "expected text that UTF-8 can hold"),
    ],
)
def test_canonical_json__what_is_not_of_it__refused_by_name(obj: dict[str, object], message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        write_canonical(obj)


def test_canonical_json__object_within_itself__refused() -> None:
    obj: dict[str, object] = {}
    obj["a"] = obj
    with pytest.raises(DecodeError, match="in one another"):
        write_canonical(obj)


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'{"a":"\\u00fc"}',
        b'{"a":"\\/"}',
        b'{"a":-0}',
    ],
)
def test_read_canonical__another_way_to_write_it__refused(data: bytes) -> None:
    assert read_json(data, "bundle", 100)
    with pytest.raises(DecodeError, match="bundle: expected canonical JSON"):
        read_canonical(data, "bundle", 100)


def test_read_canonical__integer_beyond_the_largest__refused_by_name() -> None:
    assert read_canonical(b'{"a":-9007199254740991}', "bundle", 100) == {"a": -MAX_INTEGER}
    with pytest.raises(DecodeError, match="a: expected text, integer"):
        read_canonical(b'{"a":-9007199254740992}', "bundle", 100)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected JSON in UTF-8"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b'{"a":1', "expected JSON"),
        (b'{"a":1}{}', "expected JSON"),
        (b'{"a":"\xff"}', "expected JSON in UTF-8"),
        (b"\xef\xbb\xbf{}", "expected JSON"),
        (b'{"a":{"x":1,"x":1}}', "bundle: key 'x': expected once"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "at most 64 objects and lists in one another"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "in one another"),
        (b'{"\\\\":"\\"","a":' + b'{"a":' * 64, "in one another"),
    ],
)
def test_read_json__what_is_no_object__refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_json(data, "bundle", 10**6)


def test_read_json__nested_to_the_limit__read() -> None:
    data = b'{"]":' + b"[" * 63 + b"]" * 63 + b"}"
    assert read_canonical(data, "it", 1000).keys() == {"]"}


def test_read_json__numbers_that_are_no_integers__are_no_int() -> None:
    data = b'{"float":1.0,"exponent":1e2,"nan":NaN,"infinite":1e999,"huge":' + b"9" * 100_000 + b"}"
    assert not any(isinstance(value, int) for value in read_json(data, "it", 10**6).values())


def test_read_json__one_byte_more_than_the_cap__too_large() -> None:
    assert read_json(b"{}", "it", 2) == {}
    with pytest.raises(TooLarge, match="it: expected at most 1 bytes, got 2"):
        read_json(b"{}", "it", 1)


def test_read_json__punctuation_within_text__does_not_count() -> None:
    text = '[{,\\"\\\\' * (MAX_JSON_VALUES // 2)
    data = json.dumps({"a": text}).encode()
    assert read_json(data, "it", len(data)) == {"a": text}


SIZE = 2**24


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"a":' + b"[" * SIZE,
        b'{"a":[' + b"{}," * (SIZE // 3) + b"{}]}",
        b'{"a":' + b"]" * SIZE,
        b'{"a":[' + b'"",' * (SIZE // 3) + b'""]}',
        b'"' + b"\\," * (SIZE // 2),
        b"{" + b'"a":1,' * (MAX_JSON_VALUES // 4) + b'"a":1}',
    ],
    ids=["nesting", "objects", "ends", "texts", "escapes", "one key"],
)
def test_read_json__bomb__refused_within_a_second(bomb: bytes) -> None:
    start = time.process_time()
    with pytest.raises(DecodeError):
        read_json(bomb, "it", 2 * SIZE)
    assert time.process_time() - start < 1
