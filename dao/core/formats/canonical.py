"""Canonical JSON: the one way to write an object, and a reader that is safe on bytes from anyone."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import cast

import numpy as np

from dao.core.constants import MAX_INTEGER, MAX_JSON_DEPTH, MAX_JSON_VALUES
from dao.errors import DecodeError, TooLarge

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def write_canonical(obj: Mapping[str, object]) -> bytes:
    """Write an object: UTF-8, keys sorted by code point, no white space, no floats, no newline at the end.

    Raises DecodeError, naming the field, for a float, an integer beyond 2^53 - 1 or anything else not of JSON.
    """
    try:
        _check(obj, "", 0)
        return json.dumps(obj, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        bad = error.object[error.start]
        raise DecodeError(f"canonical JSON: expected text that UTF-8 can hold, got {bad!r}") from None


def read_json(data: bytes, what: str, cap: int) -> dict[str, object]:
    """Read an object of at most `cap` bytes, canonical or not, with no key twice.

    Raises TooLarge, or DecodeError naming `what`. An integer beyond 2^53 - 1, a float, NaN or infinity is left to
    whoever checks the fields: none of them is an int here.
    """
    if len(data) > cap:
        raise TooLarge(f"{what}: expected at most {cap} bytes, got {len(data)}")
    _check_shape(data, what)
    try:
        obj = json.loads(data.decode(), object_pairs_hook=_unique, parse_int=_integer)
    except DecodeError as error:
        raise DecodeError(f"{what}: {error}") from None
    except ValueError as error:
        raise DecodeError(f"{what}: expected JSON in UTF-8: {error}") from None
    if not isinstance(obj, dict):
        raise DecodeError(f"{what}: expected an object")
    return cast(dict[str, object], obj)


def read_canonical(data: bytes, what: str, cap: int) -> dict[str, object]:
    """Read an object as `read_json` does, and refuse whatever `canonical_json` would have written otherwise."""
    obj = read_json(data, what, cap)
    if write_canonical(obj) != data:
        raise DecodeError(f"{what}: expected canonical JSON (sorted keys, no white space, plain UTF-8)")
    return obj


def _check(value: object, path: str, depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise DecodeError(f"{path[:80]}: expected at most {MAX_JSON_DEPTH} objects and lists in one another")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise DecodeError(f"{path or 'object'}: expected text as key, got {key!r}")
            _check(inner, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(inner, f"{path}[{index}]", depth + 1)
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise DecodeError(f"{path}: expected an integer within 2^53 - 1; write larger ones as text")
    elif value is not None and not isinstance(value, str):
        raise DecodeError(f"{path}: expected text, integer, bool, null, list or object, got {value!r:.80}")


def _check_shape(data: bytes, what: str) -> None:
    """Refuse too many values and too deep a nesting before any parser sees them; text within strings counts nothing."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * MAX_JSON_VALUES:  # a value and its key
        raise DecodeError(f"{what}: expected at most {2 * MAX_JSON_VALUES} texts, got more")
    skeleton = b"".join(plain.split(b'"')[::2])
    if max(_count(skeleton, b",[{"), _count(skeleton, b"]}")) > MAX_JSON_VALUES:
        raise DecodeError(f"{what}: expected at most {MAX_JSON_VALUES} values, got more")
    brackets = np.frombuffer(skeleton.translate(None, _NOT_BRACKETS), np.uint8)
    opens = (brackets == ord("[")) | (brackets == ord("{"))
    if np.cumsum(np.where(opens, 1, -1), dtype=np.int32).max(initial=0) > MAX_JSON_DEPTH:
        raise DecodeError(
            f"{what}: expected at most {MAX_JSON_DEPTH} objects and lists in one another, got more"
        )


def _count(data: bytes, marks: bytes) -> int:
    return sum(map(data.count, marks))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    obj = dict(pairs)
    if len(obj) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise DecodeError(f"key {twice[:80]!r}: expected once, got it twice")
    return obj


def _integer(text: str) -> int | float:
    """Read an integer that JSON can carry between all languages; another one is no integer."""
    small = len(text) <= 17 and abs(int(text)) <= MAX_INTEGER
    return int(text) if small else float(text)
