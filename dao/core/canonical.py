"""Canonical JSON: the one way to write an object, and a reader that is safe on bytes from anyone."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import cast

from dao.core.errors import DecodeError, TooLarge

MAX_INTEGER = 2**53 - 1  # a larger integer is a decimal string
MAX_VALUES = 2**21  # of one object, whatever its size in bytes: bounds the memory that reading takes


def canonical_json(obj: Mapping[str, object]) -> bytes:
    """Write an object: UTF-8, keys sorted by code point, no white space, no floats, no newline at the end.

    Raises DecodeError, naming the field, for a float, an integer beyond 2^53 - 1 or anything else not of JSON.
    """
    try:
        _check(obj, "")
        return json.dumps(obj, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        raise DecodeError("canonical JSON: expected less nesting") from None
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
    if _is_crowded(data):
        raise DecodeError(f"{what}: expected at most {MAX_VALUES} values, got more")
    try:
        obj = json.loads(data.decode(), object_pairs_hook=_unique, parse_int=_integer)
    except DecodeError as error:
        raise DecodeError(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{what}: expected JSON in UTF-8: {error}") from None
    if not isinstance(obj, dict):
        raise DecodeError(f"{what}: expected an object")
    return cast(dict[str, object], obj)


def read_canonical(data: bytes, what: str, cap: int) -> dict[str, object]:
    """Read an object as `read_json` does, and refuse whatever `canonical_json` would have written otherwise."""
    obj = read_json(data, what, cap)
    if canonical_json(obj) != data:
        raise DecodeError(f"{what}: expected canonical JSON (sorted keys, no white space, plain UTF-8)")
    return obj


def _check(value: object, path: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise DecodeError(f"{path or 'object'}: expected text as key, got {key!r}")
            _check(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(inner, f"{path}[{index}]")
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise DecodeError(f"{path}: expected an integer within 2^53 - 1; write larger ones as text")
    elif value is not None and not isinstance(value, str):
        raise DecodeError(f"{path}: expected text, integer, bool, null, list or object, got {value!r:.80}")


def _is_crowded(data: bytes) -> bool:
    """Whether there are more than MAX_VALUES strings, or other values; what stands inside strings is not counted."""
    if _count(data) <= MAX_VALUES:
        return False
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return plain.count(b'"') > 2 * MAX_VALUES or _count(b"".join(plain.split(b'"')[::2])) > MAX_VALUES


def _count(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


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
