"""Downloads a content from a Superlink into a file: resumed where it broke off, checked before it counts."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.errors import Mismatch, Refused, TooLarge, Unreachable
from dao.runtime.backoff import pause_after
from dao.store.cid import digest_of_content, name_of
from dao.store.partial_file import PartialFile
from dao.wire import data_channel
from dao.wire.call_status import to_error
from dao.wire.data_channel import SILENCE_SECONDS
from dao.wire.grpc_options import EOF, MIN_RATE
from dao.wire.messages import DataChannel, FetchRequest, read_content, write_fetch
from dao.wire.signed_calls import wrap_unsigned

Progress = Callable[[int, int], None]  # bytes so far, bytes in all
Sign = Callable[[bytes], Awaitable[bytes]]

_FAILURES = 3  # in a row, without a byte between them
_PAUSE_SECONDS = 0.2
_RESUMED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
)


class _NoChannel(Exception):  # noqa: N818  (it ends one attempt)
    """The data channel cannot be reached from here, or nothing came over it."""


class Download:
    """Fetches one content over `call`, gRPC's method; `sign` signs requests, None asks as anyone may.

    `renew` is called when a signature was for an earlier run of the Superlink, or another time. `by_channel`: large
    content may come over a data channel; False afterwards where that could not be reached.
    """

    def __init__(
        self,
        superlink: str,
        call: Any,
        sign: Sign | None,
        renew: Callable[[], None],
        limit: float,
        on_progress: Progress | None,
        by_channel: bool,
    ) -> None:
        self._superlink, self._call, self._sign, self._limit = superlink, call, sign, limit
        self._renew, self._on_progress = renew, on_progress
        self.by_channel = by_channel
        self.received = 0  # bytes of content
        self._has_answered = False

    async def run(self, content: Cid | Digest, incoming: PartialFile) -> Cid:
        """Write the content; return its CID. NotFound, Mismatch, TooLarge, DecodeError, Refused or Unreachable."""
        await asyncio.to_thread(incoming.take_up)
        while True:
            resumed = incoming.size > 0
            try:
                await self._until_whole(content, incoming)
                return incoming.check(content)
            except (Mismatch, Refused):
                incoming.restart()
                if not resumed:  # else what was there before may be to blame
                    raise

    async def _until_whole(self, content: Cid | Digest, incoming: PartialFile) -> None:
        failures, by_channel = 0, self.by_channel
        while True:
            before = incoming.size
            try:
                await self._stream(content, incoming, by_channel)
            except grpc.aio.AioRpcError as error:
                failure = to_error(error, self._superlink)
                if error.code() is grpc.StatusCode.PERMISSION_DENIED and self._sign is not None:
                    self._sign = None  # not a member yet: ask as anyone may
                    continue
                if error.code() not in _RESUMED:
                    raise failure from None
                if error.code() is grpc.StatusCode.ABORTED:
                    self._renew()
            except _NoChannel:
                by_channel = False
                continue
            except (TimeoutError, OSError):
                failure = Unreachable(
                    f"{name_of(content)} from Superlink {self._superlink}: it fell silent; try again"
                )
            else:
                return
            failures = 1 if incoming.size > before else failures + 1
            if failures >= _FAILURES:
                raise failure
            await asyncio.sleep(pause_after(failures, _PAUSE_SECONDS))

    async def _stream(self, content: Cid | Digest, incoming: PartialFile, by_channel: bool) -> None:
        what = f"{name_of(content)} from Superlink {self._superlink}"
        body = write_fetch(FetchRequest(digest_of_content(content), incoming.size, by_channel))
        request = wrap_unsigned(body) if self._sign is None else await self._sign(body)
        call = self._call(
            request, timeout=SILENCE_SECONDS + incoming.max_bytes / MIN_RATE, wait_for_ready=True
        )
        try:
            first = await self._read_first(call)
            answer = read_content(b"" if first is EOF else first)
            size = answer.size
            if size > incoming.max_bytes:
                raise TooLarge(f"{what}: {size} bytes are more than the {incoming.max_bytes} allowed here")
            if size < incoming.size:
                raise Mismatch(f"{what}: {size} bytes, of which {incoming.size} have come already")
            if answer.channel is not None and by_channel:
                await self._receive_by_channel(answer.channel, incoming, size)
            else:
                async with aclosing(self._read_pieces(call, incoming, size, what)) as pieces:
                    await incoming.take(pieces)
            if incoming.size != size:
                raise Mismatch(f"{what}: it ended after {incoming.size} bytes of {size}")
        finally:
            call.cancel()

    async def _read_first(self, call: Any) -> Any:
        """Return the stream's first message; Unreachable where the Superlink has never answered."""
        try:
            async with asyncio.timeout(self._limit):
                first = await call.read()
        except TimeoutError:
            if self._has_answered:
                raise
            raise Unreachable(
                f"Superlink {self._superlink} does not answer; check that it runs, and the address"
            ) from None
        self._has_answered = True
        return first

    async def _receive_by_channel(self, channel: DataChannel, incoming: PartialFile, size: int) -> None:
        """Take the bytes from a data channel, hashed and written by one thread."""
        try:
            connection = await data_channel.connect(self._superlink.rpartition(":")[0], channel)
        except OSError:
            self.by_channel = False
            raise _NoChannel from None
        loop, before = asyncio.get_running_loop(), incoming.size

        def take(piece: memoryview) -> None:
            incoming.write(piece)
            self.received += len(piece)
            if self._on_progress is not None:
                loop.call_soon_threadsafe(self._on_progress, incoming.size, size)

        left = size - before
        try:
            await data_channel.carry(
                connection, lambda line: data_channel.receive(line, left, take), SILENCE_SECONDS
            )
        except OSError:
            if incoming.size > before:
                raise
            raise _NoChannel from None  # as when too many others connect to it; next time it may be better

    async def _read_pieces(
        self, call: Any, incoming: PartialFile, size: int, what: str
    ) -> AsyncGenerator[bytes, None]:
        taken = incoming.size
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                piece = await call.read()
            if piece is EOF:
                return
            taken += len(piece)
            self.received += len(piece)
            if taken > size:
                raise Mismatch(f"{what}: more bytes than the {size} it declared")
            if self._on_progress is not None:
                self._on_progress(taken, size)
            yield piece
