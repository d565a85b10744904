from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import Dao


@dataclass(frozen=True)
class Devnet:
    dao: Dao
    home: Path
    rpc: str

    @property
    def network(self) -> tuple[object, ...]:
        """Options of every command that reads the chain."""
        return ("--rpc", self.rpc, "--deployment", self.home / "deployment.json")


@pytest.fixture(scope="module")
def dao(tmp_path_factory: pytest.TempPathFactory) -> Dao:
    return Dao(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def devnet(dao: Dao) -> Iterator[Devnet]:
    """A development network in the background, as `dao devnet up --detach` starts it."""
    home = dao.home / "devnet"
    line = dao.spawn("devnet", "up", "--home", home, "--port", 0, "--detach").stdout
    try:
        yield Devnet(dao, home, line.split()[3])
    finally:
        dao.run("devnet", "down", "--home", home)
