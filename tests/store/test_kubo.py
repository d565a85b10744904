import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dao.core.constants import CONTENT_LEAF
from dao.core.formats.cid import Cid, ContentCodec
from dao.devnet.kubo_daemon import Kubo, start_kubo
from dao.errors import ConfigError, ContentError, Mismatch, NotFound, TooLarge
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore

pytestmark = pytest.mark.kubo


@pytest.fixture
def stores(kubos: tuple[Kubo, Kubo], tmp_path: Path) -> Iterator[tuple[KuboStore, KuboStore]]:
    """The stores of two Supernodes, each over an IPFS node and a cache of its own."""
    made = [KuboStore(kubo.api, DiskStore(tmp_path / str(n), sync=False), 30) for n, kubo in enumerate(kubos)]
    yield made[0], made[1]
    for store in made:
        store.close()


@pytest.mark.parametrize("size", [1, CONTENT_LEAF, CONTENT_LEAF + 1, 20_000_000])
async def test_kubo__put_here_get_there__same_bytes(stores: tuple[KuboStore, KuboStore], size: int) -> None:
    here, there = stores
    data = b"\1" + os.urandom(
        size - 1
    )  # as all that the protocol knows, it does not begin like a node of a tree
    cid = await here.put_bytes(data)
    assert cid == cid_of_bytes(data)
    assert await here.has(cid)
    assert not await there.has(cid)
    assert await there.resolve(cid.digest) == cid
    assert (await there.get(cid.digest)).read_bytes() == data
    assert await there.has(cid)


async def test_kubo_put_file__move__file_becomes_part_of_the_cache(
    stores: tuple[KuboStore, KuboStore], tmp_path: Path
) -> None:
    here, there = stores
    data = os.urandom(3 * CONTENT_LEAF)
    for name, move in (("kept", False), ("moved", True)):
        (tmp_path / name).write_bytes(data)
        cid = await here.put_file(tmp_path / name, move)
        assert (tmp_path / name).exists() is not move
    assert (await there.get(cid)).read_bytes() == data


async def test_kubo__empty_or_no_file__refused(stores: tuple[KuboStore, KuboStore], tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for call in (
        stores[0].put_bytes(b""),
        stores[0].put_file(tmp_path / "empty"),
        stores[0].put_file(tmp_path / "absent"),
    ):
        with pytest.raises(ContentError):
            await call


async def test_kubo__corrupt_cache__fetched_again(
    stores: tuple[KuboStore, KuboStore], tmp_path: Path, corrupt: Callable[[Path], None]
) -> None:
    data = os.urandom(CONTENT_LEAF + 9)
    cid = await stores[0].put_bytes(data)
    corrupt(await stores[1].get(cid))
    assert (await stores[1].get(cid)).read_bytes() == data


async def test_kubo_get__above_the_cap__too_large(stores: tuple[KuboStore, KuboStore]) -> None:
    cid = await stores[0].put_bytes(os.urandom(3 * CONTENT_LEAF))
    with pytest.raises(TooLarge, match=f"{2 * CONTENT_LEAF} allowed"):
        await stores[1].get(cid, max_bytes=2 * CONTENT_LEAF)


async def test_kubo_get__tree_of_another_shape__mismatch(
    stores: tuple[KuboStore, KuboStore], kubos: tuple[Kubo, Kubo]
) -> None:
    """Kubo itself vouches for the bytes, but this protocol gives each content one name only."""
    from dao.store.kubo import _ADD

    options = _ADD | {"chunker": "size-262144"}
    other = stores[0]._api.add(lambda: iter([bytes(CONTENT_LEAF), b"more"]), 10, options)
    with pytest.raises(Mismatch, match=other):
        await stores[1].get(Cid.parse(other))


async def test_kubo__nobody_has_it__not_found_within_the_limit(
    kubos: tuple[Kubo, Kubo], disk: DiskStore
) -> None:
    store = KuboStore(kubos[0].api, disk, timeout=0.5)
    cid = cid_of_bytes(b"never put anywhere")
    start = time.monotonic()
    for call in (store.get(cid), store.resolve(cid.digest), store.pin(cid)):
        with pytest.raises(NotFound, match=str(cid) + "|" + cid.digest.hex()):
            await call
    assert not await store.has(cid)
    await store.unpin(cid)
    assert time.monotonic() - start < 10
    store.close()


async def test_kubo_pin__collected_garbage__pinned_stays(stores: tuple[KuboStore, KuboStore]) -> None:
    kept, dropped = [await stores[0].put_bytes(os.urandom(2 * CONTENT_LEAF)) for _ in range(2)]
    await stores[0].pin(kept)
    await stores[0].pin(kept.digest)
    await asyncio.to_thread(stores[0]._api.ask, "/repo/gc", "", 30, {"quiet": "true"})
    assert await stores[0].has(kept)
    assert not await stores[0].has(dropped)
    await stores[0].unpin(kept)
    await stores[0].unpin(kept)


async def test_kubo__restarted__serves_again(tmp_path: Path, disk: DiskStore) -> None:
    kubo = await start_kubo(tmp_path / "kubo")
    store = KuboStore(kubo.api, disk, 10)
    cid = await store.put_bytes(b"before")
    await kubo.stop()
    with pytest.raises(ContentError, match="cannot be reached; check that `ipfs daemon` runs"):
        await store.put_bytes(b"while it is down")
    again = await start_kubo(tmp_path / "kubo")
    second = KuboStore(again.api, disk, 10)
    try:
        assert await second.has(cid)
        assert (await second.get(cid)).read_bytes() == b"before"
    finally:
        store.close()
        second.close()
        await again.stop()


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:5001", "http://127.0.0.1:5001", "/ip4/127.0.0.1/udp/5001"]
)
def test_kubo__no_multiaddr__config_error(address: str, disk: DiskStore) -> None:
    with pytest.raises(ConfigError, match="multiaddr"):
        KuboStore(address, disk)


class Impostor:
    """Something that answers on the API's port with what it was given, and then stalls or ends."""

    def __init__(self, answer: bytes, stall: bool) -> None:
        self._answer, self._stall = answer, stall
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def api(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self._socket.getsockname()[1]}/http"

    def _serve(self) -> None:
        while not self._done.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self._answer)
                if self._stall:
                    self._done.wait(20)

    def stop(self) -> None:
        self._done.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


@pytest.mark.parametrize(
    ("answer", "stall"),
    [
        (b"", True),  # silent
        (b"", False),
        (b"not http at all\r\n\r\n", False),
        (HEAD + b"content-length: 100\r\n\r\nhalf", True),
        (HEAD + b"content-length: 100\r\n\r\nhalf", False),
        (HEAD + b"content-length: 4\r\n\r\nhalf", False),  # complete, and other bytes
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", False),
        (b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"HTTP/1.1 307 Away\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", False),
    ],
)
async def test_kubo__impostor_on_the_port__content_error_within_the_limit(
    answer: bytes, stall: bool, disk: DiskStore
) -> None:
    impostor = await asyncio.to_thread(Impostor, answer, stall)
    store = KuboStore(impostor.api, disk, timeout=0.5)
    cid = cid_of_bytes(b"wanted")
    try:
        start = time.monotonic()
        for call in (store.get(cid), store.put_bytes(b"given")):
            with pytest.raises(ContentError):
                await call
        assert time.monotonic() - start < 10
    finally:
        store.close()
        await asyncio.to_thread(impostor.stop)
    assert not list(disk.tmp.iterdir())


async def test_kubo_resolve__raw_and_tree__told_apart(stores: tuple[KuboStore, KuboStore]) -> None:
    small, large = await stores[0].put_bytes(b"{}"), await stores[0].put_bytes(bytes(CONTENT_LEAF + 1))
    assert (await stores[1].resolve(small.digest)).codec is ContentCodec.RAW
    assert (await stores[1].resolve(large.digest)).codec is ContentCodec.DAG_PB


async def test_kubo_daemon__its_starter_is_killed__ends_too(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib\n"
        "from dao.devnet.kubo_daemon import start_kubo\n"
        "async def main():\n"
        "    print((await start_kubo(pathlib.Path(sys.argv[1]))).api, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path / "kubo"), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    api = (await asyncio.wait_for(starter.stdout.readline(), 30)).decode().strip().split("/")
    reader, writer = await asyncio.open_connection(api[2], int(api[4]))
    starter.kill()
    assert await asyncio.wait_for(reader.read(), 30) == b""  # the daemon closed it by ending
    writer.close()
    await starter.wait()
