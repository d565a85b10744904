from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dao.store.disk import DiskStore
from tests.wire.network import Network, Superlink


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    async with AsyncExitStack() as stack:
        yield Network(Superlink(DiskStore(tmp_path / "superlink", sync=False)), stack)
