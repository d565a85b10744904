"""What changes, told to whoever listens (server-sent events): each gets all of it in order, or is let go."""

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dao.api.http.problems import Problem

KEPT = 2048  # newest events, for those who come back
WAITING = 256  # events that a listener may be behind
LISTENERS = 1000
PER_CALLER = 20
HEARTBEAT = 15.0  # seconds
SLOW = 20.0  # seconds that a listener may leave the line full

_log = logging.getLogger(__name__)


class Listener:
    """One connection's events, at most WAITING of them."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(waiting)
        self.dropped = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Add an event; a listener that is too far behind is let go."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped.set()

    async def next(self, limit: float) -> bytes:
        """The next events, all that wait; a heartbeat when there was none for `limit` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                found = [await self._queue.get()]
            while not self._queue.empty():
                found.append(self._queue.get_nowait())
            return b"".join(found)
        return b": still here\n\n"


class Live:
    """All listeners. Not for threads: call it on the event loop."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)  # numbers of another run mean nothing here
        self._count = 0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._listeners: dict[Listener, str] = {}
        self.dropped = 0
        self._ended = False

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, kind: str, data: Mapping[str, object]) -> None:
        """Tell everyone."""
        self._count += 1
        event = _event(f"{self._epoch}-{self._count}", kind, data)
        self._recent.append((self._count, event))
        for listener in self._listeners:
            listener.put(event)

    def listen(self, caller: str, last_id: str | None, first: Mapping[str, object]) -> Listener:
        """Begin to listen, after the event `last_id` where it is still known.

        Where it is not, the first event says that everything is to be read again (kind `reorg`, `missed`); `first` is
        the status of the moment. Problem 503 when there are too many listeners, 429 for too many of one caller.
        """
        if self._ended or len(self._listeners) >= LISTENERS:
            raise Problem(503, "busy", "too many listeners; try again later", retry_after=30)
        if sum(who == caller for who in self._listeners.values()) >= PER_CALLER:
            raise Problem(429, "too-many", f"at most {PER_CALLER} connections listen at once", retry_after=30)
        listener = Listener()
        missed = self._since(last_id) if last_id else []
        now = f"{self._epoch}-{self._count}"
        begin = [_event(now, "status", {"kind": "status", **first})]
        if missed is None or len(missed) >= WAITING - 1:
            begin.append(_event(now, "reorg", {"kind": "reorg", "block": 0, "missed": True}))
            missed = []
        for event in begin + missed:
            listener.put(event)
        self._listeners[listener] = caller
        return listener

    def leave(self, listener: Listener) -> None:
        """End to listen."""
        self._listeners.pop(listener, None)
        self.dropped += listener.dropped.is_set()

    def end(self) -> None:
        """Let everyone go: the service ends."""
        self._ended = True
        for listener in self._listeners:
            listener.dropped.set()

    def _since(self, last_id: str) -> list[bytes] | None:
        """What was told after an event; None when that is no longer known."""
        epoch, _, number = last_id.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        wanted = int(number)
        if wanted > self._count or wanted < self._count - len(self._recent):
            return None
        return [event for count, event in self._recent if count > wanted]


class EventStream(Response):
    """A listener's connection, until it closes, is too slow, or the service ends."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, listener: Listener, heartbeat: float = HEARTBEAT) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._live = live
        self._listener = listener
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve the connection."""
        tasks = [
            asyncio.create_task(self._send(send)),
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(self._listener.dropped.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._live.leave(self._listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):  # a full line is closed as it is
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        body = b"retry: 2000\n\n"
        while True:
            async with asyncio.timeout(SLOW):
                await send({"type": "http.response.body", "body": body, "more_body": True})
            body = await self._listener.next(self._heartbeat)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, kind: str, data: Mapping[str, object]) -> bytes:
    """An event as it goes over the line; JSON has no line ends of its own."""
    return f"id: {name}\nevent: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
