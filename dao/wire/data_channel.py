"""Moves large content beside gRPC, either way: a connection that shows a ticket gets a file's bytes, or sends them.

In a gRPC stream the copies at both ends cost more than all else of a large content. The signed calls `Fetch` and
`Reveal` issue the tickets, each good once, and hold their limits until the last byte has gone. The bytes are public and
known by their digest: a data channel exists only without TLS, and where it cannot be reached they go over gRPC.
"""

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dao.core.constants import CONTENT_LEAF
from dao.wire.messages import TICKET_BYTES, DataChannel

MIN_SIZE = 4 << 20  # bytes; fewer are not worth a connection
SILENCE_SECONDS = 30.0  # a Supernode waits so long for the next byte to come or go
_STRANGERS = 256  # connections at a time that have shown no ticket yet; more push out others
_PATIENCE = 10.0  # seconds for a ticket to be shown
_CONNECT_SECONDS = 3.0
_PAUSE_SECONDS = 0.5  # while no connection can be accepted

Announce = Callable[[DataChannel], Awaitable[None]]
Take = Callable[[memoryview], None]
Work = Callable[[socket.socket], None]  # blocks; OSError when the connection breaks


class ChannelServer:
    """The Superlink's side: listens at a port of its own, and moves there what tickets were issued for."""

    def __init__(self, silence: float, connections: int) -> None:
        """`silence`: seconds that may pass without a byte; `connections`: tickets that may be in use at once."""
        self._silence = silence
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="data-channel")
        self._expected: dict[bytes, asyncio.Future[socket.socket]] = {}
        self._strangers: dict[asyncio.Task[None], str] = {}  # and their hosts, the oldest first
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the server listens."""
        return self._listening is not None

    def open(self, host: str) -> None:
        """Listen at a free port of the host; without one, everything goes over gRPC."""
        host = host.strip("[]")
        with contextlib.suppress(OSError):
            if ":" in host:
                both = host == "::" and socket.has_dualstack_ipv6()
                self._listening = socket.create_server((host, 0), family=socket.AF_INET6, dualstack_ipv6=both)
            else:
                self._listening = socket.create_server((host, 0))
            self._listening.setblocking(False)
            self._accepting = asyncio.create_task(self._accept(self._listening))

    async def close(self) -> None:
        """Accept no more connections; those under way end with the calls that wait for them."""
        tasks = [*self._strangers, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listening is not None:
            self._listening.close()
        self._threads.shutdown(wait=False)

    async def send(self, path: Path, offset: int, size: int, announce: Announce) -> None:
        """Issue a ticket by `announce`, and send its holder the bytes from `offset` up to `size`.

        TimeoutError when no holder comes, or takes nothing for long; OSError when the connection breaks.
        """
        await self._carry(announce, lambda connection: send(connection, path, offset, size))

    async def receive(self, size: int, take: Take, announce: Announce) -> None:
        """Issue a ticket by `announce`, and take `size` bytes from its holder, in pieces as they come; errors as above."""
        await self._carry(announce, lambda connection: receive(connection, size, take))

    async def _carry(self, announce: Announce, work: Work) -> None:
        assert self._listening is not None  # noqa: S101  (see is_open)
        ticket = secrets.token_bytes(TICKET_BYTES)
        arriving = self._expected[ticket] = asyncio.get_running_loop().create_future()
        try:
            await announce(DataChannel(self._listening.getsockname()[1], ticket))
            async with asyncio.timeout(_PATIENCE):
                connection = await arriving
        except BaseException:
            if arriving.done() and not arriving.cancelled():
                arriving.result().close()
            raise
        finally:
            self._expected.pop(ticket, None)
            arriving.cancel()
        await carry(connection, work, self._silence, self._threads)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError:  # too many files are open
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if len(self._strangers) >= _STRANGERS:
                self._drop_stranger()
            task = asyncio.create_task(self._admit(connection))
            self._strangers[task] = address[0]
            task.add_done_callback(lambda task: self._strangers.pop(task, None))
            await asyncio.sleep(0)  # an accept that need not wait would let no other task run

    def _drop_stranger(self) -> None:
        """Close the oldest connection of the host that has most: the holder of a ticket shows it at once.

        A fixed number for each host would be too few for many nodes behind one address.
        """
        busiest, _ = Counter(self._strangers.values()).most_common(1)[0]
        oldest = next(task for task, host in self._strangers.items() if host == busiest)
        del self._strangers[oldest]
        oldest.cancel()

    async def _admit(self, connection: socket.socket) -> None:
        """Hand a connection that shows a good ticket to the call that waits for it; close any other."""
        loop, ticket = asyncio.get_running_loop(), b""
        waiting: asyncio.Future[socket.socket] | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                while len(ticket) < TICKET_BYTES and (
                    received := await loop.sock_recv(connection, TICKET_BYTES - len(ticket))
                ):
                    ticket += received
            waiting = self._expected.pop(ticket, None)
        except (OSError, TimeoutError):
            pass
        finally:
            if waiting is None or waiting.done():
                connection.close()
            else:
                waiting.set_result(connection)


async def connect(host: str, channel: DataChannel) -> socket.socket:
    """Connect to a channel, and show the ticket; OSError or TimeoutError when it cannot be reached."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_CONNECT_SECONDS):
        family, kind, protocol, _, address = (
            await loop.getaddrinfo(host.strip("[]"), channel.port, type=socket.SOCK_STREAM)
        )[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            await loop.sock_connect(connection, address)
            await loop.sock_sendall(connection, channel.ticket)
        except BaseException:
            connection.close()
            raise
    return connection


async def carry(
    connection: socket.socket, work: Work, silence: float, threads: ThreadPoolExecutor | None = None
) -> None:
    """Do the work on a connection in a thread, and close it; when cancelled, not before the thread has ended."""
    connection.settimeout(silence)
    with connection:
        working = asyncio.get_running_loop().run_in_executor(threads, work, connection)
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            await asyncio.wait([working])
            working.exception()
            raise


def send(
    connection: socket.socket,
    path: Path,
    offset: int,
    size: int,
    on_sent: Callable[[int], None] = lambda _: None,
) -> None:
    """Have the kernel send a file's bytes from `offset` up to `size`, and tell how many are gone. Blocks.

    OSError when the connection breaks.
    """
    with path.open("rb") as file:
        while offset < size:
            sent = connection.sendfile(file, offset, min(CONTENT_LEAF, size - offset))
            if not sent:
                raise OSError(f"{path.name}: it became shorter")
            offset += sent
            on_sent(sent)


def receive(connection: socket.socket, size: int, take: Take) -> None:
    """Pass on `size` bytes in pieces as they come. Blocks; OSError when the connection breaks, after all that came."""
    buffer = memoryview(bytearray(min(CONTENT_LEAF, size)))
    while size:
        piece = buffer[: min(CONTENT_LEAF, size)]
        filled = 0
        try:
            while filled < len(piece):
                received = connection.recv_into(piece[filled:])
                if not received:
                    raise ConnectionResetError("it ended early")
                filled += received
        finally:
            if filled:
                take(piece[:filled])
        size -= filled
