"""Addresses as people write them, with the checksum of EIP-55: the one place that reads them."""

from dao.core.engine.keccak import keccak256
from dao.core.types import Address, bytes_of, hex_of
from dao.errors import DecodeError


def checksummed(address: Address) -> str:
    """Write an address with the checksum of EIP-55: a digit is upper case where its hash has 8 or more."""
    digits = address.hex()
    hashed = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, hashed, strict=False)
    )


def address_of(text: str, what: str = "address") -> Address:
    """Read an address in one case, or with a right checksum: DecodeError names `what`.

    Both cases with a wrong checksum mean that a digit was mistyped, and tokens sent there are lost.
    """
    address = Address(bytes_of(text.lower(), 20, what))
    if text[2:] not in (address.hex(), address.hex().upper()) and text != checksummed(address):
        raise DecodeError(
            f"{what}: {text[:42]} is mistyped, its checksum is wrong; {hex_of(address)} in lower case?"
        )
    return address
