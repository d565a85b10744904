"""Writes and reads actions as JSON: a kind, and fields by their names."""

import re
from typing import Any

from dao.core.formats.address import address_of
from dao.core.formats.json_form import get_form
from dao.core.types import hex_of
from dao.errors import DecodeError
from dao.gov.actions import KINDS, Action, Known, Unknown

_ADDRESS = 42  # characters
KIND_NAMES = {re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__).lower(): kind for kind in KINDS}


def get_kind(action: Action) -> str:
    """Return the name of an action's kind: "create_task", "grant", …, "unknown"."""
    return next((name for name, kind in KIND_NAMES.items() if isinstance(action, kind)), "unknown")


def write_fields(action: Action) -> dict[str, object]:
    """Write the fields: wei as decimal text, digests and addresses as 0x and hex digits, rules as an object."""
    if isinstance(action, Unknown):
        return {
            "target": hex_of(action.target),
            "value": str(action.value),
            "calldata": hex_of(action.calldata),
        }
    kind: Any = type(action)
    written: dict[str, object] = get_form(kind).write(action)
    return written


def read_action(kind: str, fields: object) -> Known:
    """Read what `write_fields` writes, hex digits in any case, addresses as people write them; DecodeError names what is wrong."""
    if kind not in KIND_NAMES:
        raise DecodeError(f"action {kind[:80]!r}: expected one of {' '.join(KIND_NAMES)}")
    action_type: Any = KIND_NAMES[kind]
    action: Known = get_form(action_type).read(_lowered(fields, kind), kind)
    return action


def _lowered(value: object, path: str) -> object:
    if isinstance(value, dict):
        return {name: _lowered(inner, f"{path}.{name}") for name, inner in value.items()}
    if not isinstance(value, str) or not value.startswith(("0x", "0X")):
        return value
    return hex_of(address_of(value, path)) if len(value) == _ADDRESS else value.lower()
