"""The development network: state outlives its process however that ends, and funds arrive."""

import asyncio
import json
import signal
from pathlib import Path

import psutil
import pytest

from dao.chain.client import Chain
from dao.chain.contracts import Token
from dao.chain.deployment import Deployment
from dao.core.types import Address
from dao.devnet.anvil import Anvil, start_anvil
from tests.cli.command import Dao
from tests.cli.conftest import Devnet

ACCOUNT = "0x" + "ab" * 20


async def balances(devnet: Devnet) -> tuple[int, int]:
    """Tokens and ether of the account."""
    async with await Chain.connect(devnet.rpc, Deployment.load(devnet.home / "deployment.json")) as chain:
        held = await Token(chain).balance_of(Address(bytes.fromhex(ACCOUNT[2:])), chain.head())
        return held, int(await chain.request("eth_getBalance", ACCOUNT, "latest"), 16)


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_chain__of_this_machine_behind_a_sites_proxy__is_asked_without_it(
    devnet: Devnet, scheme: str
) -> None:
    dead = dict.fromkeys(("http_proxy", "https_proxy", "ws_proxy", "all_proxy"), "http://127.0.0.1:9")
    rpc = devnet.rpc.replace("ws", scheme, 1)
    listed = ("task", "ls", "--rpc", rpc, "--deployment", devnet.home / "deployment.json")
    assert devnet.dao.spawn(*listed, variables=dead).stdout == "no task yet: dao task create\n"


def test_fund__twice__adds_tokens_and_sets_ether(devnet: Devnet) -> None:
    for ether in (1, 2):
        devnet.dao.run("devnet", "fund", ACCOUNT, "--home", devnet.home, "--tokens", "2.5", "--ether", ether)
        assert asyncio.run(balances(devnet))[1] == ether * 10**18
    assert asyncio.run(balances(devnet))[0] == 5 * 10**18


def test_up__is_running_already__one_line(devnet: Devnet) -> None:
    for more in ([], ["--detach"]):
        assert "in use by another process" in devnet.dao.refused("devnet", "up", "--home", devnet.home, *more)


def test_fund__bad_input__one_line(devnet: Devnet, tmp_path: Path) -> None:
    dao, home = devnet.dao, devnet.home
    assert dao.refused("devnet", "fund", "0x12", "--home", home).startswith("ADDRESS: expected 0x and 40")
    assert "--tokens" in dao.refused("devnet", "fund", ACCOUNT, "--home", home, "--tokens", "x")
    assert "dao devnet up" in dao.refused("devnet", "fund", ACCOUNT, "--home", tmp_path)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_up__after_it_was_ended__goes_on_with_the_same_contracts(dao: Dao, tmp_path: Path, how: int) -> None:
    up = ("devnet", "up", "--home", tmp_path, "--port", 0)
    seen = []
    for _ in range(2):
        with dao.running(*up) as daemon:
            assert daemon.line().startswith("devnet ready at ws://")
            network = json.loads((tmp_path / "network.json").read_text())
            assert network["chain_id"] == 31337
            seen.append((tmp_path / "deployment.json").read_text())
            chain = psutil.Process(daemon.process.pid).children(recursive=True)
            code, _, errors = daemon.stop(how)
            assert (code, errors) == ((-how, "") if how == signal.SIGKILL else (0, ""))
            assert not psutil.wait_procs(chain, timeout=20)[1]  # none outlives it
    assert seen[0] == seen[1]


def test_start_anvil__its_block_time_is_ahead_of_the_clock__goes_on_from_there(tmp_path: Path) -> None:
    def last(anvil: Anvil) -> int:
        return int(anvil.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    state = tmp_path / "state.json"
    anvil = start_anvil(tmp_path, state=state)
    anvil.request("evm_increaseTime", 3600)
    anvil.request("evm_mine")
    before = last(anvil)
    anvil.stop()
    anvil = start_anvil(tmp_path, state=state)
    try:
        assert last(anvil) == before
        anvil.request("evm_mine")
        assert before < last(anvil) < before + 60
    finally:
        anvil.stop()


def test_down__nothing_runs__says_so(dao: Dao, tmp_path: Path) -> None:
    assert "was not running" in dao.run("devnet", "down", "--home", tmp_path).stdout


def test_up__port_in_use__one_line(devnet: Devnet, tmp_path: Path) -> None:
    port = devnet.rpc.rpartition(":")[2]
    for more in ((), ("--detach",)):
        said = devnet.dao.refused("devnet", "up", "--home", tmp_path, "--port", port, *more)
        assert f"is port {port} free? --port names another one" in said


def test_up__again_without_a_port__has_the_one_that_nodes_know(dao: Dao, tmp_path: Path) -> None:
    home = ("--home", tmp_path)
    first = dao.spawn("devnet", "up", *home, "--port", 0, "--detach").stdout
    try:
        dao.spawn("devnet", "down", *home)
        assert dao.spawn("devnet", "up", *home, "--detach").stdout == first
    finally:
        dao.spawn("devnet", "down", *home)


def test_commands__devnet_at_another_port__find_it(devnet: Devnet, tmp_path: Path) -> None:
    """The file that tells its address is found in the home of whoever runs a command."""
    usual = tmp_path / ".commonweight" / "devnet"
    usual.mkdir(parents=True)
    (usual / "network.json").write_bytes((devnet.home / "network.json").read_bytes())
    (usual / "deployment.json").write_bytes((devnet.home / "deployment.json").read_bytes())
    assert isinstance(json.loads(Dao(tmp_path).spawn("task", "ls", "--json").stdout), list)
    Dao(tmp_path).spawn("node", "init", "--home", tmp_path / "node")
    assert f'rpc = "{devnet.rpc}"' in (tmp_path / "node" / "config.toml").read_text()


def test_deploy__by_a_keystore__is_a_network_of_its_own(devnet: Devnet, tmp_path: Path) -> None:
    from dao.chain.signer import Signer
    from dao.core.types import hex_of
    from dao.devnet.anvil import dev_signer

    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret words")
    key = tmp_path / "key.json"
    signer = Signer.create(key, "secret words", work=4096)
    account = ("--keystore", key, "--password-file", password)
    founder = ("--founder", f"{hex_of(dev_signer(3).address)}=70.5", "--timelock-delay", 5)
    deploy = ("deploy", "--rpc", devnet.rpc, "--out", tmp_path / "deployment.json", *founder)
    assert "cannot pay for gas" in devnet.dao.refused(*deploy, *account)
    devnet.dao.run("devnet", "fund", hex_of(signer.address), "--home", devnet.home, "--tokens", 0)
    made = devnet.dao.json(*deploy, *account, "--unbonding-period", 99, "--symbol", "XYZ")
    assert Deployment.load(tmp_path / "deployment.json").coordinator.hex() == made["coordinator"][2:]
    assert "already holds a deployment" in devnet.dao.refused(*deploy, *account)
    assert made["handed_over"] is True
    key.chmod(0o644)
    other = ("deploy", "--rpc", devnet.rpc, "--out", tmp_path / "other.json", *founder)
    assert "expected 0600" in devnet.dao.refused(*other, *account)
    assert "--keystore FILE or" in devnet.dao.refused(*other)
    assert "nothing answers at this address" in devnet.dao.refused(
        "deploy", "--rpc", "ws://127.0.0.1:1", *account, "--out", tmp_path / "x", *founder
    )


def test_deploy__founders_or_periods_that_cannot_be__refused(devnet: Devnet, tmp_path: Path) -> None:
    def refused(*options: object) -> str:
        return devnet.dao.refused("deploy", "--out", tmp_path / "none.json", "--dev-account", 2, *options)

    one = "0x" + "ab" * 20
    assert "nobody could ever vote" in refused()
    assert "expected ADDRESS=TOKENS" in refused("--founder", one)
    assert "expected ADDRESS=TOKENS" in refused("--founder", f"{one}=0")
    assert "each address once" in refused("--founder", f"{one}=1", "--founder", f"{one}=2")
    assert "give less" in refused("--founder", f"{one}=11", "--supply", 10)
    late = ("--late-extension", 11, "--voting-period", 10)
    assert "at most --voting-period" in refused("--founder", f"{one}=1", *late)


def test_dev_account__another_chain__refused() -> None:
    from dao.cli.chain_options import PayingAccount
    from dao.errors import ConfigError

    with pytest.raises(ConfigError, match="only good for the devnet"):
        PayingAccount(dev_account=0).signer(1)


@pytest.mark.parametrize("role", ["node", "superlink", "api"])
def test_init__variables_name_the_network__are_kept_and_their_file_is_not_touched(
    devnet: Devnet, tmp_path: Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, home = tmp_path / "named.json", tmp_path / "home"
    named.write_text("not to be written over")
    monkeypatch.setattr(
        Dao,
        "environment",
        {
            **devnet.dao.environment,
            "COMMONWEIGHT_CHAIN__RPC": "ws://127.0.0.1:1",
            "COMMONWEIGHT_CHAIN__DEPLOYMENT": str(named),
        },
    )
    devnet.dao.run(role, "init", "--home", home, "--deployment", devnet.home / "deployment.json")
    assert named.read_text() == "not to be written over"
    deployed = Deployment.load(devnet.home / "deployment.json")
    assert Deployment.load(home / "deployment.json") == deployed
    assert 'rpc = "ws://127.0.0.1:1"' in (home / "config.toml").read_text()
    again = (home / "deployment.json").read_text()
    devnet.dao.run(role, "init", "--home", tmp_path / "other", "--deployment", home / "deployment.json")
    assert (home / "deployment.json").read_text() == again
