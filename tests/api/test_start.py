"""`dao api init` and `start`, as an operator uses them."""

from pathlib import Path

import httpx

from dao.core.types import Wei, address_of
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
    assert "dao api init makes one" in Dao(tmp_path).refused("api", "start")
