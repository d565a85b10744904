"""A content's way from a Superlink into a file: resumed where it broke off, checked before it counts."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from dao.core.errors import Mismatch, Refused, TooLarge, Unreachable
from dao.core.formats.cid import Cid
from dao.core.types import Digest
from dao.runtime.backoff import pause_after
from dao.store.cid import digest_of_content, name_of
from dao.store.partial_file import PartialFile
from dao.wire import data_channel as doors
from dao.wire.call_status import error_of
from dao.wire.data_channel import SILENCE_SECONDS
from dao.wire.grpc_options import EOF, MIN_RATE
from dao.wire.messages import Door, FetchRequest, read_content, write_fetch
from dao.wire.signed_calls import unsigned_call

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


class _NoDoor(Exception):  # noqa: N818  (it ends one attempt)
    """The door that was named cannot be reached from here, or nothing came through it."""


class Download:
    """Fetches one content over `call`, gRPC's method; `sign` signs requests, None asks as anyone may.

    `renew` is called when what was signed is for an earlier run of the Superlink, or another time. `by_door`: large
    content may come through its door; False afterwards where that could not be reached.
    """

    def __init__(
        self,
        superlink: str,
        call: Any,
        sign: Sign | None,
        renew: Callable[[], None],
        limit: float,
        on_progress: Progress | None,
        by_door: bool,
    ) -> None:
        self._superlink, self._call, self._sign, self._limit = superlink, call, sign, limit
        self._renew, self._on_progress = renew, on_progress
        self.by_door = by_door
        self.received = 0  # bytes of content
        self._heard = False  # whether the Superlink has said anything

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
        failures, by_door = 0, self.by_door
        while True:
            before = incoming.size
            try:
                await self._stream(content, incoming, by_door)
            except grpc.aio.AioRpcError as error:
                said = error_of(error, self._superlink)
                if error.code() is grpc.StatusCode.PERMISSION_DENIED and self._sign is not None:
                    self._sign = None  # not a member yet: ask as anyone may
                    continue
                if error.code() not in _RESUMED:
                    raise said from None
                if error.code() is grpc.StatusCode.ABORTED:
                    self._renew()
            except _NoDoor:
                by_door = False
                continue
            except (TimeoutError, OSError):
                said = Unreachable(
                    f"{name_of(content)} from Superlink {self._superlink}: it fell silent; try again"
                )
            else:
                return
            failures = 1 if incoming.size > before else failures + 1
            if failures >= _FAILURES:
                raise said
            await asyncio.sleep(pause_after(failures, _PAUSE_SECONDS))

    async def _stream(self, content: Cid | Digest, incoming: PartialFile, by_door: bool) -> None:
        what = f"{name_of(content)} from Superlink {self._superlink}"
        asked = FetchRequest(digest_of_content(content), incoming.size, by_door)
        body = write_fetch(asked)
        request = unsigned_call(body) if self._sign is None else await self._sign(body)
        call = self._call(
            request, timeout=SILENCE_SECONDS + incoming.max_bytes / MIN_RATE, wait_for_ready=True
        )
        try:
            first = await self._first(call)
            found = read_content(b"" if first is EOF else first)
            size = found.size
            if size > incoming.max_bytes:
                raise TooLarge(f"{what}: {size} bytes are more than the {incoming.max_bytes} allowed here")
            if size < incoming.size:
                raise Mismatch(f"{what}: {size} bytes, of which {incoming.size} have come already")
            if found.door is not None and by_door:
                await self._through(found.door, incoming, size)
            else:
                async with aclosing(self._pieces(call, incoming, size, what)) as pieces:
                    await incoming.take(pieces)
            if incoming.size != size:
                raise Mismatch(f"{what}: it ended after {incoming.size} bytes of {size}")
        finally:
            call.cancel()

    async def _first(self, call: Any) -> Any:
        """What the stream begins with; Unreachable where the Superlink has never said a word."""
        try:
            async with asyncio.timeout(self._limit):
                first = await call.read()
        except TimeoutError:
            if self._heard:
                raise
            raise Unreachable(
                f"Superlink {self._superlink} does not answer; check that it runs, and the address"
            ) from None
        self._heard = True
        return first

    async def _through(self, door: Door, incoming: PartialFile, size: int) -> None:
        """Take the bytes from a connection of their own, hashed and written by one thread."""
        try:
            line = await doors.connect(self._superlink.rpartition(":")[0], door)
        except OSError:
            self.by_door = False
            raise _NoDoor from None
        loop, before = asyncio.get_running_loop(), incoming.size

        def take(piece: memoryview) -> None:
            incoming.write(piece)
            self.received += len(piece)
            if self._on_progress is not None:
                loop.call_soon_threadsafe(self._on_progress, incoming.size, size)

        left = size - before
        try:
            await doors.carry(line, lambda line: doors.receive(line, left, take), SILENCE_SECONDS)
        except OSError:
            if incoming.size > before:
                raise
            raise _NoDoor from None  # as when too many others knock at it; next time it may be better

    async def _pieces(
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
