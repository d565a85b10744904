"""Integers of a fixed number of bytes, big-endian, as all leaves have them."""

from dao.errors import RuleError


def unsigned(value: int, size: int, what: str) -> bytes:
    """Write an integer of 0 or more in `size` bytes; RuleError names `what` does not fit."""
    if not 0 <= value < 1 << 8 * size:
        raise RuleError(f"{what}: expected 0 to 2^{8 * size} - 1, got {value}")
    return value.to_bytes(size, "big")


def signed(value: int, size: int, what: str) -> bytes:
    """Write an integer as two's complement in `size` bytes; RuleError names `what` does not fit."""
    most = 1 << 8 * size - 1
    if not -most <= value < most:
        raise RuleError(f"{what}: expected within int{8 * size}, got {value}")
    return value.to_bytes(size, "big", signed=True)
