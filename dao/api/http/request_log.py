"""Logs each request in one line, for operators who want that."""

import logging
import time

from starlette.types import Scope

_log = logging.getLogger(__name__)


def log_request(scope: Scope, status: int) -> None:
    """Log a request whose answer begins; its path as it came, percent-encoded, and without the query."""
    state = scope["state"]
    path = scope.get("raw_path", b"").decode("latin-1")
    milliseconds = (time.perf_counter() - state["began"]) * 1000
    _log.info("%s %s: %d in %.0f ms, for %s", scope["method"], path, status, milliseconds, state["caller"])
