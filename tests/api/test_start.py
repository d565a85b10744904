"""`dao api init` and `start`, as an operator uses them."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dao.api.daemon import open_api
from dao.chain.deployment import Deployment
from dao.core.formats.address import address_of
from dao.core.types import Address, Wei
from dao.errors import ConfigError
from tests.api.stage import Stage
from tests.cli.command import Dao
from tests.support import Network


def test_start__a_home_of_its_own__serves_page_and_api_until_told(network: Network, tmp_path: Path) -> None:
    dao = Dao(tmp_path)
    network.deployment.save(tmp_path / "deployment.json")
    made = dao.json(
        *("api", "init", "--rpc", network.anvil.ws, "--deployment", tmp_path / "deployment.json"),
        *("--listen", "127.0.0.1:0"),
    )
    home = Path(made["home"])
    assert home.stat().st_mode & 0o777 == 0o700
    network.anvil.fund(address_of(made["relayer"]), Wei(10**18))
    assert "already is a daemon's folder" in dao.refused("api", "init")
    with dao.running("api", "start") as daemon:
        url = daemon.line().removeprefix("API at ")
        health = httpx.get(f"{url}/api/v1/health").json()
        assert health["chain_id"] == network.deployment.chain_id
        assert httpx.get(f"{url}/api/v1/openapi.json").json()["openapi"].startswith("3.1")
        code, out, _ = daemon.stop()
        assert (code, out) == (0, "")


def test_start__without_a_home__says_how_to_make_one(tmp_path: Path) -> None:
    dao = Dao(tmp_path)
    assert "dao api init makes one" in dao.refused("api", "start")
    assert "dao devnet up makes one" in dao.refused(
        "api", "init"
    )  # and nothing is begun that would be in the way
    assert not (tmp_path / ".commonweight").exists()


@pytest.mark.parametrize("listen", ["8460", "host:port", "host:8460/"])
def test_init__listens_at_no_address__says_so_and_makes_nothing(
    network: Network, tmp_path: Path, listen: str
) -> None:
    network.deployment.save(tmp_path / "deployment.json")
    init = ("api", "init", "--deployment", tmp_path / "deployment.json", "--listen", listen)
    assert (
        Dao(tmp_path).refused(*init)
        == f"--listen: expected host:port, such as 127.0.0.1:8460, got '{listen}'"
    )
    assert not (tmp_path / ".commonweight").exists()


def test_init__without_a_deployment__takes_the_devnets(network: Network, tmp_path: Path) -> None:
    dao = Dao(tmp_path)
    devnet = tmp_path / ".commonweight" / "devnet"
    devnet.mkdir(parents=True)
    network.deployment.save(devnet / "deployment.json")
    said = dao.run("api", "init", "--rpc", network.anvil.ws).stdout
    relayer = said.split()[1]
    assert f"next: dao devnet fund {relayer} --tokens 0, then dao api start" in said
    copied = tmp_path / ".commonweight" / "api" / "deployment.json"
    assert Deployment.load(copied) == network.deployment


def test_migrate__a_new_database_and_again__is_up_to_date(network: Network, tmp_path: Path) -> None:
    dao = Dao(tmp_path)
    network.deployment.save(tmp_path / "deployment.json")
    deployment = tmp_path / "deployment.json"
    made = dao.json("api", "init", "--rpc", network.anvil.ws, "--deployment", deployment)
    for _ in range(2):
        assert "up to date" in dao.run("api", "migrate").stdout
    assert (Path(made["home"]) / "index.db").is_file()


async def test_start__with_another_networks_index_or_no_such_store__says_so(
    own_stage: Stage, tmp_path: Path
) -> None:
    async with own_stage.open():
        pass
    file = own_stage.home / "deployment.json"
    other = replace(Deployment.load(file), coordinator=Address(bytes(20)))
    other.save(file)
    with pytest.raises(ConfigError, match="another network's index"):
        async with open_api(own_stage.settings()):
            pass
    with pytest.raises(ConfigError, match=r"content\.stores .*: not the folder of a store"):
        async with open_api(own_stage.settings(api={"database": "new.db"}, content={"stores": (tmp_path,)})):
            pass
