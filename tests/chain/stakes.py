"""Numbered events for the tests of this folder: an owner that adds stake, the amounts count up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dao.chain.client import Chain
from dao.chain.contracts import Call, Registry, Token
from dao.chain.cursor import EventCursor
from dao.chain.event_types import Event
from dao.chain.events import Reorg, StakeAdded
from dao.chain.receipts import TxReceipt
from dao.chain.sender import Sender
from dao.core.types import Address, BlockNumber, Wei
from tests.support import Network


@dataclass
class Stakes:
    chain: Chain
    sender: Sender
    operator: Address
    begin: BlockNumber  # before the first of its events, after all of others
    count: int = 0

    def call(self, amount: int) -> Call:
        return Registry(self.chain).add_stake(self.operator, Wei(amount))

    async def add(self, times: int = 1) -> TxReceipt:
        for _ in range(times):
            self.count += 1
            receipt = await self.sender.send(self.call(self.count))
        return receipt

    async def total(self) -> int:
        """What the contract has counted since the registration."""
        stake = await Registry(self.chain).stake_of(self.operator, self.chain.head().number)
        return stake % 10**18

    def cursor(self, chain: Chain | None = None, begin: BlockNumber | None = None) -> EventCursor:
        return EventCursor(chain or self.chain, self.begin if begin is None else begin, (StakeAdded,))


@asynccontextmanager
async def stakes(network: Network, confirmations: int = 0) -> AsyncIterator[Stakes]:
    member = await network.new_member()
    async with network.chain(confirmations) as chain, network.sender(chain, member.owner) as sender:
        async with network.chain() as now, network.sender(now, member.owner) as first:
            await first.send(Token(now).approve(network.deployment.registry, Wei(10**18)))
        yield Stakes(chain, sender, member.operator.address, chain.head().number)


def replay(events: list[Event | Reorg]) -> list[int]:
    """The numbers that stand after all that was yielded."""
    standing: list[StakeAdded] = []
    for event in events:
        if isinstance(event, Reorg):
            standing = [known for known in standing if known.block <= event.to_block]
        else:
            assert isinstance(event, StakeAdded)
            standing.append(event)
    return [event.amount for event in standing]
