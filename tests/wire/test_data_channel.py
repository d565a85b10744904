import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from dao.core.commits import Reveal
from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import Mismatch, Refused, TooLarge, Unreachable
from dao.store.cid import cid_of_bytes
from dao.wire import data_channel, grpc_options
from dao.wire.call_limits import CallLimits
from dao.wire.grpc_options import Tls
from dao.wire.messages import Ack, DataChannel, FetchRequest, read_content, write_fetch
from dao.wire.signed_calls import wrap_unsigned
from dao.wire.superlink_client import SuperlinkClient
from tests.wire.network import ROUND, TASK, Network
from tests.wire.test_tls import self_made

DATA = os.urandom(16 * CONTENT_LEAF + 5)


@pytest.fixture
async def cid(network: Network) -> Cid:
    return await network.superlink.disk.put_bytes(DATA)


@pytest.fixture
def update(tmp_path: Path) -> Path:
    path = tmp_path / "update"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A data channel that cannot be reached; the hosts at which it was tried."""
    hosts: list[str] = []

    async def no_way(host: str, _: DataChannel) -> socket.socket:
        hosts.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(data_channel, "connect", no_way)
    return hosts


async def reveal(
    client: SuperlinkClient, content: Path, on_progress: Callable[[int], None] = lambda _: None
) -> Ack:
    opened = Reveal(cid_of_bytes(DATA), Digest(bytes(32)), Digest(bytes(32)))
    return await client.reveal(TASK, ROUND, opened, content, on_progress)


async def ask(channel: grpc.aio.Channel, cid: Cid, offset: int = 0) -> tuple[Any, DataChannel]:
    """A fetch under way, and the data channel that it names."""
    request = wrap_unsigned(write_fetch(FetchRequest(cid.digest, offset, by_channel=True)))
    call: Any = channel.unary_stream(grpc_options.FETCH, None, None)(request, timeout=20)
    found = read_content(await call.read())
    assert found.channel is not None
    assert found.size == len(DATA)
    return call, found.channel


def show(port: int, ticket: bytes) -> bytes:
    """Everything that comes for a ticket."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line, line.makefile("rb") as stream:
        line.sendall(ticket)
        try:
            return stream.read()
        except ConnectionResetError:
            return b""


async def test_data_channel__large_content__does_not_go_over_grpc(
    network: Network, cid: Cid, tmp_path: Path
) -> None:
    cable = await network.cable((await network.serve()).address, [])
    client = network.client(cable.address)
    seen: list[tuple[int, int]] = []
    await client.fetch(cid, tmp_path / "model", on_progress=lambda done, whole: seen.append((done, whole)))
    assert (tmp_path / "model").read_bytes() == DATA
    assert cable.carried < 10_000
    assert seen[-1] == (len(DATA), len(DATA))
    assert client.received == len(DATA)


async def test_data_channel__small_content__goes_over_grpc(network: Network, tmp_path: Path) -> None:
    cable = await network.cable((await network.serve()).address, [])
    small = await network.superlink.disk.put_bytes(DATA[: data_channel.MIN_SIZE - 1])
    await network.client(cable.address).fetch(small, tmp_path / "model")
    assert cable.carried > data_channel.MIN_SIZE


async def test_data_channel__cannot_be_reached__over_grpc_and_not_tried_again(
    network: Network, cid: Cid, tmp_path: Path, tried: list[str]
) -> None:
    client = network.client((await network.serve()).address)
    for name in ("once", "again"):
        await client.fetch(cid, tmp_path / name)
        assert (tmp_path / name).read_bytes() == DATA
    assert tried == ["127.0.0.1"]


async def test_data_channel__ticket__good_once_and_for_its_part(
    network: Network, cid: Cid, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await network.serve()
    async with grpc.aio.insecure_channel(service.address) as channel:
        call, found = await ask(channel, cid, 3 * CONTENT_LEAF)
        assert await asyncio.to_thread(show, found.port, found.ticket) == DATA[3 * CONTENT_LEAF :]
        assert await call.read() is grpc_options.EOF
        monkeypatch.setattr(data_channel, "_PATIENCE", 0.1)
        for ticket in (found.ticket, bytes(16), b"short"):
            assert await asyncio.to_thread(show, found.port, ticket) == b""


async def test_data_channel__nobody_comes__call_ended(
    network: Network, cid: Cid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_channel, "_PATIENCE", 0.1)
    service = await network.serve()
    async with grpc.aio.insecure_channel(service.address) as channel:
        call, found = await ask(channel, cid)
        with pytest.raises(grpc.aio.AioRpcError, match="took longer"):
            await call.read()
        assert await asyncio.to_thread(show, found.port, found.ticket) == b""


async def test_data_channel__nobody_reads__place_given_to_others(
    network: Network, cid: Cid, tmp_path: Path
) -> None:
    service = await network.serve(limits=CallLimits(silence_seconds=0.2, public_fetches=1))
    async with grpc.aio.insecure_channel(service.address) as channel:
        call, found = await ask(channel, cid)
        line = await data_channel.connect("127.0.0.1", found)
        with line:  # and read nothing
            await network.stranger(service.address).fetch(cid, tmp_path / "model")
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
    assert (tmp_path / "model").read_bytes() == DATA


async def test_data_channel__call_given_up__connection_closed(network: Network, cid: Cid) -> None:
    service = await network.serve()
    async with grpc.aio.insecure_channel(service.address) as channel:
        call, found = await ask(channel, cid)
        with await data_channel.connect("127.0.0.1", found) as line:
            call.cancel()
            line.setblocking(True)
            line.settimeout(10)
            got = 0
            with pytest.raises(ConnectionResetError):  # noqa: PT012
                while piece := await asyncio.to_thread(line.recv, CONTENT_LEAF):
                    got += len(piece)
                raise ConnectionResetError
            assert got < len(DATA)


async def test_data_channel__breaks__goes_on_where_it_was(
    network: Network, cid: Cid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, offsets = data_channel.send, []

    def half(line: socket.socket, path: Path, offset: int, size: int) -> None:
        offsets.append(offset)
        whole(line, path, offset, offset + 6 * CONTENT_LEAF if len(offsets) < 3 else size)

    monkeypatch.setattr(data_channel, "send", half)
    client = network.client((await network.serve()).address)
    await client.fetch(cid, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == DATA
    assert offsets[0] == 0
    assert offsets[1] >= 5 * CONTENT_LEAF


async def test_data_channel__given_up_and_called_again__goes_on_where_it_was(
    network: Network, cid: Cid, tmp_path: Path
) -> None:
    client = network.client((await network.serve()).address)
    half = asyncio.Event()
    fetching = asyncio.create_task(
        client.fetch(
            cid, tmp_path / "model", on_progress=lambda done, _: half.set() if done < len(DATA) else None
        )
    )
    await half.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert (tmp_path / "model.part").stat().st_size >= CONTENT_LEAF
    await client.fetch(cid, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == DATA


async def test_data_channel__closed_before_a_byte_came__this_content_over_grpc(
    network: Network, cid: Cid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, refused = data_channel.send, list[int]()

    def first_refused(line: socket.socket, path: Path, offset: int, size: int) -> None:
        if not refused:
            refused.append(offset)
            raise ConnectionResetError
        whole(line, path, offset, size)

    monkeypatch.setattr(data_channel, "send", first_refused)
    cable = await network.cable((await network.serve()).address, [])
    client = network.client(cable.address)
    await client.fetch(cid, tmp_path / "once")
    assert cable.carried > len(DATA)
    await client.fetch(cid, tmp_path / "again")
    assert cable.carried < 2 * len(DATA)
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes() == DATA
    assert refused == [0]


async def test_data_channel__one_host_holds_all_places__loses_them_to_others(
    network: Network, cid: Cid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_channel, "_STRANGERS", 4)
    cable = await network.cable((await network.serve()).address, [])
    client = network.client(cable.address)
    async with grpc.aio.insecure_channel(cable.address) as channel:
        call, found = await ask(channel, cid)
        call.cancel()
    with contextlib.ExitStack() as stack:

        def knock(host: str) -> socket.socket:
            to = ("127.0.0.1", found.port)
            return stack.enter_context(socket.create_connection(to, timeout=5, source_address=(host, 0)))

        first, *crowd = [knock(f"127.0.0.{last}") for last in (2, 3, 3, 3, 3, 3)]
        for line in crowd[:2]:
            assert await asyncio.to_thread(line.recv, 1) == b""
        await client.fetch(cid, tmp_path / "model")
        assert await asyncio.to_thread(crowd[2].recv, 1) == b""
        for line in (first, *crowd[3:]):
            line.setblocking(False)
            with pytest.raises(BlockingIOError):
                line.recv(1)
    assert cable.carried < 10_000
    assert (tmp_path / "model").read_bytes() == DATA


async def test_data_channel__other_bytes_or_too_many__refused(
    network: Network, cid: Cid, tmp_path: Path
) -> None:
    path = network.superlink.disk.path_of(cid)
    path.unlink()
    path.write_bytes(DATA[::-1])
    client = network.client((await network.serve()).address)
    with pytest.raises(Mismatch):
        await client.fetch(cid, tmp_path / "model")
    with pytest.raises(TooLarge):
        await client.fetch(cid, tmp_path / "model", len(DATA) - 1)


async def test_data_channel__superlink_stopped_on_the_way__unreachable(
    network: Network, cid: Cid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = asyncio.Event()

    loop = asyncio.get_running_loop()

    def never(line: socket.socket, *_: Any) -> None:
        loop.call_soon_threadsafe(arrived.set)
        line.recv(1)

    monkeypatch.setattr(data_channel, "send", never)
    service = await network.serve()
    client = network.client(service.address, limit=0.5)
    fetching = asyncio.create_task(client.fetch(cid, tmp_path / "model"))
    await arrived.wait()
    await service.stop(0)
    with pytest.raises(Unreachable):
        await fetching


async def test_data_channel__large_update__does_not_go_over_grpc(network: Network, update: Path) -> None:
    cable = await network.cable((await network.serve()).address, [])
    client = network.client(cable.address)
    seen: list[int] = []
    assert (await reveal(client, update, seen.append)).accepted
    assert network.superlink.disk.path_of(cid_of_bytes(DATA)).read_bytes() == DATA
    assert (client.sent, cable.sent < 10_000) == (len(DATA), True)
    assert seen == [*range(0, len(DATA), CONTENT_LEAF), len(DATA)]  # from nothing to all of it


async def test_data_channel__cannot_be_reached__update_over_grpc_and_not_tried_again(
    network: Network, update: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_channel, "_PATIENCE", 0.1)
    client = network.client((await network.serve()).address)
    for _ in range(2):
        assert (await reveal(client, update)).accepted
    assert tried == ["127.0.0.1"]
    assert len(network.superlink.revealed) == 2


@pytest.mark.parametrize("size", [CONTENT_LEAF, len(DATA) + 1])
async def test_data_channel__breaks_on_the_way__update_over_grpc(
    network: Network, update: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = data_channel.send

    def part(line: socket.socket, path: Path, offset: int, _: int, on_sent: Callable[[int], None]) -> None:
        whole(line, path, offset, min(size, len(DATA)), on_sent)
        if size > len(DATA):
            line.sendall(b"more")
        raise ConnectionResetError

    monkeypatch.setattr(data_channel, "send", part)
    client = network.client((await network.serve()).address)
    assert (await reveal(client, update)).accepted
    assert network.superlink.disk.path_of(cid_of_bytes(DATA)).read_bytes() == DATA


async def test_data_channel__another_update_than_announced__refused_and_not_kept(
    network: Network, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(DATA[::-1])
    client = network.client((await network.serve()).address)
    with pytest.raises(Refused, match="expected"):
        await reveal(client, other)
    assert not network.superlink.disk.path_of(cid_of_bytes(DATA)).exists()


async def test_data_channel__with_tls__there_is_none(network: Network, cid: Cid, tmp_path: Path) -> None:
    certificate = self_made(tmp_path, "superlink")
    service = await network.serve(certificate=certificate)
    await network.client(service.address, tls=Tls(certificate.chain)).fetch(cid, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == DATA
    assert cid == cid_of_bytes(DATA)
