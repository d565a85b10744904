"""What the Superlink holds of a round wakes whoever waits for it, however their steps interleave."""

import asyncio

from aggregator.collection import Collection
from dao.chain.events import RoundOpened
from dao.core.formats.layout import Layout
from dao.core.types import ZERO_DIGEST, BlockNumber, RoundId, TaskId, Timestamp
from tests.support import RULES


async def test_changed__notified_before_it_is_awaited__ends() -> None:
    at = BlockNumber(1), ZERO_DIGEST, Timestamp(1), 0, ZERO_DIGEST
    opened = RoundOpened(*at, TaskId(1), RoundId(1), RoundId(0), eligible=1)
    collection = Collection(TaskId(1), opened, ZERO_DIGEST, RULES, Layout.of({"w": (1,)}), {})
    change = collection.changed()
    collection.notify()
    async with asyncio.timeout(1):
        await change
