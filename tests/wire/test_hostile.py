"""What a Superlink may say that does not make sense: one line for the operator, and other sources are asked."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from dao.audit.evidence import fetch
from dao.audit.findings import Missing
from dao.core.constants import CONTENT_LEAF
from dao.errors import ContentError, Mismatch
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire import download
from dao.wire.messages import Content, DataChannel, write_content
from dao.wire.superlink_source import SuperlinkSource
from tests.wire.network import Network

DATA = os.urandom(2 * CONTENT_LEAF)
CID = cid_of_bytes(DATA)


@pytest.fixture
def channel() -> Iterator[DataChannel]:
    """A data channel that no server listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield DataChannel(listening.getsockname()[1], bytes(16))


@pytest.mark.parametrize("by_channel", [False, True])
async def test_fetch__broken_off_and_then_smaller__mismatch(
    network: Network, tmp_path: Path, channel: DataChannel, monkeypatch: pytest.MonkeyPatch, by_channel: bool
) -> None:
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0)
    answers = iter([Content(len(DATA)), Content(1, channel if by_channel else None)])

    async def fetch(_: bytes, context: Any) -> None:
        await context.write(write_content(next(answers)))
        await context.write(DATA[:CONTENT_LEAF])
        await context.abort(grpc.StatusCode.UNAVAILABLE, "later")

    client = network.client(await network.hostile(fetch))
    with pytest.raises(Mismatch, match=f"1 bytes, of which {CONTENT_LEAF} have come already"):
        await client.fetch(CID, tmp_path / "model")
    assert (tmp_path / "model.part").stat().st_size == 0


NONSENSE = [b"\xff\xff\xff", b"", write_content(Content(1, DataChannel(0, bytes(16))))]


async def _source(network: Network, answer: bytes, mine: DiskStore) -> SuperlinkSource:
    async def fetch(_: bytes, context: Any) -> None:
        await context.write(answer)

    return SuperlinkSource(network.client(await network.hostile(fetch)), mine)


@pytest.mark.parametrize("answer", NONSENSE, ids=["no message", "no size", "no port"])
async def test_link_source__nonsense__other_sources_asked(
    network: Network, tmp_path: Path, answer: bytes
) -> None:
    mine, other = (DiskStore(tmp_path / name, sync=False) for name in ("mine", "other"))
    await other.put_bytes(DATA)
    source = await _source(network, answer, mine)
    with pytest.raises(ContentError, match=f"{CID}: (Content|DataChannel)"):
        await source.get(CID)
    assert not await source.has(CID)
    assert (await LayeredStore(mine, [source, other], attempts=1).get(CID)).read_bytes() == DATA


async def test_audit__nonsense_for_a_content__not_checked(network: Network, tmp_path: Path) -> None:
    """The round may be right: what it is judged by could not be had."""
    mine = DiskStore(tmp_path / "mine", sync=False)
    store = LayeredStore(mine, [await _source(network, NONSENSE[0], mine)], attempts=1)
    with pytest.raises(Missing, match=r"shard 1: .*no such message"):
        await fetch(store, "shard 1", CID)
