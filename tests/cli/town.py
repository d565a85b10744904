"""A governed network with two members, who act by their own account or by a real API."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dao.api.settings import init
from dao.chain.deploy import TOKEN, Params, grant
from dao.chain.handover import find_faults, hand_over
from dao.chain.signer import Signer
from dao.core.types import Wei, hex_of
from dao.devnet.anvil import Anvil
from tests.cli.command import LIMIT, Dao
from tests.support import Network, deploy_network

PARAMS = Params(voting_delay=10, voting_period=100, late_extension=10)
DELAY = 5  # seconds of the timelock
NOBODY = ("--dev-account", 7)  # has ether alone
PASSWORD = "canary-of-the-member"
ETHER = Wei(10**18)


@dataclass(frozen=True)
class Member:
    """A member with 1,000 tokens, and the options that name its key."""

    address: str
    key: tuple[object, ...]


@dataclass(frozen=True)
class Town:
    """A governed network; `paid` and `free` are the options of the two ways to act."""

    dao: Dao
    network: Network
    members: list[Member]
    paid: tuple[object, ...]
    free: tuple[object, ...]

    def pass_time(self, seconds: int) -> None:
        self.network.anvil.request("evm_increaseTime", seconds)
        self.network.anvil.request("evm_mine")
        self.caught_up()

    def caught_up(self) -> None:
        """Wait until the API has what the chain has."""
        head, end = int(self.network.anvil.request("eth_blockNumber"), 16), time.monotonic() + LIMIT
        while (self._answer().get("as_of") or {"block": 0})["block"] < head:
            assert time.monotonic() < end
            time.sleep(0.05)

    def told(self, way: tuple[object, ...], number: str) -> Any:
        """A proposal as it is told by a way."""
        self.caught_up()
        return self.dao.json("proposals", number, *way)

    def carry(self, number: str, member: Member) -> None:
        """Have a proposal that was just made decided by a member's votes, and carried out."""
        act = (*self.paid, *member.key, "--yes")
        self.pass_time(PARAMS.voting_delay + 1)
        self.dao.run("vote", number, "for", *act)
        self.pass_time(PARAMS.voting_period + 1)
        self.dao.run("queue", number, *act)
        self.pass_time(DELAY + 1)
        self.dao.run("execute", number, *act)

    async def faults(self) -> list[str]:
        """What keeps the network from being its members' alone."""
        async with self.network.chain() as chain:
            return [fault async for fault in find_faults(chain, chain.head())]

    def _answer(self) -> Any:
        return httpx.get(f"{self.free[1]}/api/v1/network", timeout=LIMIT).json()


@contextmanager
def open_town(dao: Dao, anvil: Anvil, folder: Path) -> Iterator[Town]:
    """Deploy for members, and serve an API."""
    network = deploy_network(anvil, folder / "network", PARAMS)
    password = folder / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    signers = [Signer.create(folder / f"{name}.json", PASSWORD, work=4096) for name in ("one", "two")]

    async def prepare() -> None:
        async with network.chain() as chain, network.dao(chain) as sender:
            await grant(chain, sender, {signer.address: Wei(1000 * TOKEN) for signer in signers})
            await hand_over(chain, sender, DELAY)

    asyncio.run(prepare())
    file = folder / "deployment.json"
    network.deployment.save(file)
    relayer = init(folder / "api", anvil.ws, file, "127.0.0.1:0", work=4096)
    config = folder / "api" / "config.toml"
    rates = "reads_per_second = 1000\nwrites_per_second = 1000\n"
    config.write_text(config.read_text().replace("[api]\n", f"[api]\n{rates}"))
    anvil.fund(relayer, ETHER)
    anvil.fund(signers[1].address, ETHER)  # the first has none: it must do without
    members = [
        Member(hex_of(signer.address), ("--keystore", folder / f"{name}.json", "--password-file", password))
        for signer, name in zip(signers, ("one", "two"), strict=True)
    ]
    with dao.running("api", "start", "--home", folder / "api") as daemon:
        url = daemon.line().removeprefix("API at ")
        made = Town(dao, network, members, ("--rpc", anvil.ws, "--deployment", file), ("--api", url))
        made.caught_up()
        yield made
