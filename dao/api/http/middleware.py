"""What every request passes: limits of rate and size, headers that browsers heed, and answers that need no body."""

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dao.api.http.problems import Problem, response
from dao.api.http.rate_limits import Limiter, caller_of
from dao.api.http.response_cache import ResponseCache, send_again

BASE = "/api/v1"
MAX_BODY = 256 * 1024  # bytes of a request
MAX_BRACKETS = 5000  # of a request: deep JSON overflows the stack where the recursion limit is raised
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_UNTAGGED = ("/auth", "/relay", "/events", "/health", "/metrics")  # they tell of the moment, or of the caller


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Per caller: what reads, and what costs a signature check, a simulation or gas."""

    reads: Limiter
    writes: Limiter


class RequestGuard:
    """ASGI middleware. `version` names what the answers stand on: the same version, the same answers."""

    def __init__(
        self,
        app: ASGIApp,
        limits: RequestLimits,
        version: Callable[[], str],
        trusted: frozenset[str],
        observe: Callable[[Scope, int], None],
        *,
        secure: bool,
    ) -> None:
        self._app = app
        self._limits = limits
        self._version = version
        self._trusted = trusted
        self._observe = observe
        self._headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if secure else {})
        self._answers = ResponseCache()
        self._salt = secrets.token_hex(8)  # another release may answer otherwise on the same block

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else "unknown"
        caller = caller_of(peer, headers.get("x-forwarded-for"), self._trusted)
        scope["state"] = {**scope.get("state", {}), "caller": caller, "began": time.perf_counter()}
        tag = self._tag(scope)
        send = self._dressed(scope, send, tag)
        try:
            reading = scope["method"] in ("GET", "HEAD", "OPTIONS")
            (self._limits.reads if reading else self._limits.writes).take(caller, "requests")
            if tag is not None and tag in _tags(headers.get("if-none-match", "")):
                await _not_modified(send)
                return
            if tag is not None:
                if (kept := self._answers.find(tag)) is not None:
                    await send_again(kept, scope, send)
                    return
                send = self._answers.keeping(tag, scope, send)
            receive = _bounded(headers, receive)
        except Problem as problem:
            await response(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _tag(self, scope: Scope) -> str | None:
        """The ETag of a read, known before it is read; data may be newer than its tag, never older."""
        path = scope["path"]
        if scope["method"] != "GET" or not path.startswith(BASE):
            return None
        if path.removeprefix(BASE).startswith(_UNTAGGED):
            return None
        asked = f"{len(path)} {path} {scope['query_string'].decode('latin-1')}"
        what = f"{self._salt} {self._version()} {asked}"
        return f'W/"{hashlib.sha256(what.encode()).hexdigest()[:24]}"'

    def _dressed(self, scope: Scope, send: Send, tag: str | None) -> Send:
        """Send with the headers that belong to every answer."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                status = message["status"]
                if tag is not None and status in (200, 304):
                    headers["ETag"] = tag
                headers.setdefault("Cache-Control", "no-cache" if tag is not None else "no-store")
                self._observe(scope, status)
            await send(message)

        return sending


def _tags(text: str) -> set[str]:
    """The entity tags of If-None-Match; compared weakly (RFC 9110)."""
    return {tag if tag.startswith("W/") else f"W/{tag}" for tag in map(str.strip, text.split(",")) if tag}


async def _not_modified(send: Send) -> None:
    await send({"type": "http.response.start", "status": 304, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _bounded(headers: Headers, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Receive at most MAX_BODY bytes; Problem 413 beyond."""
    told = headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > MAX_BODY:
        raise Problem(413, "too-large", f"the request is larger than {MAX_BODY} bytes")
    had = brackets = 0

    async def receiving() -> Message:
        nonlocal had, brackets
        message = await receive()
        body = message.get("body", b"")
        had, brackets = had + len(body), brackets + body.count(b"[") + body.count(b"{")
        if brackets > MAX_BRACKETS:
            raise HTTPException(422, "the request is nested deeper than anything here is")
        if had > MAX_BODY:  # the framework turns other exceptions in here into a 400
            raise HTTPException(413, f"the request is larger than {MAX_BODY} bytes")
        return message

    return receiving
