"""A door beside gRPC for large content, either way: whoever shows a ticket there gets a file's bytes, or sends them.

In a gRPC stream the copies at both ends cost more than all else of a large content. The signed calls `Fetch` and
`Reveal` give out the tickets, each good once, and hold their limits until the last byte has gone. What goes through is
public, and known by its digest: a door is for links without TLS, and where it cannot be reached the bytes go over gRPC.
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
from dao.wire.messages import TICKET_BYTES, Door

FROM = 4 << 20  # bytes; fewer are not worth a connection
SILENCE_SECONDS = 30.0  # that a Supernode waits for the next byte to come or go
_STRANGERS = 256  # connections at a time that have shown no ticket yet; more push out others
_PATIENCE = 10.0  # seconds for a ticket to be shown
_CONNECT_SECONDS = 3.0
_PAUSE_SECONDS = 0.5  # where no connection can be taken

Tell = Callable[[Door], Awaitable[None]]
Take = Callable[[memoryview], None]
Work = Callable[[socket.socket], None]  # blocks; OSError when the line breaks


class Doorman:
    """The Superlink's side: opens the door at a port of its own, and does there what tickets were given out for."""

    def __init__(self, silence: float, lines: int) -> None:
        """`silence`: seconds that may pass without a byte; `lines`: tickets that may be in use at once."""
        self._silence = silence
        self._threads = ThreadPoolExecutor(lines, thread_name_prefix="door")
        self._expected: dict[bytes, asyncio.Future[socket.socket]] = {}
        self._strangers: dict[asyncio.Task[None], str] = {}  # and their hosts, the longest here first
        self._listening: socket.socket | None = None
        self._welcoming: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a door."""
        return self._listening is not None

    def open(self, host: str) -> None:
        """Listen at a free port of the host; where there is none, everything goes over gRPC."""
        host = host.strip("[]")
        with contextlib.suppress(OSError):
            if ":" in host:
                both = host == "::" and socket.has_dualstack_ipv6()
                self._listening = socket.create_server((host, 0), family=socket.AF_INET6, dualstack_ipv6=both)
            else:
                self._listening = socket.create_server((host, 0))
            self._listening.setblocking(False)
            self._welcoming = asyncio.create_task(self._welcome(self._listening))

    async def close(self) -> None:
        """Take no more connections; those under way end with the calls that wait for them."""
        tasks = [*self._strangers, *([self._welcoming] if self._welcoming else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listening is not None:
            self._listening.close()
        self._threads.shutdown(wait=False)

    async def send(self, path: Path, offset: int, size: int, tell: Tell) -> None:
        """Give out a ticket by `tell`, and send its holder the bytes from `offset` up to `size`.

        TimeoutError when nobody comes, or nothing is taken for long; OSError when the connection breaks.
        """
        await self._carry(tell, lambda line: send(line, path, offset, size))

    async def receive(self, size: int, take: Take, tell: Tell) -> None:
        """Give out a ticket by `tell`, and take `size` bytes from its holder, in pieces as they come; errors as above."""
        await self._carry(tell, lambda line: receive(line, size, take))

    async def _carry(self, tell: Tell, work: Work) -> None:
        assert self._listening is not None  # noqa: S101  (see is_open)
        ticket = secrets.token_bytes(TICKET_BYTES)
        coming = self._expected[ticket] = asyncio.get_running_loop().create_future()
        try:
            await tell(Door(self._listening.getsockname()[1], ticket))
            async with asyncio.timeout(_PATIENCE):
                line = await coming
        except BaseException:
            if coming.done() and not coming.cancelled():
                coming.result().close()
            raise
        finally:
            self._expected.pop(ticket, None)
            coming.cancel()
        await carry(line, work, self._silence, self._threads)

    async def _welcome(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                line, address = await loop.sock_accept(listening)
            except OSError:  # too many files are open
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if len(self._strangers) >= _STRANGERS:
                self._turn_away()
            task = asyncio.create_task(self._admit(line))
            self._strangers[task] = address[0]
            task.add_done_callback(lambda task: self._strangers.pop(task, None))
            await asyncio.sleep(0)  # an accept that need not wait lets nobody else have a turn

    def _turn_away(self) -> None:
        """Close the oldest connection of the host that has most: whoever holds a ticket shows it at once.

        A fixed number for each host would be too few for many nodes behind one address.
        """
        busiest, _ = Counter(self._strangers.values()).most_common(1)[0]
        oldest = next(task for task, host in self._strangers.items() if host == busiest)
        del self._strangers[oldest]
        oldest.cancel()

    async def _admit(self, line: socket.socket) -> None:
        """Hand a line that shows a good ticket to whoever waits for it; close any other."""
        loop, ticket = asyncio.get_running_loop(), b""
        waiting: asyncio.Future[socket.socket] | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                while len(ticket) < TICKET_BYTES and (
                    got := await loop.sock_recv(line, TICKET_BYTES - len(ticket))
                ):
                    ticket += got
            waiting = self._expected.pop(ticket, None)
        except (OSError, TimeoutError):
            pass
        finally:
            if waiting is None or waiting.done():
                line.close()
            else:
                waiting.set_result(line)


async def connect(host: str, door: Door) -> socket.socket:
    """Knock at a door, and show the ticket; OSError or TimeoutError when there is none for us."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_CONNECT_SECONDS):
        family, kind, protocol, _, address = (
            await loop.getaddrinfo(host.strip("[]"), door.port, type=socket.SOCK_STREAM)
        )[0]
        line = socket.socket(family, kind, protocol)
        try:
            line.setblocking(False)
            await loop.sock_connect(line, address)
            await loop.sock_sendall(line, door.ticket)
        except BaseException:
            line.close()
            raise
    return line


async def carry(
    line: socket.socket, work: Work, silence: float, threads: ThreadPoolExecutor | None = None
) -> None:
    """Do the work on a line in a thread, and close it; when cancelled, not before the thread is out of it."""
    line.settimeout(silence)
    with line:
        working = asyncio.get_running_loop().run_in_executor(threads, work, line)
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            await asyncio.wait([working])
            working.exception()
            raise


def send(line: socket.socket, path: Path, offset: int, size: int) -> None:
    """Have the kernel send a file's bytes from `offset` up to `size`. Blocks; OSError when the line breaks."""
    with path.open("rb") as file:
        while offset < size:
            sent = line.sendfile(file, offset, min(16 * CONTENT_LEAF, size - offset))
            if not sent:
                raise OSError(f"{path.name}: it became shorter")
            offset += sent


def receive(line: socket.socket, size: int, take: Take) -> None:
    """Hand on `size` bytes in pieces as they come. Blocks; OSError when the line breaks."""
    buffer = memoryview(bytearray(min(CONTENT_LEAF, size)))
    while size:
        piece = buffer[: min(CONTENT_LEAF, size)]
        filled = 0
        while filled < len(piece):
            got = line.recv_into(piece[filled:])
            if not got:
                raise ConnectionResetError("it ended early")
            filled += got
        take(piece)
        size -= filled
