"""A Superlink for tests: a real service over a handler with a key and a disk, and links to it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

from dao.chain.signer import Signer
from dao.core.commits import SignedCommit, SignedPass
from dao.core.formats.signed_messages import compute_receipt_digest
from dao.core.types import Address, Digest, Domain, RoundId, Signature, TaskId
from dao.errors import RuleError
from dao.store.disk import DiskStore
from dao.wire import grpc_options
from dao.wire import superlink_pb2 as pb
from dao.wire.call_limits import CallLimits
from dao.wire.messages import Ack, ComputedModel, Inclusion, RevealRequest
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_service import Receive, Service, serve

DOMAIN = Domain(31337, Address(b"\x11" * 20))
TASK, ROUND = TaskId(1), RoundId(7)
RECEIPT = Signature(b"r" * 65)
Fetch = Callable[[bytes, Any], Awaitable[None]]  # a request and gRPC's context, in which it is answered
COMMITMENT, SIGNATURE = Digest(b"\x22" * 32), Signature(b"\x33" * 65)
OPENING = Digest(b"\x66" * 32)
COMMIT = SignedCommit(
    TASK, ROUND, OPENING, Address(bytes(20)), COMMITMENT, SIGNATURE
)  # its node is the call's


class Superlink:
    """A handler with a key and a disk, whose commits close when the test says so."""

    def __init__(self, disk: DiskStore) -> None:
        self.signer, self.disk = Signer.ephemeral(), disk
        self.members: set[Address] = set()
        self.calls: Counter[Address] = Counter()
        self.closed, self.waiting = asyncio.Event(), asyncio.Event()
        self.passed: list[SignedPass] = []
        self.revealed: list[RevealRequest] = []
        self.before_commit: Callable[[Address], Awaitable[None]] | None = None

    def is_member(self, node: Address) -> bool:
        return node in self.members

    async def on_commit(self, commit: SignedCommit) -> bytes:
        self.calls[commit.node] += 1
        if self.before_commit is not None:
            await self.before_commit(commit.node)
        if commit.round != ROUND:
            raise RuleError(f"round {commit.round}: not open; the open one is {ROUND}")
        bound = commit.task, commit.round, commit.opening, commit.node, commit.commitment
        return self.signer.sign(compute_receipt_digest(DOMAIN, *bound))

    async def on_pass(self, passed: SignedPass) -> None:
        if passed.round != ROUND:
            raise RuleError(f"round {passed.round}: not open; the open one is {ROUND}")
        self.passed.append(passed)

    async def on_inclusion(self, node: Address, task: TaskId, round_id: RoundId) -> Inclusion:
        self.waiting.set()
        await self.closed.wait()
        return Inclusion(2, 3, (Digest(b"\x44" * 32),) * 20)

    async def on_model(self, node: Address, task: TaskId, round_id: RoundId) -> ComputedModel:
        self.waiting.set()
        await self.closed.wait()
        return ComputedModel(*(Digest(bytes([byte]) * 32) for byte in (0x55, 0x66, 0x77)))

    async def on_reveal(self, node: Address, request: RevealRequest, receive: Receive) -> Ack:
        if request.task != TASK:
            return Ack(False, f"task {request.task}: not ours")
        if not request.by_ipfs:
            await self.disk.put_from(receive, request.reveal.cid, request.size)
        self.revealed.append(request)
        return Ack(True, receipt=RECEIPT)

    async def content(self, digest: Digest) -> Path | None:
        path = self.disk.path_of(digest)
        return path if path.exists() else None


class Cable:
    """A connection to a service that breaks after some bytes, as often as asked: from it, or (`up`) to it."""

    def __init__(self, address: str, breaks: list[int], up: bool = False) -> None:
        self._to, self._breaks, self._up = address, breaks, up
        self.carried = self.sent = 0  # bytes from the service, and to it
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to.split(":")
        there = await asyncio.open_connection(host, int(port))
        limit = self._breaks.pop(0) if self._breaks else 1 << 60
        up, down = (limit, 1 << 60) if self._up else (1 << 60, limit)
        for source, sink, most in ((reader, there[1], up), (there[0], writer, down)):
            task = asyncio.create_task(self._carry(source, sink, most, (writer, there[1])))
            self._tasks.add(task)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        most: int,
        ends: tuple[asyncio.StreamWriter, ...],
    ) -> None:
        counts = sink is ends[0]
        try:
            while (data := await source.read(65536)) and most > 0:
                most -= len(data)
                self.carried += len(data) * counts
                self.sent += len(data) * (not counts)
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            for end in ends:
                end.transport.abort()


class Network:
    """Opens services and links for a test, and closes them after it."""

    def __init__(self, superlink: Superlink, stack: AsyncExitStack) -> None:
        self.superlink, self._stack = superlink, stack

    async def serve(
        self, address: str = "127.0.0.1:0", limits: CallLimits | None = None, **options: Any
    ) -> Service:
        service = await serve(
            self.superlink, address, DOMAIN, self.superlink.signer.address, limits=limits, **options
        )
        self._stack.push_async_callback(service.stop, 0)
        return service

    async def hostile(self, fetch: Fetch) -> str:
        """Open a Superlink that greets as it should and answers Fetch by this; return its address."""
        welcome = pb.Welcome(
            session=bytes(16),
            now=1,
            chain_id=DOMAIN.chain_id,
            coordinator=DOMAIN.coordinator,
            superlink=self.superlink.signer.address,
        ).SerializeToString()

        async def hello(*_: Any) -> bytes:
            return welcome

        server = grpc.aio.server()
        for name, method in (
            (grpc_options.HELLO, grpc.unary_unary_rpc_method_handler(hello)),
            (grpc_options.FETCH, grpc.unary_stream_rpc_method_handler(fetch)),
        ):
            _, service, what = name.split("/")
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {what: method}),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._stack.push_async_callback(server.stop, 0)
        return f"127.0.0.1:{port}"

    def client(
        self, address: str, member: bool = True, signer: Signer | None = None, **options: Any
    ) -> SuperlinkClient:
        signer = signer or Signer.ephemeral()
        if member:
            self.superlink.members.add(signer.address)
        client = SuperlinkClient(address, signer, options.pop("domain", DOMAIN), **options)
        self._stack.push_async_callback(client.close)
        return client

    def stranger(self, address: str, **options: Any) -> SuperlinkClient:
        client = SuperlinkClient(address, None, DOMAIN, **options)
        self._stack.push_async_callback(client.close)
        return client

    async def cable(self, address: str, breaks: list[int], up: bool = False) -> Cable:
        cable = Cable(address, breaks, up)
        await cable.open()
        self._stack.push_async_callback(cable.close)
        return cable
