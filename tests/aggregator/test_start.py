"""What keeps a Superlink from starting is said before anything that takes long."""

import socket
from pathlib import Path

import pytest

from aggregator.daemon import open_superlink
from aggregator.settings import SuperlinkSettings
from dao.chain.contract_table import PROVERS
from dao.chain.deployment import Deployment
from dao.chain.signer import Signer
from dao.core.types import Address, BlockNumber
from dao.errors import ConfigError


async def test_superlink__the_port_is_taken__refused_before_the_chain_is_asked(tmp_path: Path) -> None:
    nowhere = Address(bytes(20))
    provers = dict.fromkeys(PROVERS, nowhere)
    made = Deployment(1, BlockNumber(0), *[nowhere] * 10, provers=provers)
    made.save(tmp_path / "deployment.json")
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        settings = SuperlinkSettings.load(
            tmp_path, task=1, chain={"rpc": "ws://127.0.0.1:9"}, shards=tmp_path, listen=listen
        )
        with pytest.raises(ConfigError, match="cannot be listened at: Address already in use"):
            async with open_superlink(settings, Signer.ephemeral()):
                pass


async def test_superlink__machine_without_a_sandbox__refused_before_the_chain_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dao.app.sandbox.find_maker", lambda: "unshare: Operation not permitted")
    nowhere = Address(bytes(20))
    provers = dict.fromkeys(PROVERS, nowhere)
    Deployment(1, BlockNumber(0), *[nowhere] * 10, provers=provers).save(tmp_path / "deployment.json")
    settings = SuperlinkSettings.load(
        tmp_path,
        task=1,
        chain={"rpc": "ws://127.0.0.1:9"},
        shards=tmp_path,
        listen="127.0.0.1:0",
        sandbox={"mode": "require"},
    )
    with pytest.raises(ConfigError, match="this machine has none for apps"):
        async with open_superlink(settings, Signer.ephemeral()):
            pass
