"""Structs of the contracts, between Python records and the tuples that the ABI has for them."""

from dataclasses import astuple, fields
from typing import Any

from dao.core.types import Codec, Rules

_CODEC = [field.name for field in fields(Rules)].index("codec")


def rules_of(values: tuple[Any, ...]) -> Rules:
    """Return TaskRules as a record."""
    return Rules(*(*values[:_CODEC], Codec.numbered(values[_CODEC]), *values[_CODEC + 1 :]))


def rules_fields(rules: Rules) -> tuple[object, ...]:
    """Return rules as the ABI has TaskRules."""
    return tuple(value.number if isinstance(value, Codec) else value for value in astuple(rules))
