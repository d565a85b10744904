"""The JSON form of values, shown and read strictly: wei as decimal text, addresses with their checksum, bytes in hex."""

import re
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from dao.core.formats.address import address_of, checksummed
from dao.core.types import Address, Digest, Wei, hex_of
from dao.errors import DecodeError
from dao.gov.texts import DESCRIPTION_BYTES, PROPOSAL_BYTES, REASON_BYTES, TITLE_BYTES, check_size

MAX_CALLDATA = 64 * 1024  # bytes

_checksummed = lru_cache(maxsize=20_000)(checksummed)


class RequestModel(BaseModel):
    """The base of requests: fields that a model does not name are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ResponseModel(BaseModel):
    """The base of answers, which are made of dictionaries or of records' attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def show_address(value: Any) -> Any:
    """Write an address with its checksum; a value that is not bytes stays as it is."""
    return _checksummed(Address(bytes(value))) if isinstance(value, bytes) else value


def _show_hex(value: Any) -> Any:
    return hex_of(value) if isinstance(value, bytes) else value


def _show_decimal(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _write_schema(pattern: str, example: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": [example]}


def _describe_text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema(_write_schema(pattern, example))


ADDRESS_SCHEMA = _write_schema("^0x[0-9a-fA-F]{40}$", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
WEI_SCHEMA = _write_schema("^[0-9]{1,78}$", "1000000000000000000")
_ADDRESS = WithJsonSchema(ADDRESS_SCHEMA)
DIGEST_SCHEMA = _write_schema("^0x[0-9a-f]{64}$", "0x" + "00" * 32)
_DIGEST = WithJsonSchema(DIGEST_SCHEMA)
_BYTES = _describe_text("^0x([0-9a-f]{2})*$", "0x")
_WEI = WithJsonSchema(WEI_SCHEMA)

AddressText = Annotated[str, BeforeValidator(show_address), _ADDRESS]
DigestText = Annotated[str, BeforeValidator(_show_hex), _DIGEST]
BytesText = Annotated[str, BeforeValidator(_show_hex), _BYTES]
WeiText = Annotated[str, BeforeValidator(_show_decimal), _WEI]
_NUMBER = _describe_text("^[0-9]{1,78}$", "1")
NumberText = Annotated[str, BeforeValidator(_show_decimal), _NUMBER]  # beyond what JSON holds
Micro = Annotated[int, Field(description="Millionths of a loss.")]


def _read_address(text: Any) -> Address:
    try:
        return address_of(_require_text(text))
    except DecodeError as error:
        raise ValueError(str(error).removeprefix("address: ")) from None  # the field's name goes before it


def _read_bytes(text: Any, size: int | None = None) -> bytes:
    """Read hex digits of either case, `size` bytes or as many as there are."""
    match = re.fullmatch("0x([0-9a-fA-F]{2})*", _require_text(text))
    length = len(text) // 2 - 1
    if match is None or length > MAX_CALLDATA or size not in (None, length):
        raise ValueError(f"expected 0x and the hex digits of {size or f'at most {MAX_CALLDATA}'} bytes")
    return bytes.fromhex(text[2:])


def _read_digest(text: Any) -> bytes:
    return _read_bytes(text, 32)


def _read_signature(text: Any) -> bytes:
    signature = _read_bytes(text, 65)
    # wallets that end in 0 or 1 mean 27 or 28
    return signature[:64] + bytes([signature[64] + 27]) if signature[64] < 2 else signature


def _read_number(value: Any) -> int:
    text = _require_text(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= 78) or int(text) >= 1 << 256:
        raise ValueError("expected a whole number below 2^256, as text of decimal digits")
    return int(text)


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")  # noqa: TRY004  (pydantic reports ValueErrors)
    return value


_SIGNATURE = _describe_text("^0x[0-9a-fA-F]{130}$", "0x" + "00" * 65)
ReadAddress = Annotated[Address, BeforeValidator(_read_address), _ADDRESS]
ReadBytes = Annotated[bytes, BeforeValidator(_read_bytes), _BYTES]
ReadDigest = Annotated[Digest, BeforeValidator(_read_digest), _DIGEST]
ReadSignature = Annotated[bytes, BeforeValidator(_read_signature), _SIGNATURE]
ReadWei = Annotated[Wei, BeforeValidator(_read_number), _WEI]
ReadNumber = Annotated[int, BeforeValidator(_read_number), _NUMBER]
Seconds = Annotated[int, Field(ge=0, lt=1 << 48)]


def _bound(size: int) -> AfterValidator:
    def check(text: str) -> str:
        try:
            check_size("", text, size)
        except DecodeError as error:
            raise ValueError(str(error).removeprefix(": ")) from None  # the field's name goes before it
        return text

    return AfterValidator(check)


TitleText = Annotated[str, Field(min_length=1, max_length=TITLE_BYTES), _bound(TITLE_BYTES)]
DescriptionText = Annotated[str, Field(max_length=DESCRIPTION_BYTES), _bound(DESCRIPTION_BYTES)]
ProposalText = Annotated[str, Field(min_length=1, max_length=PROPOSAL_BYTES), _bound(PROPOSAL_BYTES)]
ReasonText = Annotated[str, Field(max_length=REASON_BYTES), _bound(REASON_BYTES)]
