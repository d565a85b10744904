"""The Superlink's end of the wire: checks each call, applies its limits, and passes it to a handler."""

import asyncio
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import structlog

from dao.core.commits import SignedCommit, SignedPass
from dao.core.types import Address, Digest, Domain, RoundId, TaskId
from dao.errors import ConfigError, DecodeError
from dao.store.partial_file import PartialFile
from dao.wire import grpc_options
from dao.wire import superlink_pb2 as pb
from dao.wire.call_limits import CallLimits, CallPace, CallPlaces
from dao.wire.call_status import Refusal, Why, to_refusal
from dao.wire.data_channel import MIN_SIZE, ChannelServer
from dao.wire.health import HealthService
from dao.wire.messages import (
    SESSION_BYTES,
    Ack,
    ComputedModel,
    Content,
    DataChannel,
    FetchRequest,
    Inclusion,
    RevealRequest,
    parse,
    read_commit,
    read_fetch,
    read_pass,
    read_reveal,
    write_ack,
    write_channel,
    write_content,
    write_inclusion,
    write_model,
)
from dao.wire.signed_calls import RequestVerifier, make_steady_clock

_log = structlog.get_logger()
_NAME = "commonweight.Superlink"
Context = Any  # gRPC's own
T = TypeVar("T")
Receive = Callable[
    [PartialFile], Awaitable[None]
]  # writes what a file lacks of a content into it, as it comes, or raises


class Handler(Protocol):
    """What a Superlink does with calls that have passed the checks.

    To refuse one, raise RuleError, DecodeError, Mismatch or TooLarge: the caller reads its message. Any other error
    is logged, and the caller gets a failure without its message.
    """

    def is_member(self, node: Address) -> bool:
        """Return whether this node may call; it is called with every call, so it must be cheap."""
        ...

    async def on_commit(self, commit: SignedCommit) -> bytes:
        """Take a commit of its node; return the signature of its receipt. The same commit again gives the same."""
        ...

    async def on_pass(self, node_pass: SignedPass) -> None:
        """Take a pass of its node; the same again changes nothing."""
        ...

    async def on_inclusion(self, node: Address, task: TaskId, round_id: RoundId) -> Inclusion:
        """Wait until commits are closed, for as long as it takes: the call's limit cancels it, and it is repeated."""
        ...

    async def on_model(self, node: Address, task: TaskId, round_id: RoundId) -> ComputedModel:
        """Wait until a round's new model is computed, likewise; return it and the step to it."""
        ...

    async def on_reveal(self, node: Address, request: RevealRequest, receive: Receive) -> Ack:
        """Take a reveal. `receive` gives what a file lacks of `request.size` bytes; it is not for an update that comes by IPFS."""
        ...

    async def content(self, digest: Digest) -> Path | None:
        """Return the file of a content that anyone may have, None when there is none; the caller checks the bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """A Superlink's wire, open at `address` (`host:port`)."""

    address: str
    _server: grpc.aio.Server
    _health: HealthService
    _channels: ChannelServer

    async def stop(self, grace: float = 5.0) -> None:
        """Take no more calls; those under way have `grace` seconds to end."""
        await self._health.end()
        await self._channels.close()
        await self._server.stop(grace)


async def serve(
    handler: Handler,
    address: str,
    domain: Domain,
    superlink: Address,
    certificate: grpc_options.Certificate | None = None,
    limits: CallLimits | None = None,
    now: Callable[[], float] | None = None,
) -> Service:
    """Open the wire at `host:port` (port 0: any free one). ConfigError when the address cannot be had.

    `superlink` is the account that signs receipts. `now`: another clock than a steady one. Without a certificate, calls
    are signed but not secret, and large content goes over data channels at another free port of the host.
    """
    await grpc_options.require_free(address)
    calls = _Calls(handler, domain, superlink, limits or CallLimits(), now or make_steady_clock())
    server = grpc.aio.server(
        options=[
            *grpc_options.OPTIONS,
            ("grpc.max_concurrent_streams", calls.limits.connection_streams),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.so_reuseport", 0),
        ]
    )
    health = HealthService(lambda context: calls.guarded(context, calls.admit(context)))
    server.add_generic_rpc_handlers((*calls.methods(), health.methods()))
    host = address.rpartition(":")[0]
    try:
        if certificate is None:
            port = server.add_insecure_port(address)
        else:
            pair = (
                grpc_options.read_pem(certificate.key, "TLS key"),
                grpc_options.read_pem(certificate.chain, "certificate"),
            )
            port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    except RuntimeError:
        port = 0
    if not port:  # taken since
        raise ConfigError(f"address {address}: cannot be listened at; expected a free port of this machine")
    if certificate is None:
        calls.channels.open(host)
    await server.start()
    await health.begin()
    return Service(f"{host}:{port}", server, health, calls.channels)


class _Calls:
    """One method for each call of the wire; requests and answers are bytes."""

    def __init__(
        self,
        handler: Handler,
        domain: Domain,
        superlink: Address,
        limits: CallLimits,
        now: Callable[[], float],
    ) -> None:
        self._handler, self._domain, self._superlink, self._now = handler, domain, superlink, now
        self.limits = limits
        self.channels = ChannelServer(
            limits.silence_seconds, limits.fetches + limits.public_fetches + limits.reveals
        )
        self._session = secrets.token_bytes(SESSION_BYTES)
        self._verifier = RequestVerifier(domain, self._session, handler.is_member, now)
        self._connections = CallPace(limits.connection_rate, limits.burst, limits.max_wait)
        self._nodes = CallPace(limits.node_rate, limits.burst, limits.max_wait)
        self._hosts = CallPace(limits.host_rate, limits.burst, limits.max_wait)
        self._unary = CallPlaces(limits.node_calls, limits.node_queue, limits.calls, "calls")
        self._waits = CallPlaces(limits.node_waits, 0, 1 << 20, "waiting calls")
        self._reveals = CallPlaces(limits.node_reveals, limits.node_reveals, limits.reveals, "reveals")
        self._fetches = CallPlaces(limits.node_fetches, limits.node_fetches, limits.fetches, "fetches")
        self._public = CallPlaces(
            limits.host_fetches, limits.host_fetches, limits.public_fetches, "unsigned fetches"
        )

    def methods(self) -> "tuple[grpc.GenericRpcHandler[Any, Any], ...]":
        unary = grpc.unary_unary_rpc_method_handler
        services: dict[str, dict[str, Any]] = {
            _NAME: {
                "Hello": unary(self.hello),
                "Commit": unary(self.commit),
                "Pass": unary(self.sit_out),
                "Inclusion": unary(self.inclusion),
                "Model": unary(self.model),
            },
            "commonweight.Content": {
                "Reveal": grpc.stream_unary_rpc_method_handler(self.reveal),
                "Fetch": grpc.unary_stream_rpc_method_handler(self.fetch),
            },
        }
        return tuple(
            grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()
        )

    async def admit(self, context: Context) -> None:
        """Hold a call until its connection and its host are due for one."""
        peer = context.peer()
        await self._connections.wait(peer)
        await self._hosts.wait(_host_of(peer))

    async def open(self, method: str, request: bytes) -> tuple[Address, bytes]:
        """Return who makes a call and its body, once that node is due for a call."""
        node, body = self._verifier.open(method, request)
        await self._nodes.wait(node.hex())
        return node, body

    async def guarded(self, context: Context, work: Awaitable[T]) -> T:
        """Do the work of a call; when that fails, end the call with what its caller may know."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001  (whatever it is, the caller gets an answer)
            refusal = to_refusal(error)
            if refusal.why is Why.FAILED:
                _log.error(
                    "call failed", peer=context.peer(), traceback=traceback.format_exc()
                )  # without local values
        await context.abort(refusal.why.value, str(refusal))
        raise AssertionError  # abort raises

    async def hello(self, _: bytes, context: Context) -> bytes:
        await self.guarded(context, self.admit(context))
        return pb.Welcome(
            session=self._session,
            now=int(self._now()),
            chain_id=self._domain.chain_id,
            coordinator=self._domain.coordinator,
            superlink=self._superlink,
        ).SerializeToString()

    async def commit(self, request: bytes, context: Context) -> bytes:
        async def work() -> bytes:
            await self.admit(context)
            node, body = await self.open(grpc_options.COMMIT, request)
            commit = read_commit(node, body)
            async with asyncio.timeout(self.limits.call_seconds), self._unary.take(node):
                signature = await self._handler.on_commit(commit)
            return pb.Receipt(signature=signature).SerializeToString()

        return await self.guarded(context, work())

    async def sit_out(self, request: bytes, context: Context) -> bytes:
        async def work() -> bytes:
            await self.admit(context)
            node, body = await self.open(grpc_options.SIT_OUT, request)
            node_pass = read_pass(node, body)
            async with asyncio.timeout(self.limits.call_seconds), self._unary.take(node):
                await self._handler.on_pass(node_pass)
            return pb.PassAnswer().SerializeToString()

        return await self.guarded(context, work())

    async def inclusion(self, request: bytes, context: Context) -> bytes:
        work = self._wait_for(grpc_options.INCLUSION, request, context, self._handler.on_inclusion)
        return write_inclusion(await self.guarded(context, work))

    async def model(self, request: bytes, context: Context) -> bytes:
        work = self._wait_for(grpc_options.MODEL, request, context, self._handler.on_model)
        return write_model(await self.guarded(context, work))

    async def _wait_for(
        self,
        method: str,
        request: bytes,
        context: Context,
        wait: Callable[[Address, TaskId, RoundId], Awaitable[T]],
    ) -> T | None:
        """Return what a node waits for, None where that has not come when its time is up."""
        await self.admit(context)
        node, body = await self.open(method, request)
        waiting = parse(pb.WaitRequest, body)
        async with self._waits.take(node):
            try:
                async with asyncio.timeout(min(waiting.wait_ms / 1000, self.limits.wait_seconds)):
                    return await wait(node, TaskId(waiting.task), RoundId(waiting.round))
            except TimeoutError:
                return None

    async def reveal(self, messages: AsyncIterator[bytes], context: Context) -> bytes:
        async def work() -> bytes:
            await self.admit(context)
            async with asyncio.timeout(self.limits.silence_seconds):
                first = await anext(messages, b"")
            node, body = await self.open(grpc_options.REVEAL, first)
            request = read_reveal(body)
            if request.size > self.limits.max_content:
                raise DecodeError(
                    f"RevealRequest.size: {request.size}, expected at most {self.limits.max_content}"
                )

            async def receive(incoming: PartialFile) -> None:
                if incoming.size > request.size:  # of an attempt that declared another size
                    incoming.restart()
                left, go_on = request.size - incoming.size, (grpc_options.GO_ON, str(incoming.size))

                async def announce(channel: DataChannel) -> None:
                    await context.send_initial_metadata(
                        (go_on, (grpc_options.CHANNEL, write_channel(channel)))
                    )

                if request.by_channel and self.channels.is_open and left >= MIN_SIZE:
                    await self.channels.receive(left, incoming.write, announce)
                else:
                    await context.send_initial_metadata((go_on,))
                    await incoming.take(_exactly(messages, left, self.limits.silence_seconds))

            async with asyncio.timeout(self.limits.stream_seconds(request.size)), self._reveals.take(node):
                return write_ack(await self._handler.on_reveal(node, request, receive))

        return await self.guarded(context, work())

    async def fetch(self, request: bytes, context: Context) -> None:
        async def work() -> None:
            await self.admit(context)
            body = self._verifier.open_unsigned(request)
            if body is None:
                node, body = await self.open(grpc_options.FETCH, request)
                place = self._fetches.take(node)
            else:
                place = self._public.take(_host_of(context.peer()))
            fetch = read_fetch(body)
            async with place:
                path = await self._handler.content(fetch.digest)
                if path is None:
                    raise Refusal(Why.ABSENT, f"content 0x{fetch.digest.hex()}: not here; ask another source")
                await self._send(path, fetch, context)

        await self.guarded(context, work())

    async def _send(self, path: Path, fetch: FetchRequest, context: Context) -> None:
        size, offset = await grpc_options.read_size(path), fetch.offset
        if offset > size:
            raise DecodeError(f"FetchRequest.offset: {offset}, expected at most {size}")

        async def announce(channel: DataChannel | None = None) -> None:
            await context.write(write_content(Content(size, channel)))

        async with asyncio.timeout(self.limits.stream_seconds(size - offset)):
            if fetch.by_channel and self.channels.is_open and size - offset >= MIN_SIZE:
                await self.channels.send(path, offset, size, announce)
                return
            await announce()
            async with aclosing(grpc_options.read_pieces(path, offset)) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(self.limits.silence_seconds):
                        await context.write(piece)


async def _exactly(messages: AsyncIterator[bytes], size: int, silence: float) -> AsyncIterator[bytes]:
    """Pass on the pieces of content; DecodeError when they are more or fewer bytes than declared."""
    taken = 0
    while True:
        async with asyncio.timeout(silence):
            piece = await anext(messages, None)
        if piece is None:
            break
        taken += len(piece)
        if not piece or taken > size:
            raise DecodeError(
                f"reveal: {taken} bytes and more, or an empty piece; expected the {size} bytes declared"
            )
        yield piece
    if taken < size:
        raise DecodeError(f"reveal: it ended after {taken} bytes; expected the {size} bytes declared")


def _host_of(peer: str) -> str:
    return peer.rpartition(":")[0]
