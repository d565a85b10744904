"""An API over a real chain with a governed network, and members who have a wallet and no ether."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dao.api.daemon import RunningApi, open_api
from dao.api.settings import ApiSettings, init
from dao.chain.deploy import TOKEN, Params, grant
from dao.chain.handover import hand_over
from dao.chain.signer import Signer
from dao.core.types import BlockNumber, Wei, hex_of
from dao.devnet.anvil import Anvil
from dao.gov.siwe import compute_text_digest
from dao.gov.typed_data import compute_digest
from tests.support import Network, deploy_network

BASE = "/api/v1"
ETHER = Wei(10**18)
PARAMS = Params(voting_delay=10, voting_period=100, late_extension=10)
DELAY = 5  # seconds of the timelock, once handed over
LIMIT = 60.0


@dataclass
class Stage:
    """A governed network and the home of its API. `members` have 1,000 tokens each and nothing else."""

    network: Network
    home: Path
    members: list[Signer]

    def settings(self, **changes: Any) -> ApiSettings:
        """The home's settings, with limits that tests do not meet unless they want to."""
        rates = {"reads_per_second": 10_000, "writes_per_second": 10_000}
        return ApiSettings.load(self.home, **{**changes, "api": {**rates, **changes.get("api", {})}})

    @asynccontextmanager
    async def open(self, **changes: Any) -> AsyncIterator[RunningApi]:
        async with open_api(self.settings(**changes)) as running:
            await asyncio.wait_for(running.ready(), LIMIT)
            yield running

    def pass_time(self, seconds: int) -> None:
        """Let block time pass."""
        self.network.anvil.request("evm_increaseTime", seconds)
        self.network.anvil.request("evm_mine")


@dataclass
class Member:
    """Someone with a wallet, at the API by HTTP alone."""

    signer: Signer
    http: httpx.AsyncClient

    @property
    def address(self) -> str:
        return hex_of(self.signer.address)

    async def post(self, path: str, body: Any, code: int = 200) -> Any:
        return checked(await self.http.post(BASE + path, json=body), code)

    async def get(self, path: str, code: int = 200) -> Any:
        return checked(await self.http.get(BASE + path), code)

    async def sign_in(self) -> None:
        said = await self.post("/auth/nonce", {"address": self.address})
        signature = self.signer.sign(compute_text_digest(said["message"]))
        body = {"message": said["message"], "signature": hex_of(signature)}
        session = await self.post("/auth/verify", body)
        self.http.headers["X-CSRF-Token"] = session["csrf"]

    def sign(self, typed: Any) -> str:
        return hex_of(self.signer.sign(compute_digest(typed)))

    async def mined(self, relayed: Any) -> Any:
        """Wait for a relayed message to be in the chain."""
        async with asyncio.timeout(LIMIT):
            while True:
                found = await self.get(f"/relay/{relayed['id']}")
                if found["status"] != "pending":
                    assert found["status"] == "mined", found
                    return found
                await asyncio.sleep(0.05)

    async def delegate(self, delegatee: str | None = None, contract: str = "token") -> Any:
        to = delegatee or self.address
        form = {"account": self.address, "contract": contract, "delegatee": to}
        typed = (await self.post("/prepare/delegate", form))["typed_data"][0]
        message = typed["message"]
        body = {
            "contract": contract,
            "delegatee": to,
            "nonce": message["nonce"],
            "expiry": int(message["expiry"]),
            "signature": self.sign(typed),
        }
        return await self.mined(await self.post("/relay/delegate", body, 202))

    async def vote(self, proposal: str, support: int, reason: str = "") -> Any:
        form = {"account": self.address, "proposal": proposal, "support": support, "reason": reason}
        prepared = await self.post("/prepare/vote", form)
        (typed,) = prepared["typed_data"]
        body = {
            "proposal": proposal,
            "support": support,
            "voter": self.address,
            "nonce": prepared["nonce"],
            "reason": reason,
            "signature": self.sign(typed),
        }
        return await self.mined(await self.post("/relay/vote", body, 202))


async def caught_up(stage: Stage, running: RunningApi) -> None:
    """Wait until what the chain has now can be read."""
    head = int(await asyncio.to_thread(stage.network.anvil.request, "eth_blockNumber"), 16)
    async with asyncio.timeout(LIMIT):
        await running.deps.index.wait_for_block(BlockNumber(head))


def checked(answer: httpx.Response, code: int) -> Any:
    assert answer.status_code == code, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


@asynccontextmanager
async def member(running: RunningApi, signer: Signer) -> AsyncIterator[Member]:
    async with httpx.AsyncClient(base_url=running.url, timeout=LIMIT) as http:
        yield Member(signer, http)


def build(anvil: Anvil, folder: Path, members: int = 4) -> Stage:
    """Deploy, give members tokens, hand over; outside of an event loop."""
    return govern(deploy_network(anvil, folder / "network", PARAMS), folder, members)


def govern(network: Network, folder: Path, members: int = 4) -> Stage:
    """Give members tokens, and hand a network over to them; outside of an event loop."""
    signers = [Signer.ephemeral() for _ in range(members)]

    async def prepare() -> None:
        async with network.chain() as chain, network.dao(chain) as dao:
            await grant(chain, dao, {signer.address: Wei(1000 * TOKEN) for signer in signers})
            await hand_over(chain, dao, DELAY)

    asyncio.run(prepare())
    network.deployment.save(folder / "deployment.json")
    home = folder / "api"
    relayer = init(home, network.anvil.ws, folder / "deployment.json", "127.0.0.1:0", work=4096)
    network.anvil.fund(relayer, ETHER)
    return Stage(network, home, signers)
