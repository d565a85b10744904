"""Amounts, times and the values of rules in words."""

from collections.abc import Callable, Mapping
from typing import Any

from dao.chain.task_rules import Unit
from dao.core.formats.reasons import format_tokens
from dao.core.types import Wei, hex_of

MEGABIT = 125_000  # bytes
_TOKEN = 10**18


def format_amount(value: Wei) -> str:
    """Write tokens exactly: "1,000.5 tokens"."""
    return f"{format_decimal(value)} {'token' if value == _TOKEN else 'tokens'}"


def format_duration(seconds: int) -> str:
    """Write a time in the largest unit that leaves no rest: "2 days", "90 seconds"."""
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {name}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def format_decimal(value: int) -> str:
    """Write units of 10^18 as a decimal number: "1,000.5"."""
    whole, point, rest = format_tokens(value).partition(".")
    return f"{int(whole):,}{point}{rest}"


_FORMATS: Mapping[Unit, Callable[[Any], str]] = {
    Unit.SECONDS: format_duration,
    Unit.TOKENS: format_amount,
    Unit.ADDRESS: hex_of,
    Unit.DIGEST: hex_of,
    Unit.PERCENT: lambda share: f"{share} percent",
    Unit.YES_OR_NO: lambda yes: "yes" if yes else "no",
}


def format_value(value: object, unit: Unit) -> str:
    """Write the value of a rule with its unit, where it has one."""
    return _FORMATS.get(unit, str)(value)
