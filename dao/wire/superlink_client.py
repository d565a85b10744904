"""The Supernode's end of the wire: signed calls to one Superlink, and content to and from it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

import grpc
from grpc_health.v1 import health_pb2

from dao.core.commits import Reveal, SignedCommit, SignedPass
from dao.core.formats.cid import Cid
from dao.core.types import Address, Digest, Domain, RoundId, Signature, TaskId, Timestamp, hex_of
from dao.errors import Refused, Unreachable
from dao.runtime.backoff import pauses
from dao.store.cid import name_of
from dao.store.partial_file import PartialFile
from dao.store.source import MAX_CONTENT
from dao.wire import grpc_options
from dao.wire import superlink_pb2 as pb
from dao.wire.call_status import is_broken, to_error
from dao.wire.download import Download, Progress
from dao.wire.health import HEALTH, SERVED
from dao.wire.messages import (
    Ack,
    ComputedModel,
    Inclusion,
    RevealRequest,
    Welcome,
    read_ack,
    read_inclusion,
    read_model,
    read_receipt,
    read_welcome,
    write_commit,
    write_pass,
    write_reveal,
)
from dao.wire.signed_calls import CallSigner, sign_call
from dao.wire.upload import OnProgress, Upload

T = TypeVar("T")

_EXPIRY_SECONDS = 60
_WAIT_SECONDS = 30.0  # of one call
_MAX_BREAKS = 3  # in the middle of sending, which may hide a refusal
_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.05, 1.0
_RETRIED = (
    grpc.StatusCode.UNAVAILABLE,  # it restarts
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # it has too much to do
    grpc.StatusCode.ABORTED,  # it has restarted, or a clock jumped: say Hello again
)
_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    (
        "grpc.use_local_subchannel_pool",
        1,
    ),  # a connection of its own, even beside other clients in this process
]


class SuperlinkClient:
    """A Supernode's connection to the Superlink at `address` (`host:port`); it comes back by itself.

    Without a signer only `fetch` and `health` work. `limit` (seconds) bounds each call, retries included; a stream
    may take longer by its size at 64 KiB a second. Errors: Refused with the Superlink's words, Unreachable.
    `sent` and `received` count the bytes of content that it carried. `by_channel`: large content may come over a
    data channel (`dao.wire.data_channel`), where that can be reached and nothing is to be secret.
    """

    def __init__(
        self,
        address: str,
        signer: CallSigner | None,
        domain: Domain,
        tls: grpc_options.Tls | None = None,
        limit: float = 10.0,
        by_channel: bool = True,
    ) -> None:
        self.address = grpc_options.check_address(address)
        self._signer, self._domain, self._limit = signer, domain, limit
        self._credentials = None if tls is None else _credentials(tls)
        self._opened: grpc.aio.Channel | None = None
        self._session: tuple[Welcome, float] | None = None  # and the moment it came
        self._greeting = asyncio.Lock()
        self._by_channel = by_channel and tls is None
        self.sent = self.received = 0

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        if self._opened is not None:
            await self._opened.close(None)
            self._opened = None

    @property
    def _channel(self) -> grpc.aio.Channel:
        if self._opened is None:
            options = [*grpc_options.OPTIONS, *_RECONNECT]
            self._opened = (
                grpc.aio.insecure_channel(self.address, options=options)
                if self._credentials is None
                else grpc.aio.secure_channel(self.address, self._credentials, options=options)
            )
        return self._opened

    async def commit(self, commit: SignedCommit) -> Signature:
        """Hand in a commit of this operator; return the signature of the Superlink's receipt."""
        return read_receipt(await self._unary(grpc_options.COMMIT, write_commit(commit)))

    async def sit_out(self, node_pass: SignedPass) -> None:
        """Hand in a pass of this operator: it sits a round out."""
        await self._unary(grpc_options.SIT_OUT, write_pass(node_pass))

    async def inclusion(self, task: TaskId, round_id: RoundId, limit: float = 600.0) -> Inclusion:
        """Wait until commits are closed, `limit` seconds at most; return where ours is in their tree."""
        return await self._wait_for(
            grpc_options.INCLUSION, task, round_id, limit, read_inclusion, "commits not closed"
        )

    async def model(self, task: TaskId, round_id: RoundId, limit: float = 600.0) -> ComputedModel:
        """Wait until a round's new model is computed, `limit` seconds at most; the chain tells later if it stands."""
        return await self._wait_for(grpc_options.MODEL, task, round_id, limit, read_model, "no model")

    async def reveal(
        self,
        task: TaskId,
        round_id: RoundId,
        reveal: Reveal,
        content: Path | None,
        on_progress: OnProgress = lambda _: None,
        node: Address | None = None,
    ) -> Ack:
        """Reveal a commit: send the update in `content`, or None where the Superlink is to fetch it by IPFS.

        `node` is another one, which opened its commit on chain, and whose update this operator hands over.

        An upload that broke off, in this call or an earlier one, goes on with what the Superlink has not got.
        """
        size = 0 if content is None else await grpc_options.read_size(content)
        request = RevealRequest(
            *(task, round_id, reveal, size, content is None),
            by_channel=self._by_channel and content is not None,
            node=node,
        )
        call = self._channel.stream_unary(grpc_options.REVEAL, None, None)
        upload = Upload(self.address, call, content or Path(), size, on_progress)
        limit = self._limit + size / grpc_options.MIN_RATE
        try:
            for by_channel in (request.by_channel, False):
                body = write_reveal(replace(request, by_channel=by_channel))
                try:
                    return read_ack(
                        await self._retried(
                            grpc_options.REVEAL, body, upload.attempt, limit, lambda: upload.arrived
                        )
                    )
                except OSError:  # the channel could not be reached, or it broke
                    if not by_channel:
                        raise
            raise AssertionError
        finally:
            self.sent += upload.sent
            self._by_channel &= upload.has_channel

    async def fetch(
        self,
        content: Cid | Digest,
        into: Path,
        max_bytes: int = MAX_CONTENT,
        on_progress: Progress | None = None,
    ) -> Cid:
        """Download content into a file, checked on its way; the file appears when it is whole.

        Broken off, it goes on where it was, in this call or a later one (`into` with `.part`). Raises NotFound,
        Mismatch, TooLarge, DecodeError, Refused or Unreachable.
        """
        part = into.with_name(f"{into.name}.part")
        with PartialFile(part, max_bytes, f"content {name_of(content)}", resume=True) as incoming:
            cid = await self.download(content, incoming, on_progress)
            await asyncio.to_thread(incoming.place, into, True, 0o644)
        return cid

    async def download(
        self, content: Cid | Digest, incoming: PartialFile, on_progress: Progress | None = None
    ) -> Cid:
        """Write content to a file that may hold a part of it already; return its CID, which is what was asked for."""
        signer = (
            None if self._signer is None else lambda body: self._signed(grpc_options.FETCH, body, self._limit)
        )
        call = self._channel.unary_stream(grpc_options.FETCH, None, None)
        download = Download(
            self.address, call, signer, self._forget, self._limit, on_progress, self._by_channel
        )
        try:
            return await download.run(content, incoming)
        finally:
            self._by_channel = download.by_channel
            self.received += download.received

    async def health(self) -> bool:
        """Return whether the Superlink says that it serves. Unreachable when it does not answer."""
        check = self._channel.unary_unary(
            f"/{HEALTH}/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(
                health_pb2.HealthCheckRequest(service=SERVED[-1]), timeout=self._limit, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            raise to_error(error, self.address) from None
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def _wait_for(
        self,
        method: str,
        task: TaskId,
        round_id: RoundId,
        limit: float,
        read: Callable[[bytes], T | None],
        otherwise: str,
    ) -> T:
        """Repeat a call that waits until it has an answer."""
        end = _now() + limit
        while (left := end - _now()) > 0:
            wait = min(left, _WAIT_SECONDS)
            body = pb.WaitRequest(task=task, round=round_id, wait_ms=int(wait * 1000)).SerializeToString()
            answer = read(await self._unary(method, body, wait + self._limit))
            if answer is not None:
                return answer
        raise Unreachable(
            f"round {round_id} at Superlink {self.address}: {otherwise} within {limit:g} s; ask again"
        )

    async def _unary(self, method: str, body: bytes, limit: float | None = None) -> bytes:
        call = self._channel.unary_unary(method, None, None)

        async def send(signed: bytes, left: float) -> bytes:
            return cast("bytes", await call(signed, timeout=left, wait_for_ready=True))

        return await self._retried(method, body, send, self._limit if limit is None else limit)

    async def _retried(
        self,
        method: str,
        body: bytes,
        send: Callable[[bytes, float], Awaitable[bytes]],
        limit: float,
        get_arrived: Callable[[], int] = lambda: 0,
    ) -> bytes:
        """Sign and send until there is an answer: every call may be made twice, for a second one changes nothing.

        `get_arrived` tells how far it got: breaks without a byte between them, which may hide a refusal, are few.
        """
        end, breaks, arrived = _now() + limit, 0, 0
        for pause in pauses(_PAUSE_SECONDS, _MAX_PAUSE_SECONDS, spread=0):
            try:
                signed = await self._signed(method, body, end - _now())
                return await send(signed, end - _now())
            except grpc.aio.AioRpcError as error:
                said, code = to_error(error, self.address), error.code()
                breaks = is_broken(error) + (breaks if get_arrived() <= arrived else 0)
                arrived = get_arrived()
                again = code in _RETRIED or (is_broken(error) and breaks < _MAX_BREAKS)
            if code is grpc.StatusCode.ABORTED:
                self._forget()
            if not again or _now() + pause >= end:
                raise said
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def _signed(self, method: str, body: bytes, limit: float) -> bytes:
        if self._signer is None:
            raise Refused(
                f"Superlink {self.address}: {method} needs an operator key; open this client with one"
            )
        welcome, came = await self._welcome(limit)
        expiry = Timestamp(
            int(welcome.now + _now() - came) + _EXPIRY_SECONDS
        )  # by its clock: ours may be wrong
        return sign_call(self._signer, self._domain, welcome.session, method, body, expiry)

    def _forget(self) -> None:
        """Say Hello again before the next call: the Superlink has restarted, or its clock was set."""
        self._session = None

    async def _welcome(self, limit: float) -> tuple[Welcome, float]:
        async with self._greeting:
            if self._session is None:
                hello = self._channel.unary_unary(grpc_options.HELLO, None, None)
                welcome = read_welcome(await hello(b"", timeout=max(limit, 0), wait_for_ready=True))
                theirs = Domain(welcome.chain_id, welcome.coordinator)
                if theirs != self._domain:
                    raise Refused(
                        f"Superlink {self.address}: it serves {_words(theirs)}, expected {_words(self._domain)}; "
                        "check its address and the deployment"
                    )
                self._session = welcome, _now()
            return self._session


def _words(domain: Domain) -> str:
    return f"coordinator {hex_of(domain.coordinator)} on chain {domain.chain_id}"


def _credentials(tls: grpc_options.Tls) -> grpc.ChannelCredentials:
    roots = None if tls.authorities is None else grpc_options.read_pem(tls.authorities, "TLS authorities")
    return grpc.ssl_channel_credentials(roots)


def _now() -> float:
    return asyncio.get_running_loop().time()
