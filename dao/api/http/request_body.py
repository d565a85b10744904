"""Reads a request's body, bounded, before the request takes a place at work: a slow sender keeps nobody waiting."""

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from dao.api.http.problems import Problem

MAX_BODY = 256 * 1024  # bytes of a request
MAX_BRACKETS = 5000  # of a request: deep JSON overflows the stack where the recursion limit is raised


async def read_body(headers: Headers, receive: Receive) -> Receive | None:
    """Read the body; return a `receive` that gives it in one piece, None where the sender has gone.

    Problem 413 or 422 where it is larger or nested deeper than anything here is.
    """
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise _make_too_large()
    body, brackets, is_whole = bytearray(), 0, False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece = message.get("body", b"")
        body += piece
        brackets += piece.count(b"[") + piece.count(b"{")
        if len(body) > MAX_BODY:
            raise _make_too_large()
        if brackets > MAX_BRACKETS:
            raise Problem(422, "invalid", "the request is nested deeper than anything here is")
        is_whole = not message.get("more_body", False)
    first: list[Message] = [{"type": "http.request", "body": bytes(body)}]

    async def receive_whole() -> Message:
        return first.pop() if first else await receive()

    return receive_whole


def _make_too_large() -> Problem:
    return Problem(413, "too-large", f"the request is larger than {MAX_BODY} bytes")
