"""What keeps a Superlink from starting is said before anything that takes long."""

import socket
from pathlib import Path

import pytest

from aggregator.daemon import Settings, open_superlink
from dao.chain.deployment import Deployment
from dao.chain.signer import Signer
from dao.core.errors import ConfigError
from dao.core.types import Address, BlockNumber, TaskId


async def test_superlink__the_port_is_taken__refused_before_the_chain_is_asked(tmp_path: Path) -> None:
    nowhere = Address(bytes(20))
    deployment = Deployment(1, BlockNumber(0), *[nowhere] * 7)
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = Settings(
            *(tmp_path, TaskId(1), "ws://127.0.0.1:9", deployment, tmp_path, Path("python")),
            listen=f"127.0.0.1:{other.getsockname()[1]}",
        )
        with pytest.raises(ConfigError, match="cannot be listened at: Address already in use"):
            async with open_superlink(settings, Signer.ephemeral()):
                pass
