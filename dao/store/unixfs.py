"""Reads the dag-pb nodes of the tree over a content's chunks, and walks that tree within known bounds.

A node is accepted only in the one form that this protocol writes, so the size that a root states fixes how many
blocks there are and how long each is: a hostile root cannot make a reader fetch more than that.
"""

from dataclasses import dataclass

from dao.core.constants import CONTENT_LEAF, CONTENT_LINKS
from dao.core.formats.cid import Cid, ContentCodec
from dao.errors import DecodeError
from dao.store.cid import DagLink, encode_node

MAX_BLOCK = 64 + CONTENT_LINKS * 64  # bytes of a node: a link takes at most 55, its size in the data 11
_LINK_HEAD = b"\x0a\x24"


@dataclass(frozen=True, slots=True)
class Part:
    """A block of the tree: where the content below it starts, how long it is, and how long it could be."""

    cid: Cid
    offset: int  # bytes
    size: int  # bytes
    full: int  # bytes of a full block of its level; a chunk for a leaf


def parse_node(block: bytes) -> list[DagLink]:
    """Return a node's links; DecodeError unless the block is a node as `encode_node` writes it."""
    try:
        links = _links(block)
    except (IndexError, ValueError, DecodeError):
        links = []
    if not links or encode_node(links) != block:
        raise DecodeError(
            "dag-pb block: expected a UnixFS file node of 1 to 1,024 links as this protocol writes it"
        )
    return links


def _links(block: bytes) -> list[DagLink]:
    if len(block) > MAX_BLOCK:
        raise ValueError
    children: list[tuple[Cid, int]] = []
    at = 0
    while block[at] == 0x12 and len(children) < CONTENT_LINKS:
        length, at = _varint(block, at + 1)
        entry, at = block[at : at + length], at + length
        total, end = _varint(entry, 41)
        if entry[:2] != _LINK_HEAD or entry[38:41] != b"\x12\x00\x18" or end != len(entry):
            raise ValueError
        children.append((Cid.from_bytes(entry[2:38]), total))
    length, at = _varint(block, at + 1)
    _, at = _varint(block, at + 3)  # the sum of the sizes: compared by encoding again
    sizes = []
    while at < len(block):
        size, at = _varint(block, at + 1)
        sizes.append(size)
    return [DagLink(cid, size, total) for (cid, total), size in zip(children, sizes, strict=True)]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 56, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError


def read_root(root: Cid, block: bytes) -> Part:
    """Return the whole content as a part, read off its root block; DecodeError when it is not a root."""
    if root.codec is ContentCodec.RAW:
        if not 0 < len(block) <= CONTENT_LEAF:
            raise DecodeError(f"raw root of {len(block)} bytes: expected 1 to {CONTENT_LEAF}")
        return Part(root, 0, len(block), CONTENT_LEAF)
    size, full = sum(link.size for link in parse_node(block)), CONTENT_LEAF
    if size <= CONTENT_LEAF:
        raise DecodeError(
            f"dag-pb root over {size} bytes: expected more than the {CONTENT_LEAF} that a raw leaf holds"
        )
    while full < size:
        full *= CONTENT_LINKS
    return Part(root, 0, size, full)


def read_parts(block: bytes, part: Part) -> list[Part]:
    """Return the children of the node that holds `part`; DecodeError unless they are shaped as the protocol says.

    Every child but the last is full: the size of a part fixes their number, their sizes and their codecs.
    """
    full = part.full // CONTENT_LINKS
    codec = ContentCodec.RAW if full == CONTENT_LEAF else ContentCodec.DAG_PB
    links = parse_node(block)
    parts = [
        Part(link.cid, part.offset + start, min(full, part.size - start), full)
        for link, start in zip(links, range(0, part.size, full), strict=False)
    ]
    if [link.size for link in links] != [child.size for child in parts] or sum(
        child.size for child in parts
    ) != part.size:
        raise DecodeError(f"dag-pb block over {part.size} bytes: its links are not full chunks in order")
    if any(link.cid.codec is not codec for link in links):
        raise DecodeError(f"dag-pb block over {part.size} bytes: expected links of codec {codec.name}")
    return parts
