"""Runs work beside a loop, a task for each piece, and leaves none of it behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Start = Callable[[Coroutine[Any, Any, None]], None]


@asynccontextmanager
async def open_side_tasks(name: str) -> AsyncIterator[Start]:
    """Lend a function that starts work in a task of that name; what is still at it when the block ends is cancelled."""
    working: set[asyncio.Task[None]] = set()

    def start(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        working.add(task)
        task.add_done_callback(working.discard)

    try:
        yield start
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
