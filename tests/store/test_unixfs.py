import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import CONTENT_LEAF, CONTENT_LINKS
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.errors import DecodeError
from dao.store.cid import DagLink, encode_node, encode_varint
from dao.store.unixfs import MAX_BLOCK, Part, parse_node, read_parts, read_root


def leaf(size: int = CONTENT_LEAF, codec: ContentCodec = ContentCodec.RAW) -> DagLink:
    return DagLink(Cid(codec, Digest(bytes(range(32)))), size, size + (codec is ContentCodec.DAG_PB) * 99)


def root_of(*links: DagLink) -> tuple[Cid, bytes]:
    return Cid(ContentCodec.DAG_PB, Digest(bytes(32))), encode_node(list(links))


links_strategy = st.lists(
    st.builds(
        DagLink,
        st.builds(Cid, st.sampled_from(ContentCodec), st.binary(min_size=32, max_size=32)),
        st.integers(0, 1 << 50),
        st.integers(0, 1 << 50),
    ),
    min_size=1,
    max_size=20,
)


@given(links_strategy)
def test_parse_node__what_we_encode__round_trips(links: list[DagLink]) -> None:
    assert parse_node(encode_node(links)) == links


def test_parse_node__largest_node__within_the_cap() -> None:
    block = encode_node([DagLink(leaf().cid, 1 << 45, 1 << 45)] * CONTENT_LINKS)
    assert len(block) <= MAX_BLOCK
    assert len(parse_node(block)) == CONTENT_LINKS


@given(st.binary(max_size=200))
def test_parse_node__any_bytes__decode_error(block: bytes) -> None:
    with pytest.raises(DecodeError, match="dag-pb"):
        parse_node(block)


@given(links_strategy, st.data())
def test_parse_node__one_byte_changed__another_node_or_decode_error(
    links: list[DagLink], draw: st.DataObject
) -> None:
    block = bytearray(encode_node(links))
    index = draw.draw(st.integers(0, len(block) - 1))
    block[index] ^= draw.draw(st.integers(1, 255))
    with contextlib.suppress(DecodeError):
        assert encode_node(parse_node(bytes(block))) == block


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x0a\x04\x08\x02\x18\x00",  # no links
        encode_node([leaf()])[:-1],
        encode_node([leaf()]) + b"\x00",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + bytes(40),  # a length past every limit
        b"\x12" + encode_varint(1 << 40),
        b"\x12" * (4 << 20),
        encode_node([leaf()] * (CONTENT_LINKS + 1)),
    ],
)
def test_parse_node__malformed_or_bomb__refused_at_once(block: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(DecodeError, match="dag-pb"):
        parse_node(block)
    assert time.monotonic() - start < 1


def test_root_part__sizes_and_levels__as_the_root_states() -> None:
    raw = Cid(ContentCodec.RAW, Digest(bytes(32)))
    assert read_root(raw, b"x") == Part(raw, 0, 1, CONTENT_LEAF)
    cid, block = root_of(leaf(), leaf(7))
    assert read_root(cid, block) == Part(cid, 0, CONTENT_LEAF + 7, CONTENT_LEAF * CONTENT_LINKS)
    parts = read_parts(block, read_root(cid, block))
    assert [(part.offset, part.size, part.full) for part in parts] == [
        (0, CONTENT_LEAF, CONTENT_LEAF),
        (CONTENT_LEAF, 7, CONTENT_LEAF),
    ]
    wide = CONTENT_LEAF * CONTENT_LINKS
    cid, block = root_of(leaf(wide, ContentCodec.DAG_PB), leaf(3, ContentCodec.DAG_PB))
    parts = read_parts(block, read_root(cid, block))
    assert [(part.offset, part.size, part.full) for part in parts] == [(0, wide, wide), (wide, 3, wide)]


@pytest.mark.parametrize(
    "links",
    [
        [leaf(), leaf(5), leaf(5)],  # a short chunk in the middle
        [leaf(), leaf(2 * CONTENT_LEAF)],
        [leaf(), leaf(codec=ContentCodec.DAG_PB)],  # a tree that is not balanced
        [leaf(), leaf(), leaf(0)],  # empty leaves, without end
        [leaf(1 << 50), leaf(1 << 50)],
    ],
)
def test_parts_of__another_shape__refused(links: list[DagLink]) -> None:
    cid, block = root_of(*links)
    with pytest.raises(DecodeError, match="dag-pb"):
        read_parts(block, read_root(cid, block))


def test_root_part__not_a_root__refused() -> None:
    with pytest.raises(DecodeError, match="raw root"):
        read_root(Cid(ContentCodec.RAW, Digest(bytes(32))), b"")
    with pytest.raises(DecodeError, match="dag-pb root"):
        read_root(*root_of(leaf(7)))  # one raw leaf would hold it: the content has another CID
