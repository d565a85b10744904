"""Bounds connections: few of one address, and each request has come whole within a time; the rest are closed."""

import asyncio
from collections import Counter
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dao.api.http.rate_limits import group_address

MAX_CONNECTIONS = 2000
MAX_PER_ADDRESS = 200  # a browser opens six, and an office has many
REQUEST_SECONDS = 20.0  # from a request's first byte, or the connection's begin, to its last byte
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """A connection that counts for its address, with a time limit while a request has begun and not ended."""

    counts: ClassVar[Counter[str]]  # by address
    trusted: ClassVar[frozenset[str]]  # proxies, bounded by nothing but the total
    address: str | None = None
    deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = self.client[0] if self.client else "unknown"
        self.address = group_address(peer)
        self.counts[self.address] += 1
        is_crowd = self.counts[self.address] > MAX_PER_ADDRESS and peer not in self.trusted
        if is_crowd or self.counts.total() > MAX_CONNECTIONS:
            self._refuse(_BUSY)
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
        super().data_received(data)
        self._expect_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request(begins=False)

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

    def _refuse(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()


def make_protocol(proxies: frozenset[str]) -> type[H11Protocol]:
    """Make the protocol of one server's connections; `proxies` are trusted."""

    class ServerProtocol(BoundedProtocol):
        counts: ClassVar[Counter[str]] = Counter()
        trusted: ClassVar[frozenset[str]] = proxies

    return ServerProtocol
