"""In-memory response cache, keyed by the version of everything shown: after a change, many pages read the same again."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Scope, Send

MAX_SIZE = 32 << 20  # bytes of all responses
MAX_BODY = 256 << 10  # bytes of one body
_OVERHEAD = 2048  # bytes that a response takes beside its body


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response, and the route that gave it."""

    start: Message
    body: bytes
    route: Any


class ResponseCache:
    """The newest responses by their ETags; the one used longest ago goes first."""

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._responses: OrderedDict[str, CachedResponse] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._responses)

    def find(self, tag: str) -> CachedResponse | None:
        """Find the response with a tag."""
        cached = self._responses.get(tag)
        if cached is not None:
            self._responses.move_to_end(tag)
        return cached

    def store(self, tag: str, response: CachedResponse) -> None:
        """Store a response, unless it is too large."""
        if tag in self._responses or len(response.body) > MAX_BODY:
            return
        self._responses[tag] = response
        self._size += len(response.body) + _OVERHEAD
        while self._size > self._max_size:
            _, oldest = self._responses.popitem(last=False)
            self._size -= len(oldest.body) + _OVERHEAD

    def wrap_send(self, tag: str, scope: Scope, send: Send) -> Send:
        """Wrap `send` to store the response where it is 200 and comes in one piece."""
        start: Message | None = None

        async def send_and_store(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                copy = {**message, "headers": list(message["headers"])}
                start = copy if message["status"] == 200 else None
            elif start is not None and not message.get("more_body", False):
                self.store(tag, CachedResponse(start, message.get("body", b""), scope.get("route")))
            else:
                start = None
            await send(message)

        return send_and_store


async def send_cached(cached: CachedResponse, scope: Scope, send: Send) -> None:
    """Send a cached response."""
    scope["route"] = cached.route
    await send({**cached.start, "headers": list(cached.start["headers"])})
    await send({"type": "http.response.body", "body": cached.body})
