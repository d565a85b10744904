"""Where a node's app asks the test, before it trains, what to do: the round waits for the answer."""

import asyncio
import json
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.process import LIMIT


@dataclass(frozen=True)
class Training:
    """One training that waits; `pid` is the trainer's process."""

    round: int
    pid: int
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    def begin(self, how: str = "train") -> None:
        """Let it go on: train, chatter, raise, exit, hang or garbage, as tests/faults/app has them."""
        self._writer.write(f"{how}\n".encode())

    @property
    def is_over(self) -> bool:
        return self._reader.at_eof()


class Desk:
    """One node's; its port is in a file beside the node's rows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._asked: asyncio.Queue[Training] = asyncio.Queue()

    async def open(self) -> None:
        folder = os.open(self._file.parent, os.O_PATH)
        # the path of a socket is short, that of a test's folder is not
        self._server = await asyncio.start_unix_server(
            self._hear, f"/proc/self/fd/{folder}/{self._file.name}"
        )
        os.close(folder)

    def close(self) -> None:
        self._server.close()
        while not self._asked.empty():
            self._asked.get_nowait()._writer.close()

    async def asked(self, round_id: int | None = None) -> Training:
        """Wait until the app asks (for a round, where one is given; others are told to train)."""
        async with asyncio.timeout(LIMIT):
            while True:
                training = await self._asked.get()
                if training.is_over:
                    continue
                if round_id is None or training.round == round_id:
                    return training
                training.begin()

    def put_back(self, training: Training) -> None:
        """Let the next `asked` have it."""
        self._asked.put_nowait(training)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            said = json.loads(await reader.readline())
            who = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid = int.from_bytes(
                who[:4], sys.byteorder
            )  # as this process sees it, not as the app's sandbox does
            self._asked.put_nowait(Training(said["round"], pid, reader, writer))
            await reader.read()
        writer.close()
