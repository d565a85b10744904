"""Sheds load: few requests are at work at once, some wait for a place, and one that would wait too long is refused at once."""

import asyncio
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dao.api.http.problems import Problem

READS_AT_WORK = 4  # one for each thread that reads the index
WRITES_AT_WORK = 32  # most of their time they wait for the chain's node
MAX_WAIT = 0.2  # seconds that a request waits for a place: a part of what an answer may take
_FIRST_PACE = 0.005  # seconds from one answer to the next, before any was measured
_NEW_PART = 0.2  # of the newest measurement in the pace
_RETRY_SECONDS = 2.0


class LoadShedder:
    """Gives requests of a kind a place to be worked at, until their answer begins.

    How long a newcomer would wait is known from how fast places became free while others waited: on a machine that
    has much else to do fewer wait, and those that are accepted are answered in time all the same.
    """

    def __init__(self, at_work: int) -> None:
        self._places = asyncio.Semaphore(at_work)
        self._waiting = 0
        self._pace = _FIRST_PACE
        self._left_at: float | None = None  # when the last place became free, where others waited since

    def is_full(self) -> bool:
        """Return whether a request that comes now would wait."""
        return self._places.locked()

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app answer a request; Problem 503 where it would wait, or has waited, too long."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        is_at_work = True

        def leave() -> None:
            nonlocal is_at_work
            if is_at_work:
                is_at_work = False
                self._measure_pace(monotonic())
                self._places.release()

        async def send_and_leave(message: Message) -> None:
            leave()
            await send(message)

        try:
            await app(scope, receive, send_and_leave)
        finally:
            leave()

    async def _wait(self) -> None:
        if (self._waiting + 1) * self._pace > MAX_WAIT:
            raise _make_busy()
        self._waiting += 1
        begun = monotonic()
        try:
            async with asyncio.timeout(MAX_WAIT):
                await self._places.acquire()
        except TimeoutError:
            raise _make_busy() from None
        finally:
            self._waiting -= 1
        if monotonic() - begun > MAX_WAIT:  # the loop was late, and the time limit with it
            self._places.release()
            raise _make_busy()

    def _measure_pace(self, now: float) -> None:
        """Measure how fast places become free; only while others wait does it tell what the machine can do."""
        if self._left_at is not None:
            self._pace += _NEW_PART * (now - self._left_at - self._pace)
        self._left_at = now if self._waiting else None


def _make_busy() -> Problem:
    return Problem(503, "busy", "too many requests at once; try again soon", retry_after=_RETRY_SECONDS)
