"""Amounts and times in words."""

from dao.core.formats.reasons import format_tokens
from dao.core.types import Wei

_TOKEN = 10**18


def amount(value: Wei) -> str:
    """Tokens, exactly: "1,000.5 tokens"."""
    return f"{decimal(value)} {'token' if value == _TOKEN else 'tokens'}"


def duration(seconds: int) -> str:
    """A time in the largest units that leave no rest: "2 days", "90 seconds"."""
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {name}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def decimal(value: int) -> str:
    """Units of 10^18 as a decimal number: "1,000.5"."""
    whole, point, rest = format_tokens(value).partition(".")
    return f"{int(whole):,}{point}{rest}"
