import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.devnet.kubo_daemon import Kubo
from dao.errors import ConfigError, ContentError, Mismatch, NotFound, TooLarge
from dao.store.cid import DagLink, cid_of_bytes, encode_node
from dao.store.disk import DiskStore
from dao.store.gateway import GatewaySource
from dao.store.kubo import KuboStore

Answers = Callable[[str], bytes]


def raw(data: bytes) -> Cid:
    return Cid(ContentCodec.RAW, Digest(hashlib.sha256(data).digest()))


def node(*links: DagLink) -> tuple[Cid, bytes]:
    block = encode_node(list(links))
    return Cid(ContentCodec.DAG_PB, Digest(hashlib.sha256(block).digest())), block


def found(block: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(block), block)


@asynccontextmanager
async def gateway(answer: Answers, disk: DiskStore, seconds: float = 10) -> AsyncIterator[GatewaySource]:
    """A source over a gateway that answers each request with the bytes that `answer(its CID)` gives."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                writer.write(answer(request.split()[1].decode().removeprefix("/ipfs/").split("?")[0]))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    source = GatewaySource(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", disk, seconds)
    try:
        yield source
    finally:
        await source.close()
        server.close()


@pytest.mark.kubo
@pytest.mark.parametrize("size", [1, CONTENT_LEAF, CONTENT_LEAF + 1, 20_000_000])
async def test_gateway__of_a_real_kubo__same_bytes(
    kubos: tuple[Kubo, Kubo], tmp_path: Path, disk: DiskStore, size: int
) -> None:
    data = b"\0" + os.urandom(
        size - 1
    )  # as all that the protocol knows, it does not begin like a node of a tree
    store = KuboStore(kubos[0].api, DiskStore(tmp_path / "other", sync=False))
    cid = await store.put_bytes(data)
    store.close()
    source = GatewaySource(kubos[1].gateway, disk)
    assert await source.has(cid)
    assert await source.resolve(cid.digest) == cid
    assert (await source.get(cid.digest)).read_bytes() == data
    await source.close()
    assert (await source.get(cid)).read_bytes() == data  # from the cache


async def test_gateway__block_changed_on_its_way__mismatch(disk: DiskStore) -> None:
    parts = [os.urandom(CONTENT_LEAF), os.urandom(CONTENT_LEAF), b"end"]
    root, block = node(*(DagLink(raw(part), len(part), len(part)) for part in parts))
    blocks = {str(raw(part)): part for part in parts} | {str(root): block}
    async with gateway(lambda cid: found(blocks[cid]), disk) as source:
        assert (await source.get(root)).read_bytes() == b"".join(parts)
        disk.path_of(root).unlink()
        blocks[str(raw(parts[1]))] = parts[0]
        with pytest.raises(Mismatch, match=str(raw(parts[1]))):
            await source.get(root)
    assert not list(disk.tmp.iterdir())


async def test_gateway__hostile_roots__refused_with_few_blocks(disk: DiskStore) -> None:
    asked: list[str] = []
    leaf, empty = os.urandom(CONTENT_LEAF), b""
    many = [DagLink(raw(leaf), CONTENT_LEAF, CONTENT_LEAF)] * 1024
    roots = [
        node(*[DagLink(raw(empty), 0, 0)] * 1024),  # nothing, without end
        node(
            *[DagLink(Cid(ContentCodec.DAG_PB, raw(leaf).digest), CONTENT_LEAF << 10, CONTENT_LEAF << 10)]
            * 1024
        ),  # a petabyte
        node(DagLink(raw(leaf), CONTENT_LEAF, CONTENT_LEAF)),  # a second name for one leaf
        node(*many, *many),  # too wide
        node(DagLink(raw(leaf), 5, 5), DagLink(raw(leaf), CONTENT_LEAF, CONTENT_LEAF)),
    ]
    blocks = {str(root): block for root, block in roots}

    def answer(cid: str) -> bytes:
        asked.append(cid)
        return found(blocks[cid])

    async with gateway(answer, disk) as source:
        for root, _ in roots:
            with pytest.raises((Mismatch, TooLarge), match=str(root)):
                await source.get(root, max_bytes=1 << 30)
    assert len(asked) == len(roots)


async def test_gateway__leaf_shorter_than_its_parent_says__mismatch(disk: DiskStore) -> None:
    leaf, end = os.urandom(CONTENT_LEAF - 1), b"end"
    root, block = node(DagLink(raw(leaf), CONTENT_LEAF, CONTENT_LEAF), DagLink(raw(end), 3, 3))
    blocks = {str(raw(leaf)): leaf, str(raw(end)): end, str(root): block}
    async with gateway(lambda cid: found(blocks[cid]), disk) as source:
        with pytest.raises(Mismatch, match="its parent says"):
            await source.get(root)


async def test_gateway__above_the_cap__too_large_after_one_block(disk: DiskStore) -> None:
    data = os.urandom(CONTENT_LEAF)
    root, block = node(*[DagLink(raw(data), CONTENT_LEAF, CONTENT_LEAF)] * 3)
    async with gateway(lambda cid: found(block), disk) as source:
        with pytest.raises(TooLarge, match="allowed here"):
            await source.get(root, max_bytes=3 * CONTENT_LEAF - 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", NotFound),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", NotFound),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-encoding: gzip\r\n\r\nwanted", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nw", Mismatch),
        (found(bytes(2 * CONTENT_LEAF)), Mismatch),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nwanted", ContentError),  # and nothing more
        (b"garbage\r\n\r\n", ContentError),
        (b"", ContentError),
    ],
)
async def test_gateway__bad_answers__told_within_the_limit(
    answer: bytes, error: type[ContentError] | None, disk: DiskStore
) -> None:
    start = time.monotonic()
    async with gateway(lambda cid: answer, disk, 0.3) as source:
        if error is None:
            assert (await source.get(cid_of_bytes(b"wanted"))).read_bytes() == b"wanted"
        else:
            with pytest.raises(error):
                await source.get(cid_of_bytes(b"wanted"))
            assert not await source.has(cid_of_bytes(b"wanted"))
    assert time.monotonic() - start < 10
    assert not list(disk.tmp.iterdir())


async def test_gateway__nobody_there__content_error_with_its_name(disk: DiskStore) -> None:
    source = GatewaySource("http://127.0.0.1:1", disk)
    with pytest.raises(ContentError, match=r"gateway 127.0.0.1: .*check the gateway's address"):
        await source.get(cid_of_bytes(b"wanted"))
    await source.close()


@pytest.mark.parametrize("url", ["", "gateway.example", "ftp://gateway.example", "https://", "http://u:p@h/"])
def test_gateway__no_url__config_error(url: str, disk: DiskStore) -> None:
    with pytest.raises(ConfigError, match="gateway"):
        GatewaySource(url, disk)
