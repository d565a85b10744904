"""Serves the page and the API of a demonstration that stays up."""

import asyncio
from contextlib import AsyncExitStack

from dao.api.settings import init
from dao.chain.deploy import TOKEN
from dao.demo.demo_network import GAS_MONEY, SCRYPT_WORK, DemoNetwork, find_free_port
from dao.demo.processes import Daemon
from dao.devnet.anvil import FOUNDER_WEI, FOUNDERS, MNEMONIC
from dao.runtime.config import FILE

START_LIMIT = 60.0  # seconds until the API must serve
POLL = 0.1


async def open_site(stack: AsyncExitStack, network: DemoNetwork) -> str:
    """Serve the network's page until the stack is closed; return its address."""
    home, listen = network.folder / "api", f"127.0.0.1:{find_free_port()}"
    relayer = await asyncio.to_thread(
        init, home, network.anvil.ws, network.deployment, listen, work=SCRYPT_WORK
    )
    network.anvil.fund(relayer, GAS_MONEY)
    config, store = home / FILE, network.superlink.home / "store"
    text = config.read_text(encoding="utf-8").replace("[content]\n", f'[content]\nstores = ["{store}"]\n')
    config.write_text(text, encoding="utf-8")
    log = home / "daemon.log"
    daemon = await Daemon.start("api", ["api", "start", "--home", str(home)], log)
    stack.push_async_callback(daemon.stop)
    async with asyncio.timeout(START_LIMIT):
        while "API at" not in log.read_text(encoding="utf-8"):
            daemon.check()
            await asyncio.sleep(POLL)
    return f"http://{listen}"


def describe_voting(network: DemoNetwork, page: str) -> str:
    """Describe what a browser's wallet needs to take part in decisions."""
    accounts, tokens = f"accounts {FOUNDERS[0]} to {FOUNDERS[-1]}", FOUNDER_WEI // TOKEN
    return "\n".join(
        (
            f"page     {page}",
            f"network  {network.anvil.http}, chain id {network.chain.chain_id}",
            f"phrase   {MNEMONIC}",
            f"         its {accounts}, counted from 0, hold {tokens:,} tokens each: delegate, propose, vote",
            "         everyone knows this phrase, so keep nothing of worth under it",
        )
    )
