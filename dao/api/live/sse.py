"""Server-sent events: each listener gets all of them in order, or is dropped."""

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

HISTORY = 2048  # newest events, for listeners that reconnect
MAX_BEHIND = 256  # events
MAX_LISTENERS = 1000
MAX_PER_CALLER = 20
HEARTBEAT = 15.0  # seconds
SLOW = 20.0  # seconds that a listener may leave the line full

_log = logging.getLogger(__name__)


class Listener:
    """One connection's events, at most MAX_BEHIND of them."""

    def __init__(self, max_behind: int = MAX_BEHIND) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(max_behind)
        self.dropped = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Add an event; a listener that is too far behind is dropped."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped.set()

    async def get_next(self, limit: float) -> bytes:
        """Wait for the next events and get all that are there; a heartbeat where none comes for `limit` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                events = [await self._queue.get()]
            while not self._queue.empty():
                events.append(self._queue.get_nowait())
            return b"".join(events)
        return b": still here\n\n"


class EventHub:
    """Publishes events to all listeners. Not thread-safe: call it on the event loop."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)  # numbers of another run mean nothing here
        self._count = 0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=HISTORY)
        self._listeners: dict[Listener, str] = {}
        self.dropped = 0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, kind: str, data: Mapping[str, object]) -> None:
        """Publish an event to everyone."""
        self._count += 1
        event = _dump_event(f"{self._epoch}-{self._count}", kind, data)
        self._recent.append((self._count, event))
        for listener in self._listeners:
            listener.put(event)

    def listen(self, caller: str, last_id: str | None, first: Mapping[str, object]) -> Listener:
        """Add a listener, which gets the events after `last_id`, and first of all the status `first`.

        Where `last_id` is no longer known, an event says to read everything again (kind `reorg`, `missed`).
        Problem 503 where there are too many listeners, 429 for too many of one caller.
        """
        if self._is_closed or len(self._listeners) >= MAX_LISTENERS:
            raise Problem(503, "busy", "too many listeners; try again later", retry_after=30)
        if sum(other == caller for other in self._listeners.values()) >= MAX_PER_CALLER:
            raise Problem(
                429, "too-many", f"at most {MAX_PER_CALLER} connections listen at once", retry_after=30
            )
        listener = Listener()
        missed = self._list_since(last_id) if last_id else []
        now = f"{self._epoch}-{self._count}"
        begin = [_dump_event(now, "status", {"kind": "status", **first})]
        if missed is None or len(missed) >= MAX_BEHIND - 1:
            begin.append(_dump_event(now, "reorg", {"kind": "reorg", "block": 0, "missed": True}))
            missed = []
        for event in begin + missed:
            listener.put(event)
        self._listeners[listener] = caller
        return listener

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        self._listeners.pop(listener, None)
        self.dropped += listener.dropped.is_set()

    def close(self) -> None:
        """Drop all listeners: the service ends."""
        self._is_closed = True
        for listener in self._listeners:
            listener.dropped.set()

    def _list_since(self, last_id: str) -> list[bytes] | None:
        """List the events after an event; None where that one is no longer known."""
        epoch, _, number = last_id.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        last = int(number)
        if last > self._count or last < self._count - len(self._recent):
            return None
        return [event for count, event in self._recent if count > last]


class EventStream(Response):
    """A listener's connection, until it closes, is too slow, or the service ends."""

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, listener: Listener, heartbeat: float = HEARTBEAT) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._listener = listener
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve the connection."""
        tasks = [
            asyncio.create_task(self._send(send)),
            asyncio.create_task(_wait_disconnect(receive)),
            asyncio.create_task(self._listener.dropped.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._listener)
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
            body = await self._listener.get_next(self._heartbeat)


async def _wait_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _dump_event(name: str, kind: str, data: Mapping[str, object]) -> bytes:
    """Dump an event as it is sent; its JSON has no line ends."""
    return f"id: {name}\nevent: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
