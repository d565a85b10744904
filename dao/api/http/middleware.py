"""The middleware of every request: limits of rate and size, headers for browsers, ETags and the response cache."""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dao.api.http import compression, etags
from dao.api.http.load import LoadShedder
from dao.api.http.problems import Problem, make_response
from dao.api.http.rate_limits import RateLimiter, identify_caller
from dao.api.http.request_body import read_body
from dao.api.http.response_cache import ResponseCache, send_cached

BASE = "/api/v1"
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
_UNTAGGED = (
    "/auth",
    "/relay",
    "/events",
    "/health",
    "/ready",
    "/metrics",
)  # they depend on the moment or the caller


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of one caller and of all: of reads, and of requests that cost a signature check, a simulation or gas."""

    reads: RateLimiter
    writes: RateLimiter
    read_load: LoadShedder
    write_load: LoadShedder


class RequestMiddleware:
    """ASGI middleware. `version` changes whenever an answer may: the same version, the same answers."""

    def __init__(
        self,
        app: ASGIApp,
        limits: RequestLimits,
        version: Callable[[], str],
        trusted: frozenset[str],
        observe: Sequence[Callable[[Scope, int], None]],
        *,
        secure: bool,
    ) -> None:
        self._app = app
        self._limits = limits
        self._version = version
        self._trusted = trusted
        self._observe = observe
        self._headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if secure else {})
        self._response_cache = ResponseCache()
        self._salt = secrets.token_hex(8)  # another release may answer otherwise on the same block

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD" and scope["path"] != f"{BASE}/events":
            scope = {**scope, "method": "GET"}  # the server leaves the body out
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else "unknown"
        caller = identify_caller(peer, ",".join(headers.getlist("x-forwarded-for")), self._trusted)
        scope["state"] = {**scope.get("state", {}), "caller": caller, "began": time.perf_counter()}
        tag = self._compute_tag(scope)
        send = self._add_headers(scope, send, tag)
        is_read = scope["method"] in ("GET", "HEAD", "OPTIONS")
        try:
            (self._limits.reads if is_read else self._limits.writes).take(caller, "requests")
            if tag is not None:
                known = headers.get("if-none-match", "")
                if etags.has_answer(known, tag):
                    await etags.send_not_modified(send)
                    return
                if etags.wants_none(known):
                    send = etags.wrap_send(send)
                is_packed = compression.takes_gzip(headers)
                key = f"{tag} gzip" if is_packed else tag
                if (cached := self._response_cache.find(key)) is not None:
                    await send_cached(cached, scope, send)
                    return
                send = self._response_cache.wrap_send(key, scope, send)
                send = compression.wrap_send(send) if is_packed else send
            if is_read:
                await self._limits.read_load.run(self._app, scope, receive, send)
            elif (whole := await read_body(headers, receive)) is not None:
                await self._limits.write_load.run(self._app, scope, whole, send)
        except Problem as problem:
            await make_response(problem)(scope, receive, send)

    def _compute_tag(self, scope: Scope) -> str | None:
        """Compute the ETag of a read before reading: data may be newer than its tag, never older."""
        path = scope["path"]
        if scope["method"] != "GET" or not path.startswith(BASE):
            return None
        if path.removeprefix(BASE).startswith(_UNTAGGED):
            return None
        target = f"{len(path)} {path} {scope['query_string'].decode('latin-1')}"
        content = f"{self._salt} {self._version()} {target}"
        return f'W/"{hashlib.sha256(content.encode()).hexdigest()[:24]}"'

    def _add_headers(self, scope: Scope, send: Send, tag: str | None) -> Send:
        """Wrap `send` to add the headers of every answer, and to count it."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                status = message["status"]
                if tag is not None and status in (200, 304):
                    headers["ETag"] = tag
                    headers["Vary"] = "Accept-Encoding"
                headers.setdefault("Cache-Control", "no-cache" if tag is not None else "no-store")
                for observe in self._observe:
                    observe(scope, status)
            await send(message)

        return send_with_headers
