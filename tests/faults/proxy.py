"""The network between a node and its Superlink: a TCP relay that a test cuts and mends."""

import asyncio
from contextlib import suppress


class Proxy:
    """Relays connections to a port of loopback while it is whole."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._cut = False
        self._refused = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> str:
        """Listen; its address."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Break every connection, and each new one as soon as it is made."""
        self._cut = True
        self._refused.clear()
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        self._cut = False

    async def refused(self, limit: float = 60.0) -> None:
        """Wait until somebody has tried to connect since the cut."""
        async with asyncio.timeout(limit):
            await self._refused.wait()

    def close(self) -> None:
        self.cut()
        self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            self._refused.set()
            writer.transport.abort()
            return
        with suppress(OSError):
            there, out = await asyncio.open_connection("127.0.0.1", self._to)
            self._open |= {writer, out}
            await asyncio.gather(_pour(reader, out), _pour(there, writer))
            self._open -= {writer, out}
        writer.close()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            into.write(data)
            await into.drain()
    into.close()
