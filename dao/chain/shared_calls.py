"""Asks the chain's node once for what several tasks of a daemon read at the same block, or at the same moment."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

MOST = 1024  # answers that are kept, the newest
Answer = tuple[Any, ...]
T = TypeVar("T")


class SharedCalls:
    """Answers of views at blocks that are named by their hash: they never change. Failures are not kept."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, asyncio.Task[Answer]] = {}
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Return the answer that a key has, and `ask` for it where nobody has yet.

        Who is cancelled leaves the question to the others that wait for it.
        """
        asking = self._answers.get(key)
        if asking is None:
            if len(self._answers) >= MOST:
                del self._answers[next(iter(self._answers))]
            asking = self._answers[key] = asyncio.create_task(ask())
            asking.add_done_callback(lambda done: self._drop_failure(key, done))
        return await asyncio.shield(asking)

    async def join(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the answer that somebody waits for at this moment, else `ask`: later there may be another."""
        asking: asyncio.Task[T] | None = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(ask())
            asking.add_done_callback(lambda done: self._end_joint(key, done))
        return await asyncio.shield(asking)

    def clear(self) -> None:
        """Forget all answers, for their blocks may be gone."""
        self._answers.clear()

    def _drop_failure(self, key: Hashable, done: "asyncio.Task[Answer]") -> None:
        if (done.cancelled() or done.exception()) and self._answers.get(key) is done:
            del self._answers[key]

    def _end_joint(self, key: Hashable, done: "asyncio.Task[Any]") -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # all who asked may be gone
