"""A node of the chain with faults: passes JSON-RPC on to Anvil, and hangs, throttles, lags or lies when told to."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dao.devnet.anvil import Anvil

AWAY = {"code": -32001, "message": "header not found"}


class Proxy:
    """What it does wrong is set by its attributes, at any time."""

    def __init__(self, anvil: Anvil) -> None:
        self._anvil = anvil
        self.asked: Counter[str] = Counter()
        self.hangs = False  # answers nothing
        self.throttled = 0  # the next so many requests are answered with an error of too many requests
        self.chain_id: int | None = None
        self.height: int | None = None  # knows no block above
        # a second node behind the same address, so many blocks late; it gets the requests for which `is_for_late` says so
        self.late_by = 0
        self.is_for_late: Callable[[str], bool] = lambda _method: True
        self.hidden: frozenset[bytes] = frozenset()  # topics of events that it does not show
        self.lost: Counter[str] = Counter()  # so many answers to a method are lost, after it was done
        # instead of doing what a method asks: errors, or None for no answer, as long as there are some
        self.instead: dict[str, list[dict[str, Any] | None]] = {}
        self.rubbish: list[str] = []  # sent instead of answers, as long as there is some
        self.status = 0  # of HTTP, instead of answering a broadcast, as long as it is set
        self.ws = self.http = ""
        self._connections: set[ServerConnection] = set()

    async def drop(self) -> None:
        """Break all WebSocket connections."""
        for connection in list(self._connections):
            connection.transport.abort()

    async def push(self, header: dict[str, Any]) -> None:
        """Push a head to everyone, under the number of their first subscription."""
        message = {"jsonrpc": "2.0", "method": "eth_subscription"}
        for connection in list(self._connections):
            params = {"subscription": connection.subscription, "result": header}  # type: ignore[attr-defined]
            await connection.send(json.dumps({**message, "params": params}))

    async def answer(self, session: ClientSession, request: dict[str, Any]) -> dict[str, Any] | None:
        """What is answered, or None."""
        method, params = request["method"], list(request["params"])
        self.asked[method] += 1
        if self.hangs:
            return None
        told = {"jsonrpc": "2.0", "id": request["id"]}
        if self.throttled:
            self.throttled -= 1
            return {
                **told,
                "error": {"code": -32005, "message": "daily request count exceeded, request rate limited"},
            }
        if method == "eth_chainId" and self.chain_id is not None:
            return {**told, "result": hex(self.chain_id)}
        height = self._height_for(method)
        if height is not None:
            if "latest" in params or "pending" in params:
                params = [hex(height) if param in ("latest", "pending") else param for param in params]
            elif any(_height_of(param, self._anvil) > height for param in params):
                empty = method.startswith("eth_getBlock")
                return {**told, "result": None} if empty else {**told, "error": AWAY}
        if self.instead.get(method):
            error = self.instead[method].pop(0)
            return None if error is None else {**told, "error": error}
        async with session.post(self._anvil.http, json={**request, "params": params}) as response:
            answered: dict[str, Any] = await response.json()
        if method == "eth_getTransactionReceipt" and height is not None and answered.get("result"):
            is_known = int(answered["result"]["blockNumber"], 16) <= height
            answered["result"] = answered["result"] if is_known else None
        if method == "eth_getLogs" and "result" in answered:
            answered["result"] = [log for log in answered["result"] if _topic_of(log) not in self.hidden]
        is_lost = self.lost[method] > 0
        self.lost[method] -= is_lost
        return None if is_lost else answered

    def _height_for(self, method: str) -> int | None:
        """The highest block of the node that gets a request."""
        if self.late_by and self.is_for_late(method):
            return max(0, int(self._anvil.request("eth_blockNumber"), 16) - self.late_by)
        return self.height

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        async with ClientSession() as session:

            async def on_http(request: web.Request) -> web.Response:
                body = await request.json()
                if self.rubbish:
                    return web.Response(text=self.rubbish.pop(0), content_type="application/json")
                if self.throttled:
                    self.throttled -= 1
                    return web.Response(status=429)
                if self.status and body["method"] == "eth_sendRawTransaction":
                    return web.Response(status=self.status)
                answer = await self.answer(session, body)
                if answer is None:
                    await asyncio.sleep(3600)
                return web.json_response(answer)

            async def on_socket(connection: ServerConnection) -> None:
                self._connections.add(connection)
                try:
                    await self._relay(session, connection)
                except ConnectionClosed:
                    pass
                finally:
                    self._connections.discard(connection)

            app = web.Application()
            app.router.add_post("/", on_http)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            async with serve(on_socket, "127.0.0.1", 0, compression=None) as sockets:
                self.http = f"http://127.0.0.1:{runner.addresses[0][1]}"
                self.ws = f"ws://127.0.0.1:{sockets.sockets[0].getsockname()[1]}"
                try:
                    yield self
                finally:
                    await self.drop()
                    await runner.cleanup()

    async def _relay(self, session: ClientSession, connection: ServerConnection) -> None:
        async with connect(self._anvil.ws, compression=None) as upstream:

            async def pushes() -> None:
                async for message in upstream:
                    head = json.loads(message)
                    if "id" in head:
                        connection.subscription = head.get("result")  # type: ignore[attr-defined]
                    number = head.get("params", {}).get("result", {}).get("number")
                    if not self.hangs and (
                        self.height is None or number is None or int(number, 16) <= self.height
                    ):
                        await connection.send(message)

            pushing = asyncio.create_task(pushes())
            try:
                async for message in connection:
                    request = json.loads(message)
                    if self.rubbish:
                        await connection.send(self.rubbish.pop(0))
                        continue
                    if request["method"] == "eth_subscribe":
                        await upstream.send(message)
                        continue
                    answer = await self.answer(session, request)
                    if answer is not None:
                        await connection.send(json.dumps(answer))
            finally:
                pushing.cancel()


def _height_of(param: object, anvil: Anvil) -> int:
    """The number of the block that a parameter names, as far as it names one."""
    if isinstance(param, str) and len(param) == 66:
        block = anvil.request("eth_getBlockByHash", param, False)
        return int(block["number"], 16) if block is not None else 0
    if isinstance(param, str) and param.startswith("0x") and len(param) < 20:
        return int(param, 16)
    if isinstance(param, dict) and "blockHash" in param:
        return _height_of(param["blockHash"], anvil)
    return 0


def _topic_of(log: dict[str, Any]) -> bytes:
    return bytes.fromhex(log["topics"][0][2:])
