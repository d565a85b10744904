"""The EIP-4361 text is read to the letter."""

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.formats.address import address_of, checksummed
from dao.core.types import Address, hex_of
from dao.errors import DecodeError
from dao.gov.siwe import SignIn, parse_sign_in

SIGN_IN = SignIn(
    "dao.example:8460",
    address_of("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
    "Sign in.",
    "https://dao.example:8460",
    1,
    31337,
    "abcdef0123456789",
    1_790_000_000.0,
    1_790_000_600.0,
)


texts = st.text(string.ascii_letters + string.digits + " .,:-", min_size=1, max_size=100)


@given(
    st.binary(min_size=20, max_size=20),
    texts,
    st.integers(1, 10**19),
    st.text(string.ascii_letters + string.digits, min_size=8, max_size=60),
    st.integers(0, 4_000_000_000),
)
def test_parse__what_was_written__the_same(
    address: bytes, statement: str, chain: int, nonce: str, when: int
) -> None:
    said = SignIn(
        "example.org", Address(address), statement, "https://example.org", 1, chain, nonce, when, when + 60
    )
    assert parse_sign_in(said.dump()) == said


CHANGES: dict[str, Callable[[str], str]] = {
    "another line": lambda text: text + "\nResources:\n- https://evil.example",
    "request id": lambda text: text + "\nRequest ID: 1",
    "end of line": lambda text: text + "\n",
    "windows": lambda text: text.replace("\n", "\r\n"),
    "no statement": lambda text: text.replace("Sign in.\n\n", ""),
    "lower case address": lambda text: text.replace(checksummed(SIGN_IN.address), hex_of(SIGN_IN.address)),
    "no end": lambda text: text.rsplit("\n", 1)[0],
    "order": lambda text: text.replace("Version: 1\nChain ID: 31337", "Chain ID: 31337\nVersion: 1"),
    "version": lambda text: text.replace("Version: 1", "Version: 01"),
    "chain": lambda text: text.replace("Chain ID: 31337", "Chain ID: 031337"),
    "scheme": lambda text: "https://" + text,
    "time": lambda text: text.replace("Issued At: 2026-09", "Issued At: 2026-13"),
    "no zone": lambda text: text.replace("Z\n", "\n"),
    "other digits": lambda text: text.replace("31337", "３1337"),
    "short nonce": lambda text: text.replace(SIGN_IN.nonce, "abc"),
    "long": lambda text: text.replace("Sign in.", "x" * 3000),
    "empty": lambda _: "",
}


@pytest.mark.parametrize("name", CHANGES)
def test_parse__anything_else__refused(name: str) -> None:
    text = SIGN_IN.dump()
    changed = CHANGES[name](text)
    assert changed != text
    with pytest.raises(DecodeError):
        parse_sign_in(changed)


@given(st.text(max_size=400))
def test_parse__any_text__only_decode_errors(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_sign_in(text)
