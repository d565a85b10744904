"""The connection to a Ray cluster, which trains a simulation's nodes where one machine is too small."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dao.errors import ConfigError, DaoError

PROBE_LIMIT = 5.0  # seconds for a connection
_BY_NAME = ("auto", "local")  # addresses that Ray itself resolves


class ClusterError(DaoError):
    """The Ray cluster cannot do the work."""


@contextmanager
def reach_cluster(address: str) -> Iterator[int]:
    """Be connected to a Ray cluster, and yield how many of its cores are free; ConfigError where there is none. Blocks."""
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "--ray takes Ray: pip install 'commonweight[ray]', here and on each machine of the cluster"
        ) from None
    _probe(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that begins here reports to nobody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:  # noqa: BLE001  (Ray has no class of its own for what goes wrong here)
        raise ConfigError(
            f"--ray {address}: cannot join the cluster: {shorten(error)}; one that asks for a token takes RAY_AUTH_MODE=token"
        ) from None
    try:
        free = int(ray.available_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if free < 1:
            raise ConfigError(f"--ray {address}: expected a cluster with a free core; see ray status")
        yield free
    finally:
        ray.shutdown()


def _probe(address: str) -> None:
    """Look whether anything listens, for Ray would wait long and end the process."""
    if address in _BY_NAME:
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--ray {address}: expected HOST:PORT, ray://HOST:PORT, auto or local")
    try:
        socket.create_connection((host, int(port)), timeout=PROBE_LIMIT).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--ray {address}: no cluster answers there ({error}); start one by ray start --head"
        ) from None


def shorten(error: Exception) -> str:
    """Return the first line of what Ray says, which may be a page."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[
        :300
    ]
