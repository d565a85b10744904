import contextlib
import hashlib
import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.devnet.kubo_daemon import Kubo, find_kubo
from dao.errors import ContentError, DecodeError
from dao.store.cid import CidHasher, cid_of_bytes, detect_codec, encode_node


def hashed(data: bytes, chunk: int, max_links: int) -> Cid:
    hasher = CidHasher(chunk, max_links)
    hasher.update(data)
    return hasher.finish()


def named_by_kubo(data: bytes, kubo: Kubo, chunk: int = CONTENT_LEAF, max_links: int = 1024) -> str:
    options = ["--cid-version=1", "--raw-leaves", f"--chunker=size-{chunk}", f"--max-file-links={max_links}"]
    run = subprocess.run(
        [find_kubo(), "add", "-Q", "--only-hash", *options],
        input=data,
        env=os.environ | {"IPFS_PATH": str(kubo.repo)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return run.stdout.decode().strip()


def test_cid__known_contents__equal_what_kubo_0_43_prints() -> None:
    assert str(cid_of_bytes(b"hello")) == "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    pattern = bytes(range(256)) * (20 * 4096)
    assert str(cid_of_bytes(pattern)) == "bafybeihp3ppygmrgkthnd3eksg2py4xheen7enilug43eaierlsgqb37cy"
    assert (
        str(cid_of_bytes(pattern[: CONTENT_LEAF + 1]))
        == "bafybeidilpoket5zygjfcrvh76gvmez7iwgzmf55stwnofqxvprkyjlf7y"
    )
    assert str(hashed(pattern[:70], 1, 4)) == "bafybeihtyrhfxh2um7o6g7lmhdn23awby6s325p6crtfzi2ajsr4mxsh7y"


@pytest.mark.kubo
@pytest.mark.parametrize(
    "size", [1, 2, CONTENT_LEAF - 1, CONTENT_LEAF, CONTENT_LEAF + 1, 2 * CONTENT_LEAF, 20_000_000]
)
def test_cid__any_size__equals_kubo(size: int, kubos: tuple[Kubo, Kubo]) -> None:
    data = os.urandom(size)
    assert str(cid_of_bytes(data)) == named_by_kubo(data, kubos[0])


@pytest.mark.kubo
@pytest.mark.parametrize("leaves", [1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 255, 257])
def test_cid__deep_tree__equals_kubo(leaves: int, kubos: tuple[Kubo, Kubo]) -> None:
    data = os.urandom(leaves * 2 - 1)
    assert str(hashed(data, 2, 4)) == named_by_kubo(data, kubos[0], 2, 4)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_cid_hasher__any_pieces__same_cid(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    hasher = CidHasher(7, 3)
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        hasher.update(memoryview(data)[start:stop])
    assert hasher.finish() == hashed(data, 7, 3)
    assert hasher.size == len(data)


def test_cid__one_chunk__digest_is_its_sha256() -> None:
    data = os.urandom(CONTENT_LEAF)
    assert cid_of_bytes(data) == Cid(ContentCodec.RAW, Digest(hashlib.sha256(data).digest()))
    assert cid_of_bytes(data + b"!").codec is ContentCodec.DAG_PB


def test_cid__empty__refused() -> None:
    with pytest.raises(ContentError, match="empty content"):
        cid_of_bytes(b"")


@given(st.binary(min_size=32, max_size=32), st.sampled_from(ContentCodec))
def test_cid_parse__own_form__round_trips(digest: bytes, codec: ContentCodec) -> None:
    cid = Cid(codec, Digest(digest))
    assert Cid.parse(str(cid)) == Cid.from_bytes(bytes(cid)) == cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "QmeV6C6XVt1wf7V7as7Yak3mxPma8jzpqyhtRtCvpKcfBb",  # version 0
        "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4ye",  # a letter short
        "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yer",  # other bits in the padding
        "BAFKREIBM6JG3UX5QUMHCN2B3FLC3TYU6DMLB4XA7U5BF44YEGNRJHC4YEQ",
        "bafyreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",  # dag-cbor
        "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq=",
        "bäfkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",
    ],
)
def test_cid_parse__any_other_form__refused(text: str) -> None:
    with pytest.raises(DecodeError, match="CID"):
        Cid.parse(text)


@given(st.text(max_size=80))
def test_cid_parse__any_text__cid_or_decode_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        assert str(Cid.parse(text)) == text


def test_root_codec__contents_and_nodes__told_apart() -> None:
    assert detect_codec(encode_node([])) is ContentCodec.DAG_PB
    for start in (b"{", b"\x08\x00", b"\xf8\x01", b"CWU1", b"CWG1"):
        assert detect_codec(start) is ContentCodec.RAW
