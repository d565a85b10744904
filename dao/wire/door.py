"""A door beside gRPC for large content: whoever shows a ticket there gets a file's bytes, sent by the kernel itself.

In a gRPC stream the copies at both ends cost more than all else of a large download. The signed call `Fetch` gives out
the tickets, each good once, and holds its limits until the last byte is gone. Content is public: a door is for links
without TLS, and where it cannot be reached the bytes come over gRPC.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from dao.store.cid import CHUNK
from dao.wire.messages import TICKET_BYTES, Door

FROM = 4 << 20  # bytes; fewer are not worth a connection
_STRANGERS = 256  # connections at a time that have shown no ticket yet
_PATIENCE = 10.0  # seconds for a ticket to be shown
_CONNECT_SECONDS = 3.0


class _Sending:
    """One file on its way to the holder of a ticket."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self.path, self.offset, self.size = path, offset, size
        self.begun: asyncio.Future[asyncio.WriteTransport] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Doorman:
    """The Superlink's side: opens the door at a port of its own, and sends what tickets were given out for."""

    def __init__(self, silence: float) -> None:
        """`silence`: seconds that may pass until another mebibyte is taken."""
        self._silence = silence
        self._expected: dict[bytes, _Sending] = {}
        self._strangers = 0
        self._listening: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a door."""
        return self._listening is not None

    async def open(self, host: str) -> None:
        """Listen at a free port of the host; where there is none, everything goes over gRPC."""
        with contextlib.suppress(OSError):
            self._listening = await asyncio.start_server(self._receive, host.strip("[]"), 0)

    def close(self) -> None:
        """Take no more connections; those under way end with the calls that wait for them."""
        if self._listening is not None:
            self._listening.close()

    async def send(self, path: Path, offset: int, size: int, tell: Callable[[Door], Awaitable[None]]) -> None:
        """Give out a ticket by `tell`, and wait until its holder has been sent the bytes from `offset` up to `size`.

        TimeoutError when nobody comes, or takes too long; ConnectionError when the connection breaks.
        """
        assert self._listening is not None  # noqa: S101  (see is_open)
        ticket = secrets.token_bytes(TICKET_BYTES)
        sending = self._expected[ticket] = _Sending(path, offset, size)
        try:
            await tell(Door(self._listening.sockets[0].getsockname()[1], ticket))
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(sending.begun)
            await sending.done
        finally:
            self._expected.pop(ticket, None)
            if sending.begun.done():
                sending.begun.result().abort()
            sending.begun.cancel()
            sending.done.cancel()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send what the caller has a ticket for."""
        sending = await self._shown(reader)
        if sending is None:
            writer.transport.abort()
            return
        sending.begun.set_result(writer.transport)
        try:
            await self._send(sending, writer.transport)
            writer.close()
        except (OSError, TimeoutError, RuntimeError) as error:  # RuntimeError: the transport was aborted
            if not sending.done.done():
                sending.done.set_exception(ConnectionError(f"content on its way: {error}"))
        else:
            if not sending.done.done():
                sending.done.set_result(None)

    async def _shown(self, reader: asyncio.StreamReader) -> _Sending | None:
        """What the ticket that is shown is for; None without a good one."""
        if self._strangers >= _STRANGERS:
            return None
        self._strangers += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                return self._expected.pop(await reader.readexactly(TICKET_BYTES), None)
        except (OSError, TimeoutError, EOFError):
            return None
        finally:
            self._strangers -= 1

    async def _send(self, sending: _Sending, transport: asyncio.WriteTransport) -> None:
        loop = asyncio.get_running_loop()
        with await loop.run_in_executor(None, sending.path.open, "rb") as file:
            for start in range(sending.offset, sending.size, CHUNK):
                async with asyncio.timeout(self._silence):
                    await loop.sendfile(
                        transport, file, start, min(CHUNK, sending.size - start), fallback=False
                    )


async def connect(host: str, door: Door) -> socket.socket:
    """Knock at a door; OSError or TimeoutError when there is none for us."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_CONNECT_SECONDS):
        family, kind, protocol, _, address = (
            await loop.getaddrinfo(host.strip("[]"), door.port, type=socket.SOCK_STREAM)
        )[0]
        line = socket.socket(family, kind, protocol)
        try:
            line.setblocking(False)
            await loop.sock_connect(line, address)
        except BaseException:
            line.close()
            raise
    return line


def receive(
    line: socket.socket, door: Door, size: int, silence: float, take: Callable[[memoryview], None]
) -> None:
    """Show the ticket, and hand on `size` bytes in pieces as they come; then, or at a break, close. Blocks.

    OSError when it breaks off; `shutdown` from elsewhere ends it.
    """
    buffer = memoryview(bytearray(min(CHUNK, size)))
    with line:
        line.settimeout(silence)
        line.sendall(door.ticket)
        while size:
            piece = buffer[: min(CHUNK, size)]
            filled = 0
            while filled < len(piece):
                got = line.recv_into(piece[filled:])
                if not got:
                    raise ConnectionResetError("it ended early")
                filled += got
            take(piece)
            size -= filled
