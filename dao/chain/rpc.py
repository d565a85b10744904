"""Requests to the chain's node, repeated while it hangs, throttles or restarts, and never sent to another chain."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from aiohttp import ClientConnectorError, ClientError, ClientResponseError, ClientTimeout
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from dao.chain.websocket import NOTHING, Disconnected, Push, SocketProvider
from dao.errors import ChainError, ConfigError, RpcError
from dao.runtime.backoff import pauses

TIMEOUT = 5.0  # seconds for one attempt
PATIENCE = 30.0  # seconds for a request with all its attempts
_FIRST_PAUSE, _LONGEST_PAUSE, _SPREAD = 0.05, 5.0, 0.5
_THROTTLED = (429, -32005, -32029, -32097)
_TRANSIENT = ("rate limit", "too many requests", "request limit", "timeout", "timed out", "try again")
_NO_ACCESS = (401, 402, 403, 404, 429)  # HTTP: what was asked did not reach the node
_log = logging.getLogger(__name__)
# Python's own: web3's imports raise it a hundredfold, and then brackets in brackets end the process that parses them
sys.setrecursionlimit(1000)


class NodeError(RpcError):
    """The node answered `method` with an error: `code`, its `reason`, and its `data` ("" when it gave none)."""

    def __init__(self, method: str, error: Any) -> None:
        fields = error if isinstance(error, dict) else {}
        self.method = method
        self.code = fields.get("code", 0)
        self.reason = str(fields.get("message", error))
        self.data = _data(fields.get("data"))
        super().__init__(f"{method}: the chain's node answered {self.code}: {self.reason[:300]}")

    @property
    def throttled(self) -> bool:
        """Whether the same request may succeed later."""
        reason = self.reason.lower()
        if "results" in reason or "range" in reason:  # some use the code of a limit for these
            return False
        return self.code in _THROTTLED or any(word in reason for word in _TRANSIENT)

    @property
    def revert(self) -> bytes | None:
        """The bytes of a revert, or None for an error that is none."""
        if self.code == 3 or "revert" in self.reason.lower() or self.data:
            return self.data
        return None


class Rpc:
    """One node of the chain, over ws:// (kept open, reopened when it breaks) or http://."""

    def __init__(self, url: str, timeout: float = TIMEOUT, patience: float = PATIENCE) -> None:
        if not url.startswith(("ws://", "wss://", "http://", "https://")):
            raise ConfigError(
                f"chain node {url}: expected an address with ws://, wss://, http:// or https://"
            )
        self.url = url
        self.pushes = url.startswith("ws")
        self.chain_id = 0  # unknown until connected
        self.timeout = timeout
        self.patience = patience
        self._provider: SocketProvider | AsyncHTTPProvider | None = None
        self._up = asyncio.Event()
        self._trouble = RpcError(f"{url}: not connected")
        self._keeper: asyncio.Task[None] | None = None
        self._on_head: Push | None = None
        self._away_since: float | None = None

    async def connect(self, chain_id: int | None, on_head: Push | None = None) -> None:
        """Connect, and keep it so until `close`.

        `on_head` gets each new header (ws:// only), and None after each reconnection: headers may have been missed.
        RpcError when the node does not answer or is of another chain than `chain_id`.
        """
        self.chain_id = chain_id or 0
        self._on_head = on_head
        await self._open()
        if self.pushes:
            self._keeper = asyncio.create_task(self._keep(), name="chain connection")

    async def close(self) -> None:
        """End all connections."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._drop()

    async def request(self, method: str, *params: object, patience: float | None = None) -> Any:
        """Ask, and ask again while the node is away, hangs or throttles, for `patience` seconds in all.

        Raises NodeError for an error that another attempt would not change, RpcError when patience is over.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + (self.patience if patience is None else patience)
        for pause in self._pauses():
            try:
                return await self._ask_once(method, params, min(self.timeout, end - loop.time()))
            except NodeError as error:
                if not error.throttled:
                    raise
                trouble: RpcError = error
            except RpcError as error:
                trouble = error
            if loop.time() + pause >= end:
                raise trouble
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def check_chain(self) -> None:
        """Raise RpcError when the node is of another chain; until it is of ours again, no other request reaches it."""
        try:
            async with asyncio.timeout(self.timeout):
                number = int(await self._ask("eth_chainId", ()), 16)
        except TimeoutError:
            self._refuse(f"no answer to eth_chainId in {self.timeout:.1f} s; is it overloaded?")
        except (TypeError, ValueError):
            number = -1
        if number < 0 or (self.chain_id and number != self.chain_id):
            expected = self.chain_id or "a chain id"
            self._refuse(f"answers for chain {number}, expected {expected}; check the address")
        self.chain_id = number
        if not self.pushes:
            self._up.set()

    def _refuse(self, words: str) -> NoReturn:
        self._up.clear()
        self._trouble = RpcError(f"{self.url}: {words}")
        raise self._trouble

    def note(self, trouble: ChainError | None) -> None:
        """Log once that the node is lost, with the reason, and (None) once that it is back."""
        now = asyncio.get_running_loop().time()
        if trouble is not None and self._away_since is None:
            self._away_since = now
            _log.warning("the chain is lost, and asked for until it is back: %s", trouble)
        elif trouble is None and self._away_since is not None:
            _log.warning("%s: the chain is back after %.0f s", self.url, now - self._away_since)
            self._away_since = None

    async def _ask_once(self, method: str, params: tuple[object, ...], limit: float) -> Any:
        """Ask once, when connected, within `limit` seconds."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(max(limit, 0.001)):
                await self._up.wait()
                return await self._ask(method, params)
        except TimeoutError:
            if not self._up.is_set():
                raise self._trouble from None
            if isinstance(self._provider, SocketProvider) and self._provider.heard < started:
                await self._provider.disconnect()  # it hangs: reopen
            raise RpcError(f"{self.url}: no answer to {method} in {limit:.1f} s; is it overloaded?") from None

    async def _ask(self, method: str, params: tuple[object, ...]) -> Any:
        if self._provider is None:
            raise self._trouble
        try:
            answer: Any = await self._provider.make_request(RPCEndpoint(method), params)
        except ClientResponseError as error:
            if error.status in _NO_ACCESS:
                raise NodeError(method, {"code": error.status, "message": error.message}) from None
            raise RpcError(f"{self.url}: HTTP {error.status} to {method}; throttled or in trouble") from None
        except ClientConnectorError:
            raise Disconnected(f"{self.url}: {NOTHING}") from None
        except (ClientError, OSError, ValueError, RecursionError) as error:
            raise Disconnected(
                f"{self.url}: {method} failed ({str(error) or type(error).__name__}); is it up?"
            ) from None
        if not isinstance(answer, dict):
            raise RpcError(f"{self.url}: answered {method} with no JSON-RPC object; is it a chain's node?")
        if answer.get("error") is not None:
            raise NodeError(method, answer["error"])
        return answer.get("result")

    async def _open(self) -> None:
        """Connect, check the chain, subscribe; RpcError when one of them fails."""
        self._provider = provider = self._new_provider()
        try:
            if isinstance(provider, SocketProvider):
                async with asyncio.timeout(self.timeout):
                    await provider.connect()
            await self.check_chain()
            if isinstance(provider, SocketProvider) and self._on_head is not None:
                async with asyncio.timeout(self.timeout):
                    await provider.subscribe(self._on_head, "newHeads")
        except TimeoutError:
            await self._drop()
            raise RpcError(f"{self.url}: does not answer; check the address") from None
        except BaseException:
            await self._drop()
            raise
        self._up.set()

    async def _drop(self) -> None:
        self._up.clear()
        provider, self._provider = self._provider, None
        if provider is not None:
            await provider.disconnect()

    async def _keep(self) -> None:
        """Reopen the connection whenever it breaks."""
        while True:
            if isinstance(self._provider, SocketProvider):
                await self._provider.closed()
            await self._drop()
            await self._reopen()
            self.note(None)
            if self._on_head is not None:
                self._on_head(None)

    async def _reopen(self) -> None:
        """Open the connection, with growing pauses until that works."""
        for pause in self._pauses():
            try:
                await self._open()
            except RpcError as error:
                self._trouble = error
                self.note(error)
                await asyncio.sleep(pause)
            else:
                return

    def _pauses(self) -> Iterator[float]:
        return pauses(_FIRST_PAUSE, _LONGEST_PAUSE, _SPREAD)

    def _new_provider(self) -> SocketProvider | AsyncHTTPProvider:
        if self.pushes:
            return SocketProvider(self.url)
        return AsyncHTTPProvider(
            self.url,
            request_kwargs={"timeout": ClientTimeout(total=self.timeout)},
            exception_retry_configuration=None,
        )


def _data(data: Any) -> bytes:
    """Return the bytes of an error's data, which nodes write in several ways; empty when there are none."""
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
    if not isinstance(data, str) or "0x" not in data:
        return b""
    try:
        return bytes.fromhex(data[data.index("0x") + 2 :])
    except ValueError:
        return b""
