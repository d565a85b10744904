"""Addresses as people write them."""

import pytest

from dao.core.formats.address import address_of, checksummed
from dao.core.types import hex_of
from dao.errors import DecodeError

SHOWN = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize(
    "shown",
    [
        SHOWN,
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_checksummed__examples_of_eip_55__equal(shown: str) -> None:
    assert checksummed(address_of(shown)) == shown
    assert address_of(shown) == address_of(shown.lower()) == address_of("0x" + shown[2:].upper())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHOWN.replace("0x5a", "0x5A"), f"to: .* is mistyped, its checksum is wrong; {SHOWN.lower()} in"),
        (SHOWN.replace("ed", "ee"), "to: .* is mistyped"),
        (SHOWN[:-1], "to: expected 0x and 40 hex digits"),
        (SHOWN[2:], "to: expected 0x and 40 hex digits"),
    ],
)
def test_address_of__mistyped__refused_by_name(text: str, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        address_of(text, "to")


def test_hex_of__an_address__is_read() -> None:
    assert hex_of(address_of(SHOWN)) == SHOWN.lower()
