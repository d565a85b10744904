"""Settings of an app in JSON: a flat object of text, whole numbers, fractions and yes or no, by name."""

import re
from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType

from dao.core.constants import MAX_INTEGER, MAX_SETTINGS, MAX_TEXT
from dao.errors import DecodeError

Setting = str | int | float | bool
NO_SETTINGS: Mapping[str, Setting] = MappingProxyType({})
_NAME = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_FRACTION = "decimal"  # the key of a fraction, which canonical JSON has no number for


def read_settings(value: object, path: str) -> dict[str, Setting]:
    """Read settings as they stand in JSON; DecodeError names the one that is wrong."""
    if not isinstance(value, dict) or len(value) > MAX_SETTINGS:
        raise DecodeError(f"{path}: expected an object of at most {MAX_SETTINGS} settings")
    return {name: _read(name, inner, f"{path}.{name[:80]}") for name, inner in value.items()}


def write_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Write settings for JSON: a fraction is `{"decimal": text}`, in the fewest digits that a float64 needs."""
    return {
        name: {_FRACTION: repr(value)} if isinstance(value, float) else value
        for name, value in settings.items()
    }


def _read(name: str, value: object, path: str) -> Setting:
    if not _NAME.fullmatch(name):
        raise DecodeError(f"{path}: expected a name of at most 64 letters, digits and _.-, a letter first")
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return value
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return value
    if isinstance(value, dict) and value.keys() == {_FRACTION}:
        return _read_fraction(value[_FRACTION], path)
    raise DecodeError(
        f"{path}: expected true, false, an integer within 2^53 - 1, text of at most {MAX_TEXT} characters, "
        f'or {{"{_FRACTION}": "0.5"}}, got {repr(value)[:80]}'
    )


def _read_fraction(text: object, path: str) -> float:
    try:
        number = float(text) if isinstance(text, str) and len(text) <= 32 else None
    except ValueError:
        number = None
    if number is None or not isfinite(number) or repr(number) != text:
        raise DecodeError(
            f'{path}.{_FRACTION}: expected a float64 in its fewest digits, such as "0.5" or "1e-05", got {repr(text)[:80]}'
        )
    return number
