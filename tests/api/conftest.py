"""A governed network with an API's home, for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dao.devnet.anvil import Anvil, running_anvil
from tests.api.stage import Stage, build


@pytest.fixture(scope="module")
def stage(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return build(anvil, tmp_path_factory.mktemp("stage"))


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage for one test, which may stop its chain or empty its relayer."""
    with running_anvil(tmp_path / "anvil") as running:
        yield build(running, tmp_path)
