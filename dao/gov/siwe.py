"""Sign-in with Ethereum (EIP-4361): writes the text that a wallet signs, and parses it strictly."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dao.core.engine.keccak import keccak256
from dao.core.formats.address import address_of, checksummed
from dao.core.types import Address, Digest
from dao.errors import DecodeError

MAX_MESSAGE = 2000  # characters

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
_MESSAGE = re.compile(
    r"(?P<domain>[A-Za-z0-9.:\[\]-]{1,255}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?P<statement>[\x20-\x7e]{1,400})\n"
    r"\n"
    r"URI: (?P<uri>[!-~]{1,300})\n"
    r"Version: (?P<version>[1-9][0-9]{0,2})\n"
    r"Chain ID: (?P<chain_id>[1-9][0-9]{0,19})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,100})\n"
    rf"Issued At: (?P<issued_at>{_TIME})\n"
    rf"Expiration Time: (?P<expires_at>{_TIME})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The fields of the text that an account signs; times in Unix seconds."""

    domain: str
    address: Address
    statement: str
    uri: str
    version: int
    chain_id: int
    nonce: str
    issued_at: float
    expires_at: float

    def dump(self) -> str:
        """Dump the text as it is signed."""
        return (
            f"{self.domain} wants you to sign in with your Ethereum account:\n{checksummed(self.address)}\n\n"
            f"{self.statement}\n\nURI: {self.uri}\nVersion: {self.version}\nChain ID: {self.chain_id}\n"
            f"Nonce: {self.nonce}\nIssued At: {_dump_time(self.issued_at)}\n"
            f"Expiration Time: {_dump_time(self.expires_at)}"
        )


def parse_sign_in(message: str) -> SignIn:
    """Parse the text; DecodeError where it differs by a letter.

    What EIP-4361 leaves open is fixed here: statement and end are required, other fields are rejected, and the
    address has its checksum (EIP-55).
    """
    match = _MESSAGE.fullmatch(message) if len(message) <= MAX_MESSAGE else None
    if match is None:
        raise DecodeError(
            "message: expected an EIP-4361 text with statement, URI, Version, Chain ID, Nonce, Issued At and "
            "Expiration Time, in this order and nothing else"
        )
    fields = match.groupdict()
    address = address_of(fields["address"])
    if checksummed(address) != fields["address"]:
        raise DecodeError(f"message: expected the address as {checksummed(address)} (EIP-55)")
    return SignIn(
        fields["domain"],
        address,
        fields["statement"],
        fields["uri"],
        int(fields["version"]),
        int(fields["chain_id"]),
        fields["nonce"],
        _parse_time(fields["issued_at"]),
        _parse_time(fields["expires_at"]),
    )


def compute_text_digest(message: str) -> Digest:
    """Compute the digest that a wallet's personal_sign signs for a text (EIP-191)."""
    from eth_account.messages import encode_defunct

    signable = encode_defunct(text=message)
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def _parse_time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"message: {text} is no time (RFC 3339)") from error


def _dump_time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
