"""What Solidity's `abi.encode` makes of static values: one word of 32 bytes each."""

from dao.errors import RuleError

WORD = 32


def check_uint(value: int, bits: int, what: str) -> int:
    """Return `value` where it is a `uint<bits>`; RuleError names `what`."""
    if not 0 <= value < 1 << bits:
        raise RuleError(f"{what}: expected 0 to 2^{bits} - 1, got {value}")
    return value


def encode(*values: int | bytes) -> bytes:
    """Encode uint256 and int256 (int), address (20 bytes) and bytes32 (32 bytes) as `abi.encode` does.

    Raises RuleError for a number outside both and bytes of another length.
    """
    return b"".join(map(_word, values))


def _word(value: int | bytes) -> bytes:
    if isinstance(value, int):
        if value < -1 << 255:
            raise RuleError(f"number: expected -2^255 to 2^256 - 1, got {value}")
        return check_uint(value % (1 << 256) if value < 0 else value, 256, "number").to_bytes(WORD, "big")
    if len(value) not in (20, WORD):
        raise RuleError(f"bytes: expected 20 (address) or 32 (bytes32), got {len(value)}")
    return value.rjust(WORD, b"\0")
