"""JSON-RPC over one WebSocket, as a web3 provider that waits without spinning and delivers pushes at once."""

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import Callable
from typing import Any

from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from dao.errors import RpcError

Push = Callable[[Any], None]

NOTHING = "nothing answers at this address; is the chain's node running?"
_MAX_MESSAGE = 64 << 20  # bytes of one answer
_QUIET = 20.0  # seconds until a silent connection is pinged, and until it must have answered


class Disconnected(RpcError):  # noqa: N818  (a leaf of the tree of errors)
    """The connection is gone; the request may or may not have been carried out."""


class SocketProvider(AsyncJSONBaseProvider):
    """A web3 provider over a WebSocket.

    web3's own polls its cache in a busy loop and loses pushes that are not read; here each request has a future,
    and each subscription a function that is called in the order of arrival.
    """

    has_persistent_connection = False  # to web3: make_request does it all

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._subscribing: dict[int, Push] = {}
        self._pushes: dict[str, Push] = {}
        self._socket: ClientConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self.heard = 0.0  # the event loop's time of the last message

    async def connect(self) -> None:
        """Open the connection; Disconnected when there is nothing at the address."""
        try:
            self._socket = await connect(
                self._url,
                compression=None,
                max_size=_MAX_MESSAGE,
                ping_interval=_QUIET,
                ping_timeout=_QUIET,
            )
        except socket.gaierror as error:
            raise Disconnected(
                f"{self._url}: there is no such host ({error.strerror}); check the address"
            ) from error
        except OSError as error:
            raise Disconnected(f"{self._url}: {NOTHING}") from error
        except (WebSocketException, InvalidURI) as error:
            if isinstance(error.__cause__, EOFError | OSError):  # it ended meanwhile
                raise Disconnected(f"{self._url}: {NOTHING}") from error
            raise Disconnected(f"{self._url}: no WebSocket here ({error}); check the address") from error
        self._listener = asyncio.create_task(self._read(self._socket), name="chain socket")

    async def disconnect(self) -> None:
        """Close the connection; requests that still wait raise Disconnected."""
        if self._socket is not None:
            await self._socket.close()
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    async def closed(self) -> None:
        """Return when the connection is gone."""
        if self._listener is not None:
            await asyncio.wait([self._listener])

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send a request and wait for the answer, for as long as the connection lasts."""
        return await self._ask(next(self._ids), method, params)

    async def subscribe(self, push: Push, *params: object) -> None:
        """Call `push` with each result of an `eth_subscribe`; RpcError when the node refuses."""
        number = next(self._ids)
        self._subscribing[number] = push
        try:
            answer = await self._ask(number, RPCEndpoint("eth_subscribe"), params)
        finally:
            self._subscribing.pop(number, None)
        if "result" not in answer:
            raise RpcError(f"{self._url}: refuses eth_subscribe {params[0]}: {answer.get('error')}")

    async def _ask(self, number: int, method: RPCEndpoint, params: Any) -> RPCResponse:
        if self._socket is None or self._listener is None or self._listener.done():
            raise Disconnected(f"{self._url}: not connected; waiting for it to come back")
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps(request))
            result: RPCResponse = await answer
        except WebSocketException as error:
            raise Disconnected(f"{self._url}: the connection broke; waiting for it to come back") from error
        finally:
            del self._waiting[number]
        return result

    async def _read(self, connection: ClientConnection) -> None:
        quick, loop = _quick_acknowledge(connection), asyncio.get_running_loop()
        try:
            while True:
                message = await connection.recv()
                quick()
                self.heard = loop.time()
                self._take(json.loads(message))
        except (WebSocketException, OSError, ValueError, RecursionError):
            await connection.close()
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Disconnected(f"{self._url}: the connection broke"))
                    answer.exception()  # seen: the caller may be gone

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise ValueError("not a JSON-RPC message")  # noqa: TRY004  (what json.loads raises too)
        number = message.get("id")
        if number is not None:
            if number in self._subscribing and isinstance(message.get("result"), str):
                self._pushes[message["result"]] = self._subscribing[number]
            answer = self._waiting.get(number)
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif message.get("method") == "eth_subscription":
            params = message["params"]
            push = self._pushes.get(params["subscription"])
            if push is not None:
                push(params["result"])


def _quick_acknowledge(connection: ClientConnection) -> Callable[[], None]:
    """Return what to call after each message, so that TCP acknowledges it at once.

    A node that leaves Nagle's algorithm on keeps its second message until the first is acknowledged, which Linux
    delays by 40 ms; the flag holds for one acknowledgement only.
    """
    transport = connection.transport.get_extra_info("socket")
    option = getattr(socket, "TCP_QUICKACK", None)
    if transport is None or option is None:
        return lambda: None

    def acknowledge() -> None:
        with contextlib.suppress(OSError):
            transport.setsockopt(socket.IPPROTO_TCP, option, 1)

    return acknowledge
