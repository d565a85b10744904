"""Fetches the updates of which the reveal was forced: the chain has their CIDs, their nodes serve them."""

import asyncio

from aggregator.collection import Collection
from aggregator.intake import Intake
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.forced_reveals import ForcedReveals
from dao.chain.rounds import RoundReader
from dao.core.round_machine import compute_result_deadline, compute_reveal_deadline
from dao.core.types import Address, RoundState, Timestamp

FETCH_PART = 0.25  # of the result period, which fetching may take
MOST_FETCHING = 60  # seconds of it at most


class RevealFetcher:
    """The forced reveals of one task's rounds, as the Superlink acts on them."""

    def __init__(self, chain: Chain, reader: RoundReader, intake: Intake) -> None:
        self._chain = chain
        self._contract, self._reader, self._intake = ForcedReveals(chain), reader, intake
        self._known = 0  # forced reveals of the collection that was looked at last
        self._collection: Collection | None = None
        self._fetching: dict[Address, asyncio.Task[None]] = {}

    async def look(self, collection: Collection, closed: RoundState, at: BlockRef) -> None:
        """Read what was opened on chain of a closed round, and begin to fetch what is not here."""
        if self._collection is not collection:
            self._collection, self._known = collection, 0
            self.stop()
        count = await self._contract.count_of(collection.task, collection.round, at)
        if count != self._known:
            events = await self._reader.forced_reveals_of(collection.round, closed, at)
            collection.take_forced_reveals(events)
            self._known = len(events)  # a node may show them a moment after it counts them
        await self._read_attested(collection, at)
        under_way = {node for node, task in self._fetching.items() if not task.done()}
        for node in collection.awaited_by_chain - under_way:
            self._fetching[node] = asyncio.create_task(self._intake.fetch_forced(node, collection))

    async def is_certain(self, collection: Collection, closed: RoundState) -> bool:
        """Return whether nobody can attest any more that an update is there which a result would call unavailable or invalid."""
        if not collection.doubtful:
            return True
        at = self._chain.final()
        if at.timestamp < compute_reveal_deadline(collection.rules, closed):
            return False
        before = collection.attested
        await self._read_attested(collection, at)
        return collection.attested <= before

    async def _read_attested(self, collection: Collection, at: BlockRef) -> None:
        place = collection.task, collection.round
        collection.attested = frozenset(
            [
                node
                for node in sorted(collection.doubtful)
                if await self._contract.is_attested(*place, node, at)
            ]
        )

    def stop(self) -> None:
        """Fetch no more."""
        for task in self._fetching.values():
            task.cancel()
        self._fetching = {}


def move_reveal_time(collection: Collection, closed: RoundState, now: Timestamp) -> Timestamp:
    """Have a collection take what may come at a block time, and return when that changes.

    What was opened on chain and is not here some time after the reveal deadline is `unavailable`; but where members attested
    that they have it, a result without it would cost the bond, so that it is awaited until none can be posted.
    """
    rules = collection.rules
    deadline = compute_reveal_deadline(rules, closed)
    last = Timestamp(deadline + int(min(FETCH_PART * rules.result_period, MOST_FETCHING)))
    if collection.attested:
        last = Timestamp(compute_result_deadline(rules, closed) + 1)
    collection.accepts_reveals, collection.accepts_forced = now < deadline, now < last
    return deadline if collection.accepts_reveals else last
