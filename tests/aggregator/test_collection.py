"""What the Superlink holds of a round wakes whoever waits for it, however their steps interleave."""

import asyncio

from aggregator.collection import Collection
from dao.core.layout import Layout
from dao.core.types import RoundId, TaskId
from tests.support import RULES


async def test_changed__notified_before_it_is_awaited__ends() -> None:
    collection = Collection(TaskId(1), RoundId(1), RULES, Layout.of({"w": (1,)}), {})
    change = collection.changed()
    collection.notify()
    async with asyncio.timeout(1):
        await change
