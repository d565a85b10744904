"""What keeps a Superlink from starting is said before anything that takes long, and members need not wait for that."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import open_superlink
from aggregator.settings import SuperlinkSettings
from dao.app.gradient_client import GradientClient
from dao.chain.contract_table import PROVERS
from dao.chain.daemon_home import create_home
from dao.chain.deployment import Deployment
from dao.chain.signer import Signer
from dao.core.types import Address, BlockNumber
from dao.demo.demo_network import find_free_port
from dao.errors import ConfigError
from dao.wire.superlink_client import SuperlinkClient
from node.commands import find_shortage
from node.daemon import run_node
from node.settings import NodeSettings, TaskSettings, write_task
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import Patient, World
from tests.support import Network


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


@pytest.mark.asyncio(loop_scope="session")
async def test_superlink__its_app_takes_long_to_start__members_are_served_meanwhile(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    """So they have the app, too, and import it at the same time, before the first round opens."""
    patient = Patient(evaluator)
    patient.go.clear()
    world = await World.make(network, assignment, tmp_path / "superlink", patient)
    network.anvil.fund(world.bonded.operator.address, 10**20)  # type: ignore[arg-type]
    settings = world.settings(listen=f"127.0.0.1:{find_free_port()}")

    async def start() -> None:
        async with open_superlink(settings, world.bonded.operator, patient):
            pass

    async with network.chain() as chain:
        starting = asyncio.create_task(start())
        client = SuperlinkClient(settings.listen, world.nodes[0].signer, chain.domain)
        try:
            async with asyncio.timeout(60):
                await client.fetch(world.rules.base_model, tmp_path / "model")
        finally:
            await client.close()
        assert not starting.done()
        patient.go.set()
        await starting
    assert (tmp_path / "model").stat().st_size


@pytest.mark.asyncio(loop_scope="session")
async def test_start__model_too_large_for_the_sandbox__superlink_and_node_say_so_by_its_size_on_chain(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    """Neither starts the app, nor fetches the model."""
    large: dict[str, Any] = {"chunks": 1 << 24, "scored_chunks": 1 << 24, "body_depth": 24}
    limited = {"memory_bytes": 1 << 30}
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator, members=0, **large)
    settings = world.settings(listen=f"127.0.0.1:{find_free_port()}", sandbox=limited)
    said = f"task {world.task}: a model of 17.2 GB in {{}} GB of memory here"
    with pytest.raises(ConfigError, match=said.format("a process of the app takes at least 21.3")):
        async with open_superlink(settings, world.bonded.operator):
            pass
    network.deployment.save(tmp_path / "deployment.json")
    create_home(NodeSettings, tmp_path / "node", network.anvil.ws, tmp_path / "deployment.json", 4096)
    node = NodeSettings.load(tmp_path / "node", sandbox=limited)
    with pytest.raises(ConfigError, match=said.format("2 processes of apps takes at least 35.5")):
        await find_shortage(node, world.task)  # as `dao node join` does
    write_task(node, world.task, TaskSettings(data=tmp_path / "mine.csv", superlink="127.0.0.1:9"))
    with pytest.raises(ConfigError, match=said.format("2 processes of apps takes at least 35.5")):
        await run_node(node)
