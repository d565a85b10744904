"""Answers that are kept as long as nothing changes: when something does, many pages read the same again."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Scope, Send

MOST = 32 << 20  # bytes of all
LARGEST = 256 << 10  # bytes of one body
_ROOM = 2048  # bytes that an answer takes beside its body


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer, and the route that gave it."""

    start: Message
    body: bytes
    route: Any


class ResponseCache:
    """The newest answers by their tags, which name what they stand on."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, CachedResponse] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, tag: str) -> CachedResponse | None:
        """The answer with a tag."""
        found = self._kept.get(tag)
        if found is not None:
            self._kept.move_to_end(tag)
        return found

    def keep(self, tag: str, kept: CachedResponse) -> None:
        """Keep an answer; those asked for longest ago make room."""
        if tag in self._kept or len(kept.body) > LARGEST:
            return
        self._kept[tag] = kept
        self._size += len(kept.body) + _ROOM
        while self._size > self._most:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone.body) + _ROOM

    def keeping(self, tag: str, scope: Scope, send: Send) -> Send:
        """Send, and keep what is sent where it is whole and good."""
        start: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                whole = {**message, "headers": list(message["headers"])}
                start = whole if message["status"] == 200 else None
            elif start is not None and not message.get("more_body", False):
                self.keep(tag, CachedResponse(start, message.get("body", b""), scope.get("route")))
            else:
                start = None
            await send(message)

        return sending


async def send_again(kept: CachedResponse, scope: Scope, send: Send) -> None:
    """Give a kept answer."""
    scope["route"] = kept.route
    await send({**kept.start, "headers": list(kept.start["headers"])})
    await send({"type": "http.response.body", "body": kept.body})
