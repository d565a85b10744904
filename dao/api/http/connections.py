"""Bounds connections: few of one address, each request has come whole within a time, none has waited to be read."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dao.api.http.load import LoadShedder
from dao.api.http.rate_limits import group_address

MAX_CONNECTIONS = 2000
MAX_PER_ADDRESS = 200  # a browser opens six, and an office has many
REQUEST_SECONDS = 20.0  # from a request's first byte, or the connection's begin, to its last byte
REFUSED_SECONDS = 1.0  # that one connection too many has to ask, so that it reads why it is refused
MAX_DELAY = (
    0.1  # seconds: a request that may have waited as long to be read, and would wait again, is refused
)
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\n"
_CLOSE, _END = b"Connection: close\r\n", b"\r\n\r\n"
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n" + _CLOSE
_BODY = re.compile(rb"\r\n(content-length|transfer-encoding|upgrade):", re.IGNORECASE)


class LoopDelay:
    """Measures for how long at most what the event loop reads now has waited to be read.

    The loop asks the system for all that has come, and then deals with that, one after the other: what it reads came after it
    had asked the time before.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._before = self._asked = 0.0  # when the loop asked the time before, and the last time
        self._is_measuring = self._has_come = False

    def measure(self, loop: asyncio.AbstractEventLoop) -> float:
        """Return the seconds, 0 where nothing has come for a while; called with each piece that is read."""
        now, self._has_come = self._clock(), True
        if not self._is_measuring:
            self._is_measuring = True
            self._before = self._asked = now
            loop.call_soon(self._take_turn, loop)
        return now - self._before

    def _take_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note that the loop has just asked; what waits since before comes first, and this before all that it reads."""
        self._is_measuring, self._has_come = self._has_come, False
        if self._is_measuring:
            self._before, self._asked = self._asked, self._clock()
            loop.call_soon(self._take_turn, loop)


class BoundedProtocol(H11Protocol):
    """A connection that counts for its address, with a time limit while a request has begun and not ended."""

    delay: ClassVar[LoopDelay]
    load: ClassVar[LoadShedder]  # what its requests wait for
    counts: ClassVar[Counter[str]]  # by address
    refused: ClassVar[int] = 0  # requests, or their connections, that were not read
    trusted: ClassVar[frozenset[str]]  # proxies, bounded by nothing but the total
    address: str | None = None
    deadline: asyncio.TimerHandle | None = None
    is_refused = False  # once it asks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = self.client[0] if self.client else "unknown"
        self.address = group_address(peer)
        self.counts[self.address] += 1
        crowd = 0 if peer in self.trusted else self.counts[self.address]
        if crowd > 2 * MAX_PER_ADDRESS or self.counts.total() > MAX_CONNECTIONS:
            self._refuse_connection()
        elif crowd > MAX_PER_ADDRESS:
            self.is_refused = True
            self.deadline = self.loop.call_later(REFUSED_SECONDS, self._refuse_connection)
        else:
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self.address is not None:
            self.counts[self.address] -= 1
            if not self.counts[self.address]:
                del self.counts[self.address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.is_refused:
            self._refuse_connection()
            return
        if self._is_too_late(self.delay.measure(self.loop)):
            self._refuse_unread(data)
            return
        super().data_received(data)
        self._expect_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request(begins=False)

    def _is_too_late(self, waited: float) -> bool:
        """Return whether a request that begins here has waited too long to be read, and would wait on."""
        return self.conn.their_state is h11.IDLE and waited > MAX_DELAY and self.load.is_full()

    def _expect_request(self, *, begins: bool = True) -> None:
        """Set the deadline while a request is incomplete; one that has not begun is left to the keep-alive timer."""
        state: Any = self.conn.their_state
        if state not in (h11.IDLE, h11.SEND_BODY):
            self._cancel_deadline()
        elif self.deadline is None and (begins or state is h11.SEND_BODY):
            self.deadline = self.loop.call_later(REQUEST_SECONDS, self._refuse_late)

    def _cancel_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _refuse_late(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        is_answered = cycle is not None and cycle.response_started and self.conn.their_state is h11.SEND_BODY
        self._refuse(b"" if is_answered else _LATE)

    def _refuse_unread(self, data: bytes) -> None:
        """Refuse what begins here at the least cost; the connection stays where it is known to be one whole request."""
        begun, _ = self.conn.trailing_data
        is_whole = not begun and data.startswith(b"GET ") and data.find(_END) == len(data) - len(_END)
        if is_whole and not _BODY.search(data):
            type(self).refused += 1
            self.transport.write(_BUSY + b"\r\n")
        else:
            self._refuse_connection()

    def _refuse_connection(self) -> None:
        type(self).refused += 1
        self._refuse(_BUSY + _CLOSE)

    def _refuse(self, answer: bytes) -> None:
        self.transport.write(answer + b"\r\n" if answer else b"")
        self.transport.close()


def make_protocol(proxies: frozenset[str], read_load: LoadShedder) -> type[BoundedProtocol]:
    """Make the protocol of one server's connections; `proxies` are trusted, `read_load` is what reads wait for."""

    class ServerProtocol(BoundedProtocol):
        delay: ClassVar[LoopDelay] = LoopDelay()
        load: ClassVar[LoadShedder] = read_load
        counts: ClassVar[Counter[str]] = Counter()
        trusted: ClassVar[frozenset[str]] = proxies

    return ServerProtocol
