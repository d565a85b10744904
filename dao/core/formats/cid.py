"""A content's name: a CIDv1 of sha2-256, as IPFS prints it. Computing the CID of content is `dao.store.cid`'s."""

import base64
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from dao.core.types import Digest
from dao.errors import DecodeError

_HEAD = b"\x01%c\x12\x20"  # version 1, codec, sha2-256, 32 bytes


class ContentCodec(IntEnum):
    """What the root block of a content is."""

    RAW = 0x55  # the content itself
    DAG_PB = 0x70  # a node of the tree over its chunks


@dataclass(frozen=True, slots=True)
class Cid:
    """The name of one content; `str()` gives the base32 form that IPFS tools print."""

    codec: ContentCodec
    digest: Digest  # sha256 of the root block

    def __bytes__(self) -> bytes:
        return _HEAD % self.codec + self.digest

    def __str__(self) -> str:
        return "b" + base64.b32encode(bytes(self)).decode().rstrip("=").lower()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a CIDv1 in base32; DecodeError unless it is one that this protocol uses, written in its one way."""
        try:
            return cls.from_bytes(base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8)), text)
        except ValueError:  # not base32
            raise _refused(text) from None

    @classmethod
    def from_bytes(cls, data: bytes, text: str | None = None) -> Self:
        """Read a CIDv1 in binary; DecodeError as in `parse`."""
        if len(data) == 36 and data[1] in (ContentCodec.RAW, ContentCodec.DAG_PB):
            cid = cls(ContentCodec(data[1]), Digest(data[4:]))
            if bytes(cid) == data and text in (None, str(cid)):
                return cid
        raise _refused(text if text is not None else data.hex())


def _refused(text: str) -> DecodeError:
    return DecodeError(
        f"CID {text[:80]!r}: expected a CIDv1 in base32, sha2-256, of a raw leaf or a dag-pb node"
    )
