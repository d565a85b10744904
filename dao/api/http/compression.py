"""Compresses answers in JSON by gzip, for whoever takes it; what has a secret in it is never compressed."""

import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

SMALLEST = 1000  # bytes that are worth it
_LEVEL = 4  # beyond, a processor works much longer for a few bytes


def takes_gzip(headers: Headers) -> bool:
    """Return whether a caller takes gzip."""
    words = [word.strip().lower() for word in headers.get("accept-encoding", "").split(",")]
    return any(word.split(";")[0] == "gzip" and not word.endswith("q=0") for word in words)


def wrap_send(send: Send) -> Send:
    """Wrap `send` to compress JSON that comes in one piece."""
    start: Message | None = None

    async def send_compressed(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        if start is not None:
            body = message.get("body", b"")
            if not message.get("more_body", False) and len(body) >= SMALLEST and _is_json(start):
                body = gzip.compress(body, _LEVEL, mtime=0)
                headers = MutableHeaders(scope=start)
                headers["Content-Encoding"], headers["Content-Length"] = "gzip", str(len(body))
                message = {**message, "body": body}
            await send(start)
            start = None
        await send(message)

    return send_compressed


def _is_json(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("application/json")
