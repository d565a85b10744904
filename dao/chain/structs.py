"""Structs of the contracts, between Python records and the tuples that the ABI has for them."""

from dataclasses import astuple
from typing import Any

from dao.core.types import Codec, Rules


def rules_of(fields: tuple[Any, ...]) -> Rules:
    """Return TaskRules as a record."""
    values = [*fields[:10], Codec.numbered(fields[10]), *fields[11:]]
    return Rules(*values)


def rules_fields(rules: Rules) -> tuple[object, ...]:
    """Return rules as the ABI has TaskRules."""
    return tuple(value.number if isinstance(value, Codec) else value for value in astuple(rules))
