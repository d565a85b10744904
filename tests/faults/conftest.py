"""A network of real processes that most tests share: to start one costs more than most faults."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from dao.devnet.anvil import running_anvil
from tests.faults.world import World, open_world
from tests.support import Network, deploy_network


@pytest.fixture(scope="package", autouse=True)
def forked_evaluators(torch_door: str) -> None:
    """Daemons have their evaluators forked."""


@pytest.fixture(scope="package")
def living_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A chain on which time passes."""
    folder: Path = tmp_path_factory.mktemp("network")
    with running_anvil(folder / "anvil", block_time=1) as anvil:
        yield deploy_network(anvil, folder)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared(living_network: Network, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(living_network, tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def world(shared: World) -> AsyncIterator[World]:
    """A running network: round follows round, and each waits for the test before it trains.

    Of a test that fails, it shows what the daemons said.
    """
    await shared.mend()
    yield shared
    shared.show()
