"""Uploads an update to a Superlink: where a connection breaks, the next one goes on with what has not arrived."""

from asyncio import InvalidStateError
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, cast

from dao.errors import DecodeError
from dao.wire import data_channel, grpc_options
from dao.wire.data_channel import SILENCE_SECONDS
from dao.wire.messages import read_channel

OnProgress = Callable[[int], None]  # bytes that are on their way or have arrived
_SMALL_PIECE = (
    64 << 10
)  # bytes of a message over a line that has broken: what comes of one that is cut off is lost


class Upload:
    """Sends one content over `call`, gRPC's method. `by_channel`: it may go over a data channel, if one is offered.

    `arrived` is what the Superlink had when it was asked last, and `sent` counts bytes over all attempts.
    """

    def __init__(self, superlink: str, call: Any, content: Path, size: int, on_progress: OnProgress) -> None:
        self._host, self._call = superlink.rpartition(":")[0], call
        self._content, self._size, self._on_progress = content, size, on_progress
        self._attempts = 0
        self.arrived = self.sent = 0
        self.has_channel = True  # False once that could not be reached

    async def attempt(self, signed: bytes, left: float) -> bytes:
        """Ask what has arrived, send the rest and return the answer. AioRpcError; OSError where the channel is at fault."""
        call = self._call(timeout=left, wait_for_ready=True)
        self._attempts += 1
        try:
            with suppress(InvalidStateError):  # it has answered already
                await call.write(signed)
                metadata = dict(tuple(await call.initial_metadata()))
                if grpc_options.GO_ON in metadata:
                    self.arrived = self._read_arrived(metadata[grpc_options.GO_ON])
                    self._on_progress(self.arrived)
                    await self._send(call, metadata.get(grpc_options.CHANNEL))
                await call.done_writing()
            return cast("bytes", await call)
        except OSError:
            if call.done():  # its status says why the channel was closed
                return cast("bytes", await call)
            raise
        finally:
            call.cancel()

    def _read_arrived(self, text: str) -> int:
        if not text.isdecimal() or len(text) > 20 or int(text) > self._size:
            raise DecodeError(
                f"reveal: the Superlink says that {text[:40]!r} bytes of {self._size} have arrived"
            )
        return int(text)

    async def _send(self, call: Any, channel: bytes | None) -> None:
        if channel is not None:
            await self._send_by_channel(channel)
            return
        piece_size = grpc_options.PIECE if self._attempts == 1 else _SMALL_PIECE
        on_its_way = self.arrived
        async with aclosing(grpc_options.read_pieces(self._content, self.arrived, piece_size)) as pieces:
            async for piece in pieces:
                await call.write(piece)
                self.sent += len(piece)
                on_its_way += len(piece)
                self._on_progress(on_its_way)

    async def _send_by_channel(self, channel: bytes) -> None:
        try:
            connection = await data_channel.connect(self._host, read_channel(channel))
        except OSError:
            self.has_channel = False
            raise
        begun = on_its_way = self.arrived

        def take(count: int) -> None:
            nonlocal on_its_way
            self.sent += count
            on_its_way += count
            self._on_progress(on_its_way)

        await data_channel.carry(
            connection,
            lambda line: data_channel.send(line, self._content, begun, self._size, take),
            SILENCE_SECONDS,
        )
