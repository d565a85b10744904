"""Starts the demonstration's daemons: Supernodes, then the Superlink, and an IPFS node for each of them where wanted."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from dao.demo.demo_network import DemoKeys, DemoNetwork, write_config, write_demo_task
from dao.demo.plan import DemoMember, Role
from dao.demo.processes import Daemon
from dao.devnet.kubo_daemon import start_kubo


async def start_daemons(
    stack: AsyncExitStack,
    network: DemoNetwork,
    members: Sequence[DemoMember],
    rounds: int,
    *,
    with_ipfs: bool,
) -> list[Daemon]:
    """Start the Supernodes first, so that all are there when the Superlink, the last in the list, opens a round."""
    apis = await _start_ipfs_nodes(stack, network) if with_ipfs else {}
    daemons = []
    for member, keys, data in zip(members, network.nodes, network.data.members, strict=False):
        is_own_code = member.role is Role.FREE_RIDER
        sandbox = "none" if is_own_code else "auto"
        write_config(network, keys, apis.get(keys.home), trains=True, sandbox=sandbox)
        python = None
        if is_own_code:
            from dao.demo.free_rider import write_interpreter

            python = write_interpreter(keys.home / "python")
        write_demo_task(network, keys, data, python)
        daemons.append(await _start_node(stack, member.name, keys))
    write_config(network, network.superlink, apis.get(network.superlink.home))
    daemons.append(await start_superlink(network, rounds))

    async def stop_superlink() -> None:
        await daemons[-1].stop()  # another one, perhaps, than was started here

    stack.push_async_callback(stop_superlink)
    return daemons


async def start_superlink(network: DemoNetwork, rounds: int) -> Daemon:
    """Start the Superlink to play so many rounds."""
    arguments = ["superlink", "start", "--task", str(network.task), "--rounds", str(rounds)]
    arguments += ["--shards", str(network.data.shards), "--listen", network.address]
    arguments += ["--home", str(network.superlink.home)]
    return await Daemon.start("superlink", arguments, network.superlink.home / "daemon.log")


async def _start_node(stack: AsyncExitStack, name: str, keys: DemoKeys) -> Daemon:
    daemon = await Daemon.start(name, ["node", "start", "--home", str(keys.home)], keys.home / "daemon.log")
    stack.push_async_callback(daemon.stop)
    return daemon


async def _start_ipfs_nodes(stack: AsyncExitStack, network: DemoNetwork) -> dict[Path, str]:
    """Start a Kubo for each participant, the Superlink's connected with all; return the APIs by home."""
    nodes = {}
    for keys in (network.superlink, *network.nodes):
        nodes[keys.home] = await start_kubo(keys.home / "ipfs")
        stack.push_async_callback(nodes[keys.home].stop)
        if keys is not network.superlink:
            await nodes[network.superlink.home].connect(nodes[keys.home])
    return {home: node.api for home, node in nodes.items()}
