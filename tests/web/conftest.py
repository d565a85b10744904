"""A governed network with an API's home, and a browser."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from bench.chromium import browser as running_browser
from dao.devnet.anvil import Anvil, running_anvil
from tests.api.stage import Stage, build
from tests.web.reader import PATIENCE

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def stage(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return build(anvil, tmp_path_factory.mktemp("stage"))


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage for one test, which may stop its chain or empty its relayer."""
    with running_anvil(tmp_path / "anvil") as running:
        yield build(running, tmp_path)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running
