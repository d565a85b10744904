"""The network's own facts, read from the chain now and then: what is governed how, and what the treasury has."""

import asyncio
import contextlib
from dataclasses import dataclass

from dao.chain.client import Chain
from dao.chain.contracts import Token
from dao.chain.governance import Governor, Timelock
from dao.chain.interface import load
from dao.core.errors import ChainError
from dao.core.types import BlockNumber, Timestamp, Wei

_PAUSE = 1.0  # seconds between two readings


@dataclass(frozen=True, slots=True)
class Network:
    """As of one block; periods in seconds."""

    name: str
    symbol: str
    voting_delay: int
    voting_period: int
    threshold: Wei
    quorum_percent: int
    timelock_delay: int
    treasury: Wei
    total_supply: Wei
    block: BlockNumber
    timestamp: Timestamp


class Facts:
    """The newest reading; `run` keeps it new."""

    def __init__(self) -> None:
        self.network: Network | None = None
        self.known = asyncio.Event()
        self.version = 0  # changes with what is known

    async def run(self, chain: Chain) -> None:
        """Read with every new head, but not more often than every second, until cancelled."""
        while True:
            with contextlib.suppress(ChainError):  # the link tells of it
                await self.read(chain)
            await asyncio.sleep(_PAUSE)
            if self.network is not None and self.network.block == chain.final().number:
                await chain.changed(60.0)

    async def read(self, chain: Chain) -> None:
        """Read now; ChainError when the node is away."""
        at = chain.final()
        if self.network is not None and self.network.block == at.number:
            return
        governor, timelock, token = Governor(chain), Timelock(chain), Token(chain)
        functions = load("DaoToken").functions
        names = [chain.call(token.address, functions[name], at=at) for name in ("name", "symbol")]
        (name,), (symbol,) = await asyncio.gather(*names)
        delay, period, percent, wait = await asyncio.gather(
            governor.voting_delay(at),
            governor.voting_period(at),
            governor.quorum_percent(at),
            timelock.min_delay(at),
        )
        threshold, treasury, supply = await asyncio.gather(
            governor.threshold(at), token.balance_of(timelock.address, at), token.total_supply(at)
        )
        self.network = Network(
            *(name, symbol, delay, period, threshold, percent, wait, treasury, supply),
            block=at.number,
            timestamp=at.timestamp,
        )
        self.known.set()
        self.version += 1
