import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from dao.core.commits import Reveal
from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid
from dao.core.types import Digest, TaskId
from dao.errors import ContentError, DaoError, Mismatch, NotFound, Refused, TooLarge
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire import grpc_options
from dao.wire.call_limits import CallLimits
from dao.wire.messages import Ack, RevealRequest, write_reveal
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource
from tests.wire.network import RECEIPT, ROUND, TASK, Network

BODY_ROOT, SALT = Digest(b"\x66" * 32), Digest(b"\x77" * 32)


@pytest.fixture
def update(tmp_path: Path) -> tuple[Path, Cid]:
    path = tmp_path / "update"
    path.write_bytes(os.urandom(3 * CONTENT_LEAF + 5))
    return path, cid_of_bytes(path.read_bytes())


def reveal(client: SuperlinkClient, cid: Cid, content: Path | None, task: TaskId = TASK) -> Any:
    return client.reveal(task, ROUND, Reveal(cid, BODY_ROOT, SALT), content)


@pytest.mark.parametrize("size", [1, CONTENT_LEAF, 9 * CONTENT_LEAF + 1])
async def test_reveal__content_streamed__stored_and_acknowledged(
    network: Network, tmp_path: Path, size: int
) -> None:
    client = network.client((await network.serve()).address, by_channel=False)
    path = tmp_path / "update"
    path.write_bytes(os.urandom(size))
    cid = cid_of_bytes(path.read_bytes())
    assert await reveal(client, cid, path) == Ack(True, receipt=RECEIPT)
    assert network.superlink.revealed == [
        RevealRequest(TASK, ROUND, Reveal(cid, BODY_ROOT, SALT), size, False)
    ]
    assert (await network.superlink.disk.get(cid)).read_bytes() == path.read_bytes()


async def test_reveal__by_ipfs__header_only(network: Network, update: tuple[Path, Cid]) -> None:
    client = network.client((await network.serve()).address)
    assert (await reveal(client, update[1], None)).accepted
    assert network.superlink.revealed == [
        RevealRequest(TASK, ROUND, Reveal(update[1], BODY_ROOT, SALT), 0, True)
    ]


async def test_reveal__not_accepted__reason_before_all_is_sent(network: Network, tmp_path: Path) -> None:
    client = network.client((await network.serve()).address)
    path = tmp_path / "update"
    with path.open("wb") as file:
        file.truncate(64 * CONTENT_LEAF)
    assert await reveal(client, cid_of_bytes(b"x"), path, TaskId(9)) == Ack(False, "task 9: not ours")


async def test_reveal__other_content_than_named__refused(network: Network, update: tuple[Path, Cid]) -> None:
    client = network.client((await network.serve()).address)
    with pytest.raises(Refused, match=r"expected .*, got"):
        await reveal(client, cid_of_bytes(b"other"), update[0])
    assert not network.superlink.revealed
    assert not list(network.superlink.disk.tmp.iterdir())


async def test_reveal__file_gone__content_error(network: Network, tmp_path: Path) -> None:
    client = network.client((await network.serve()).address)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ContentError, match="folder: cannot be read"):
        await reveal(client, cid_of_bytes(b"x"), tmp_path / "folder")
    with pytest.raises(ContentError, match="absent: cannot be read"):
        await reveal(client, cid_of_bytes(b"x"), tmp_path / "absent")


async def test_reveal__no_member__refused_while_it_sends(network: Network, update: tuple[Path, Cid]) -> None:
    client = network.client((await network.serve()).address, member=False)
    with pytest.raises(Refused, match="no Supernode"):
        await reveal(client, update[1], update[0])


@pytest.mark.parametrize(
    ("declared", "pieces", "words"),
    [
        (100, [bytes(99)], "ended after 99 bytes; expected the 100 bytes declared"),
        (100, [bytes(60), bytes(41)], "101 bytes and more"),
        (100, [bytes(100), b""], "an empty piece"),
        (100, [], "ended after 0 bytes"),
        (1 << 62, [], "RevealRequest.size: 4611686018427387904, expected at most"),
        (10 * CONTENT_LEAF, [bytes(2 * CONTENT_LEAF)], "larger than max"),
    ],
)
async def test_reveal__size_is_a_lie__refused(
    network: Network, declared: int, pieces: list[bytes], words: str
) -> None:
    service = await network.serve()
    client = network.client(service.address)
    header = RevealRequest(TASK, ROUND, Reveal(cid_of_bytes(b"x"), BODY_ROOT, SALT), declared, False)
    first = await client._signed(grpc_options.REVEAL, write_reveal(header), 10)

    async def messages() -> AsyncIterator[bytes]:
        yield first
        for piece in pieces:
            yield piece

    async with grpc.aio.insecure_channel(service.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=words):
            await channel.stream_unary(grpc_options.REVEAL, None, None)(messages(), timeout=10)
    assert not network.superlink.revealed
    assert not list(network.superlink.disk.tmp.iterdir())


@pytest.mark.parametrize("sends_header", [False, True])
async def test_reveal__falls_silent__ended_and_others_served(
    network: Network, update: tuple[Path, Cid], sends_header: bool
) -> None:
    service = await network.serve(limits=CallLimits(silence_seconds=0.3, reveals=2))
    slow, client = network.client(service.address), network.client(service.address)
    header = RevealRequest(TASK, ROUND, Reveal(update[1], BODY_ROOT, SALT), 100, False)
    async with grpc.aio.insecure_channel(service.address) as channel:
        call = channel.stream_unary(grpc_options.REVEAL, None, None)(timeout=10)  # type: ignore[call-arg]
        if sends_header:
            await call.write(await slow._signed(grpc_options.REVEAL, write_reveal(header), 10))
        assert (await reveal(client, update[1], update[0])).accepted
        with pytest.raises(grpc.aio.AioRpcError, match="took longer than it may"):
            await call


async def test_reveal__too_many_of_one_node__refused_and_others_served(
    network: Network, update: tuple[Path, Cid]
) -> None:
    service = await network.serve(limits=CallLimits(node_reveals=1))
    slow, client = network.client(service.address, limit=1), network.client(service.address)
    header = write_reveal(RevealRequest(TASK, ROUND, Reveal(update[1], BODY_ROOT, SALT), 100, False))
    async with grpc.aio.insecure_channel(service.address) as channel:
        stream: Any = channel.stream_unary(grpc_options.REVEAL, None, None)
        calls = [stream(timeout=10) for _ in range(3)]
        for call in calls:
            await call.write(await slow._signed(grpc_options.REVEAL, header, 10))
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(_code(call)) for call in calls], return_when="FIRST_COMPLETED"
        )
        assert [task.result() for task in done] == [grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert (await reveal(client, update[1], update[0])).accepted


async def _code(call: Any) -> grpc.StatusCode:
    code: grpc.StatusCode = await call.code()
    return code


async def test_reveal__connection_breaks__sent_again(network: Network, update: tuple[Path, Cid]) -> None:
    service = await network.serve()
    cable = await network.cable(service.address, [300])  # after Hello, more or less
    client = network.client(cable.address)
    assert (await reveal(client, update[1], update[0])).accepted


async def test_fetch__superlink_restarted_since_the_last_call__says_hello_again(
    network: Network, tmp_path: Path
) -> None:
    cid = await network.superlink.disk.put_bytes(b"model")
    service = await network.serve()
    client = network.client(service.address)
    await client.fetch(cid, tmp_path / "before")
    await service.stop(0)
    await network.serve(service.address)
    await client.fetch(cid, tmp_path / "after")
    assert (tmp_path / "after").read_bytes() == b"model"


async def test_fetch__by_a_member_and_by_anyone__checked_and_in_place(
    network: Network, tmp_path: Path
) -> None:
    service = await network.serve()
    data = os.urandom(5 * CONTENT_LEAF + 3)
    cid = await network.superlink.disk.put_bytes(data)
    seen: list[tuple[int, int]] = []
    for number, client in enumerate(
        (
            network.client(service.address),
            network.stranger(service.address),
            network.client(service.address, member=False),
        )
    ):
        into = tmp_path / str(number)
        assert (
            await client.fetch(cid.digest, into, len(data), lambda done, whole: seen.append((done, whole)))
            == cid
        )
        assert into.read_bytes() == data
        assert not into.with_name(f"{number}.part").exists()
    assert seen[5] == (len(data), len(data))
    assert [done for done, _ in seen[:6]] == sorted(done for done, _ in seen[:6])


async def test_fetch__absent__not_found(network: Network, tmp_path: Path) -> None:
    client = network.client((await network.serve()).address)
    with pytest.raises(NotFound, match="not here; ask another source"):
        await client.fetch(cid_of_bytes(b"x"), tmp_path / "x")


async def test_fetch__above_the_cap__too_large(network: Network, tmp_path: Path) -> None:
    client = network.client((await network.serve()).address)
    cid = await network.superlink.disk.put_bytes(bytes(101))
    with pytest.raises(TooLarge, match="101 bytes are more than the 100"):
        await client.fetch(cid, tmp_path / "x", 100)
    assert not (tmp_path / "x").exists()


async def test_fetch__connection_breaks__goes_on_where_it_was(network: Network, tmp_path: Path) -> None:
    service = await network.serve()
    data = os.urandom(16 * CONTENT_LEAF)
    cid = await network.superlink.disk.put_bytes(data)
    cable = await network.cable(service.address, [6 * CONTENT_LEAF, 6 * CONTENT_LEAF])
    client = network.client(cable.address, by_channel=False)
    await client.fetch(cid, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == data
    assert cable.carried < 24 * CONTENT_LEAF  # not three times from the start


async def test_fetch__given_up_and_called_again__goes_on_where_it_was(
    network: Network, tmp_path: Path
) -> None:
    service = await network.serve()
    data = os.urandom(16 * CONTENT_LEAF)
    cid = await network.superlink.disk.put_bytes(data)
    cable = await network.cable(service.address, [])
    client = network.client(cable.address, by_channel=False)
    half = asyncio.Event()
    fetching = asyncio.create_task(
        client.fetch(
            cid,
            tmp_path / "model",
            on_progress=lambda done, _: half.set() if done >= 8 * CONTENT_LEAF else None,
        )
    )
    await half.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    there = (tmp_path / "model.part").stat().st_size
    assert there >= 6 * CONTENT_LEAF  # two pieces may have been on their way
    first: list[int] = []
    await client.fetch(cid, tmp_path / "model", on_progress=lambda done, _: first.append(done))
    assert first[0] == there + min(CONTENT_LEAF, len(data) - there)
    assert (tmp_path / "model").read_bytes() == data


@pytest.mark.parametrize("stale", [b"something else", bytes(9 * CONTENT_LEAF)])
async def test_fetch__stale_part__started_anew(network: Network, tmp_path: Path, stale: bytes) -> None:
    client = network.client((await network.serve()).address)
    data = os.urandom(3 * CONTENT_LEAF)
    cid = await network.superlink.disk.put_bytes(data)
    (tmp_path / "model.part").write_bytes(stale)
    await client.fetch(cid, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == data


async def test_fetch__superlink_sends_other_bytes__mismatch(network: Network, tmp_path: Path) -> None:
    client = network.client((await network.serve()).address)
    cid = await network.superlink.disk.put_bytes(os.urandom(2 * CONTENT_LEAF))
    path = network.superlink.disk.path_of(cid)
    path.chmod(0o600)
    path.write_bytes(os.urandom(2 * CONTENT_LEAF))
    with pytest.raises(Mismatch, match=str(cid)):
        await client.fetch(cid, tmp_path / "model")
    assert not (tmp_path / "model").exists()


async def test_fetch__two_into_one_file__second_refused(network: Network, tmp_path: Path) -> None:
    client = network.client((await network.serve()).address)
    cid = await network.superlink.disk.put_bytes(os.urandom(4 * CONTENT_LEAF))
    results = await asyncio.gather(
        *(client.fetch(cid, tmp_path / "model") for _ in range(2)), return_exceptions=True
    )
    assert cid in results
    assert (tmp_path / "model").exists()
    assert all(isinstance(result, Cid | DaoError) for result in results)


@pytest.mark.parametrize("offset", [5, 1 << 62])
async def test_fetch__offset_past_the_end__refused(network: Network, tmp_path: Path, offset: int) -> None:
    from dao.wire import superlink_pb2 as pb
    from dao.wire.signed_calls import wrap_unsigned

    service = await network.serve()
    cid = await network.superlink.disk.put_bytes(b"four")
    body = pb.FetchRequest(digest=cid.digest, offset=offset).SerializeToString()
    async with grpc.aio.insecure_channel(service.address) as channel:
        call: Any = channel.unary_stream(grpc_options.FETCH, None, None)(wrap_unsigned(body), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError, match=r"FetchRequest.offset"):
            await call.read()


async def test_fetch__nobody_reads__place_given_to_others(network: Network, tmp_path: Path) -> None:
    from dao.wire import superlink_pb2 as pb
    from dao.wire.signed_calls import wrap_unsigned

    service = await network.serve(limits=CallLimits(silence_seconds=0.2, public_fetches=1))
    cid = await network.superlink.disk.put_bytes(os.urandom(64 * CONTENT_LEAF))
    body = pb.FetchRequest(digest=cid.digest).SerializeToString()
    async with grpc.aio.insecure_channel(service.address) as channel:
        slow: Any = channel.unary_stream(grpc_options.FETCH, None, None)(wrap_unsigned(body), timeout=60)
        await slow.read()  # and no more
        await network.stranger(service.address).fetch(cid, tmp_path / "model")
    assert (tmp_path / "model").stat().st_size == 64 * CONTENT_LEAF


async def test_link_source__in_a_layered_store__fetched_once_and_kept(
    network: Network, tmp_path: Path
) -> None:
    service = await network.serve()
    data = os.urandom(2 * CONTENT_LEAF)
    cid = await network.superlink.disk.put_bytes(data)
    mine = DiskStore(tmp_path / "mine", sync=False)
    source = SuperlinkSource(network.client(service.address), mine)
    store = LayeredStore(mine, [source], attempts=1)
    assert await store.resolve(cid.digest) == cid
    await service.stop(0)
    assert (await store.get(cid)).read_bytes() == data
    assert not list(mine.tmp.iterdir())


async def test_link_source__once__superlink_away_is_asked_a_single_time(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    health = SuperlinkClient.health

    async def counting(client: SuperlinkClient) -> bool:
        asked.append(client.address)
        return await health(client)

    monkeypatch.setattr(SuperlinkClient, "health", counting)
    monkeypatch.setattr(SuperlinkClient, "download", None)  # it must not come to that
    mine = DiskStore(tmp_path / "mine", sync=False)
    source = SuperlinkSource(network.stranger("127.0.0.1:1", limit=0.1), mine, once=True)
    for content in (b"x", b"y"):
        with pytest.raises(ContentError, match=r"Superlink 127.0.0.1:1: no answer"):
            await source.get(cid_of_bytes(content))
    assert asked == ["127.0.0.1:1"]


async def test_link_source__once__superlink_that_went_away_is_not_asked_again(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await network.serve()
    cid = await network.superlink.disk.put_bytes(b"data")
    source = SuperlinkSource(
        network.stranger(service.address, limit=0.2), DiskStore(tmp_path / "mine", sync=False), once=True
    )
    assert (await source.get(cid)).read_bytes() == b"data"
    await service.stop(0)
    with pytest.raises(ContentError, match="does not answer"):
        await source.get(cid_of_bytes(b"x"))
    monkeypatch.setattr(SuperlinkClient, "download", None)  # it must not come to that
    with pytest.raises(ContentError, match="does not answer"):
        await source.get(cid_of_bytes(b"y"))


async def test_link_source__superlink_gone__content_error_naming_it(network: Network, tmp_path: Path) -> None:
    mine = DiskStore(tmp_path / "mine", sync=False)
    source = SuperlinkSource(network.stranger("127.0.0.1:1", limit=0.1), mine)
    with pytest.raises(ContentError, match=r"Superlink 127.0.0.1:1"):
        await source.get(cid_of_bytes(b"x"))
    with pytest.raises(NotFound, match=r"Superlink 127.0.0.1:1"):
        await LayeredStore(mine, [source], attempts=1).get(cid_of_bytes(b"x"))
    assert not await source.has(cid_of_bytes(b"x"))
