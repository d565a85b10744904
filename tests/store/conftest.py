import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from dao.devnet.kubo_daemon import Kubo, find_kubo, start_kubo
from dao.errors import ConfigError
from dao.store.disk import DiskStore


@pytest.fixture
def disk(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "disk", sync=False)


@pytest.fixture(scope="session")
def kubos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kubo, Kubo]]:
    """Two IPFS nodes that know each other; they outlive the event loops of the tests."""
    try:
        find_kubo()
    except ConfigError as error:
        pytest.skip(str(error))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    started: list[Kubo] = []
    try:
        started.extend(run(start_kubo(tmp_path_factory.mktemp("kubo"))) for _ in range(2))
        run(started[0].connect(started[1]))
        yield started[0], started[1]
    finally:
        for kubo in started:
            run(kubo.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def corrupt() -> Callable[[Path], None]:
    """Change one byte of a stored file, as a failing disk does."""

    def change(path: Path) -> None:
        path.chmod(0o600)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    return change
