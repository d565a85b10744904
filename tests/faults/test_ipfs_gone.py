"""The IPFS node beside Superlink and Supernodes dies and comes back: content comes from the Superlink meanwhile."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest

from dao.core.formats.cid import Cid
from dao.devnet.kubo_daemon import start_kubo
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from tests.faults.process import LIMIT
from tests.faults.world import World, open_world, write_config
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240), pytest.mark.kubo]


async def test_ipfs_node__killed_and_started_again__rounds_go_on_and_it_has_what_is_new(
    living_network: Network, tmp_path: Path
) -> None:
    repo = tmp_path / "kubo"
    kubo = await start_kubo(repo)
    try:
        async with open_world(living_network, tmp_path / "world") as world:
            use_ipfs(world, kubo.api)
            await world.start()
            before, manifest = await world.play()
            await wait_until_held(kubo.api, manifest.model, tmp_path)
            await kubo.stop()
            without = await world.play_after(before)

            keep_port(repo / "config", kubo.api)
            kubo = await start_kubo(repo)
            after = await world.play_after(without)
            await wait_until_held(kubo.api, (await world.posted(after)).model, tmp_path)
            world.show()
    finally:
        await kubo.stop()


def use_ipfs(world: World, api: str) -> None:
    """Have all daemons use an IPFS node."""
    for daemon in (world.superlink, *world.nodes):
        config = daemon.home / "config.toml"
        first, _, _ = config.read_text().partition("[chain]")
        write_config(daemon.home, world.network, f'{first}content.ipfs = "{api}"')


def keep_port(config: Path, api: str) -> None:
    """Have an IPFS node come back at the same address."""
    settings = json.loads(config.read_text())
    settings["Addresses"]["API"] = api
    config.write_text(json.dumps(settings))


async def wait_until_held(api: str, cid: Cid, folder: Path) -> None:
    """Wait until an IPFS node has a content."""
    with closing(KuboStore(api, DiskStore(folder / "reader"))) as store:
        async with asyncio.timeout(LIMIT):
            while not await store.has(cid):  # noqa: ASYNC110  (nothing tells)
                await asyncio.sleep(0.1)
