"""`dao task create` by an account that may not: it reads what to do, before anything is stored."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dao.chain.deploy import TOKEN, grant
from dao.chain.handover import hand_over
from dao.core.types import Wei, hex_of
from dao.devnet.anvil import dev_signer
from tests.cli.command import Dao
from tests.cli.conftest import Devnet
from tests.support import Network

NOBODY = hex_of(dev_signer(2).address)


def create(folder: Path, *network: object) -> tuple[object, ...]:
    options = ("--app", folder / "app", "--shards", folder / "shards", "--superlink-operator", NOBODY)
    return ("task", "create", *options, *network, "--content-folder", folder / "store")


def test_create__on_the_devnet_by_another_account__is_told_of_account_0(
    devnet: Devnet, tmp_path: Path
) -> None:
    said = devnet.dao.refused(*create(tmp_path, *devnet.network), "--dev-account", 2)
    assert said == (
        f"account {NOBODY}: may not create a task on behalf of the DAO; on this devnet, --dev-account 0 may"
    )
    assert not (tmp_path / "store").exists()


def test_create__where_members_govern__is_told_of_proposals(own_network: Network, tmp_path: Path) -> None:
    async def govern() -> None:
        async with own_network.chain() as chain, own_network.dao(chain) as deployer:
            await grant(chain, deployer, {dev_signer(2).address: Wei(TOKEN)})
            await hand_over(chain, deployer)

    asyncio.run(govern())
    own_network.deployment.save(tmp_path / "deployment.json")
    network = ("--rpc", own_network.anvil.ws, "--deployment", tmp_path / "deployment.json")
    said = Dao(tmp_path).refused(*create(tmp_path, *network), "--dev-account", 0)
    assert said.endswith("it takes a proposal that members accept: dao task propose")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("point", ["written-schedule", "sent-schedule", "sent-execute"])
def test_create__killed_around_a_transaction_and_repeated__one_task_and_on_purpose_another(
    devnet: Devnet, tmp_path: Path, point: str
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text("def loss(model, batch): ...\n")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "a").write_bytes(os.urandom(8))
    save_file({"w": np.zeros(4, np.float32)}, tmp_path / "model")
    command = (
        *create(tmp_path, *devnet.network),
        *("--dev-account", 0, "--untried", "--model", tmp_path / "model", "--fund-rounds", 1),
    )
    before = len(devnet.dao.json("task", "ls", *devnet.network))
    devnet.dao.killed(f"{point} approve, createTask", *command)
    assert devnet.dao.json(*command)["task"] == before + 1
    assert len(devnet.dao.json("task", "ls", *devnet.network)) == before + 1
    assert devnet.dao.json(*command)["task"] == before + 2
