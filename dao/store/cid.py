"""Names content by its CID, exactly as Kubo does with 1 MiB chunks, 1,024 links and raw leaves.

A content of up to one chunk is one raw leaf. A longer one is a balanced UnixFS tree: level by level, each node
holds up to 1,024 of the level below (docs/protocol.md, "Content"; IPFS profile `unixfs-v1-2025`).
"""

import hashlib
from dataclasses import dataclass

from dao.core.constants import CONTENT_LEAF, CONTENT_LINKS
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.errors import ContentError

Buffer = bytes | bytearray | memoryview


def digest_of_content(content: Cid | Digest) -> Digest:
    """Return the digest that names this content on chain."""
    return content.digest if isinstance(content, Cid) else content


def name_of(content: Cid | Digest) -> str:
    """Write a content's name for people: its CID, or its digest where the codec is not known."""
    return str(content) if isinstance(content, Cid) else "0x" + content.hex()


def is_named(cid: Cid, content: Cid | Digest) -> bool:
    """Tell whether this is the CID of the content that a CID or a digest names."""
    return cid == content if isinstance(content, Cid) else cid.digest == content


def detect_codec(block: Buffer) -> ContentCodec:
    """Return a root block's codec by its first byte: no content of the protocol starts like a dag-pb node."""
    return ContentCodec.DAG_PB if bytes(memoryview(block)[:1]) in (b"\x12", b"\x0a") else ContentCodec.RAW


@dataclass(frozen=True, slots=True)
class DagLink:
    """A child in the tree."""

    cid: Cid
    size: int  # bytes of content below it
    total: int  # bytes of all blocks below it, its own included


def encode_varint(number: int) -> bytes:
    """Encode as protobuf does: seven bits a byte, the least first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_node(links: list[DagLink]) -> bytes:
    """Encode a dag-pb node with its UnixFS file entry, to the byte as Kubo does."""
    block = bytearray()
    for link in links:
        entry = b"\x0a\x24" + bytes(link.cid) + b"\x12\x00\x18" + encode_varint(link.total)
        block += b"\x12" + encode_varint(len(entry)) + entry
    data = b"\x08\x02\x18" + encode_varint(sum(link.size for link in links))
    data += b"".join(b"\x20" + encode_varint(link.size) for link in links)
    return bytes(block + b"\x0a" + encode_varint(len(data)) + data)


def encode_folder(name: str, content: Cid) -> bytes:
    """Encode a UnixFS folder in which a content is the only file, under a name of at most 127 bytes."""
    entry = (
        b"\x0a\x24"
        + bytes(content)
        + b"\x12"
        + encode_varint(len(name.encode()))
        + name.encode()
        + b"\x18\x00"
    )
    return b"\x12" + encode_varint(len(entry)) + entry + b"\x0a\x02\x08\x01"


def encode_link(links: list[DagLink]) -> DagLink:
    """Encode the node over these children, and return the link to it."""
    block = encode_node(links)
    cid = Cid(ContentCodec.DAG_PB, Digest(hashlib.sha256(block).digest()))
    return DagLink(cid, sum(link.size for link in links), len(block) + sum(link.total for link in links))


class TreeBuilder:
    """Builds the tree over leaves given in order, with at most `max_links` links a level in memory."""

    def __init__(self, max_links: int = CONTENT_LINKS) -> None:
        self._max_links = max_links
        self._levels: list[list[DagLink]] = [[]]

    def add(self, digest: bytes, size: int) -> None:
        """Append a leaf of `size` bytes."""
        self._push(0, DagLink(Cid(ContentCodec.RAW, Digest(digest)), size, size))

    def _push(self, level: int, link: DagLink) -> None:
        if level == len(self._levels):
            self._levels.append([])
        links = self._levels[level]
        if len(links) == self._max_links:
            self._push(level + 1, encode_link(links))
            links.clear()
        links.append(link)

    def root(self) -> Cid:
        """Return the content's CID; ContentError when there was no leaf."""
        if not self._levels[0]:
            raise ContentError("empty content has no CID in this protocol: expected at least one byte")
        level = 0
        while level + 1 < len(self._levels):  # a push may add a level
            self._push(level + 1, encode_link(self._levels[level]))
            level += 1
        top = self._levels[-1]
        return top[0].cid if len(top) == 1 else encode_link(top).cid


class CidHasher:
    """Computes the CID of bytes that come in pieces of any length, without storing them."""

    def __init__(self, chunk: int = CONTENT_LEAF, max_links: int = CONTENT_LINKS) -> None:
        self._chunk = chunk
        self._tree = TreeBuilder(max_links)
        self._leaf = hashlib.sha256()
        self._filled = 0
        self.size = 0  # bytes so far

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        view = memoryview(data).cast("B")
        self.size += len(view)
        while len(view):
            part = view[: self._chunk - self._filled]
            self._leaf.update(part)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == self._chunk:
                self._end_leaf()

    def _end_leaf(self) -> None:
        self._tree.add(self._leaf.digest(), self._filled)
        self._leaf = hashlib.sha256()
        self._filled = 0

    def finish(self) -> Cid:
        """Return the CID of all bytes taken; ContentError when there were none."""
        if self._filled:
            self._end_leaf()
        return self._tree.root()


def cid_of_bytes(data: Buffer) -> Cid:
    """Return the CID of this content; ContentError when it is empty."""
    hasher = CidHasher()
    hasher.update(data)
    return hasher.finish()
