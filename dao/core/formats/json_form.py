"""Frozen dataclasses as JSON objects, by the types of their fields; a reader names the field that is wrong."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from dao.core.constants import MAX_INTEGER, MAX_TEXT
from dao.core.formats.app_settings import Setting, read_settings, write_settings
from dao.core.formats.cid import Cid
from dao.core.types import Address, Digest, MicroScore, RoundId, Signature, TaskId, Wei, bytes_of, hex_of
from dao.errors import DecodeError

Count = Annotated[int, "0 to 2^53 - 1"]
Decimal = Annotated[int, "0 to 2^256 - 1, written as text"]
Settings = Annotated[Mapping[str, Setting], "as dao.core.formats.app_settings has them"]
SignedDecimal = Annotated[int, "-2^255 to 2^255 - 1, written as text"]


@dataclass(frozen=True, slots=True)
class Form:
    """How a type stands in JSON: `read(value, path)` raises DecodeError with the path, `write(value)` trusts."""

    read: Callable[[object, str], Any]
    write: Callable[[Any], Any]


@cache
def get_form(kind: Any) -> Form:
    """Return the form of a field's type: one of this module's, an enum, a tuple, an optional or a dataclass."""
    if kind in _FORMS:
        return _FORMS[kind]
    if get_origin(kind) is tuple:
        return _list_form(get_form(get_args(kind)[0]))
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (arg for arg in get_args(kind) if arg is not NoneType)
        return _optional_form(get_form(inner))
    if is_dataclass(kind):
        return _object_form(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_form(kind)
    raise TypeError(f"{kind}: expected a type that has a form in JSON; add it here")


def _wrong(path: str, expected: str, value: object) -> DecodeError:
    return DecodeError(f"{path}: expected {expected}, got {repr(value)[:80]}")


def _object_form(kind: Any) -> Form:
    forms = {name: get_form(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}

    def read(value: object, path: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        if missing := sorted(forms.keys() - value.keys()):
            raise DecodeError(f"{path}.{missing[0]}: expected this key, it is missing")
        if unknown := sorted(value.keys() - forms.keys()):
            raise DecodeError(f"{path}.{unknown[0][:80]}: expected no such key")
        return kind(**{name: form.read(value[name], f"{path}.{name}") for name, form in forms.items()})

    return Form(
        read, lambda record: {name: form.write(getattr(record, name)) for name, form in forms.items()}
    )


def _list_form(inner: Form) -> Form:
    def read(value: object, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return tuple(inner.read(item, f"{path}[{index}]") for index, item in enumerate(value))

    return Form(read, lambda items: [inner.write(item) for item in items])


def _optional_form(inner: Form) -> Form:
    return Form(
        lambda value, path: None if value is None else inner.read(value, path),
        lambda value: None if value is None else inner.write(value),
    )


def _enum_form(kind: type[StrEnum]) -> Form:
    members = {member.value: member for member in kind}

    def read(value: object, path: str) -> StrEnum:
        if not isinstance(value, str) or value not in members:
            raise _wrong(path, "one of " + " ".join(members), value)
        return members[value]

    return Form(read, str)


def _number(low: int) -> Form:
    def read(value: object, path: str) -> int:
        # bool is an int to Python; a number that is too long, or not an integer, is not one here (canonical.py)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= MAX_INTEGER:
            raise _wrong(path, f"an integer from {'-2^53 + 1' if low else '0'} to 2^53 - 1", value)
        return value

    return Form(read, int)


def _text(pattern: str, expected: str) -> Callable[[object, str], str]:
    compiled = re.compile(pattern, re.DOTALL)

    def read(value: object, path: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise _wrong(path, expected, value)
        return value

    return read


def _decimal(low: int, high: int, expected: str) -> Form:
    text = _text("0|-?[1-9][0-9]{0,77}" if low else "0|[1-9][0-9]{0,77}", "a decimal number as text")

    def read(value: object, path: str) -> int:
        number = int(text(value, path))
        if not low <= number < high:
            raise _wrong(path, expected, value)
        return number

    return Form(read, str)


def _bytes(length: int) -> Form:
    text = _text(".*", f"0x and {2 * length} hex digits")
    return Form(lambda value, path: bytes_of(text(value, path), length, path), hex_of)


def _bool() -> Form:
    def read(value: object, path: str) -> bool:
        if not isinstance(value, bool):
            raise _wrong(path, "true or false", value)
        return value

    return Form(read, bool)


def _read_cid(value: object, path: str) -> Cid:
    if isinstance(value, str):
        with suppress(DecodeError):
            return Cid.parse(value)
    raise _wrong(path, "a CIDv1 in base32", value)


_UNSIGNED = _decimal(0, 1 << 256, "less than 2^256")
_FORMS: dict[Any, Form] = {
    int: _number(-MAX_INTEGER),
    MicroScore: _number(-MAX_INTEGER),
    Count: _number(0),
    TaskId: _number(0),
    RoundId: _number(0),
    Decimal: _UNSIGNED,
    SignedDecimal: _decimal(-(1 << 255), 1 << 255, "within int256"),
    Wei: _UNSIGNED,
    bool: _bool(),
    str: Form(_text(f".{{0,{MAX_TEXT}}}", f"text of at most {MAX_TEXT} characters"), str),
    Cid: Form(_read_cid, str),
    Settings: Form(read_settings, write_settings),
    Digest: _bytes(32),
    Address: _bytes(20),
    Signature: _bytes(65),
}
