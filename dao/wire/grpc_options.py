"""Options that both ends of the wire share: names of methods, gRPC's settings, and pieces of files."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from dao.core.constants import CONTENT_LEAF
from dao.errors import ConfigError, ContentError
from dao.runtime.config import is_host_port

HELLO = "/commonweight.Superlink/Hello"
COMMIT = "/commonweight.Superlink/Commit"
SIT_OUT = "/commonweight.Superlink/Pass"
INCLUSION = "/commonweight.Superlink/Inclusion"
MODEL = "/commonweight.Superlink/Model"
REVEAL = "/commonweight.Content/Reveal"
FETCH = "/commonweight.Content/Fetch"

GO_ON = "commonweight-go-on"  # a Superlink's metadata once it wants the content of a reveal: bytes it has
CHANNEL = "commonweight-door-bin"  # beside it: the DataChannel that the content is to go over

PIECE = CONTENT_LEAF  # bytes of a message of content
MIN_RATE = 64 * 1024.0  # bytes a second of a stream, on the whole
MAX_MESSAGE = PIECE + 64 * 1024  # bytes of any message, well below gRPC's own limit of 4 MiB
EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # its stubs leave it out
_readers = ThreadPoolExecutor(4, thread_name_prefix="wire-read")

OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.optimization_target", "throughput"),
    ("grpc.http2.max_frame_size", PIECE),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A Superlink's TLS certificate chain and private key, both PEM files."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Tls:
    """Speak TLS, and trust these authorities (a PEM file), or else those that gRPC ships with."""

    authorities: Path | None = None


def read_pem(path: Path, what: str) -> bytes:
    """Read a PEM file; ConfigError when it cannot be."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{what} {path}: cannot be read: {error.strerror}") from None
    if b"-----BEGIN" not in data:
        raise ConfigError(f"{what} {path}: expected a PEM file")
    return data


def check_address(address: str) -> str:
    """Return an address `host:port` as it is; ConfigError when it is none."""
    if not is_host_port(address):
        raise ConfigError(f"address {address[:200]!r}: expected host:port, such as superlink.example:9900")
    return address


async def require_free(address: str) -> None:
    """ConfigError when `host:port` is none, or cannot be listened at, which gRPC would log in lines of its own.

    A host of several addresses, as localhost is, may lack some of them, but no other process may have the port at one.
    """
    host, _, port = check_address(address).rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        errors = [_bind(family, place) for family, _, _, _, place in addresses]
    except UnicodeError:  # a part of the name that is empty, or too long
        errors = [OSError(errno.EINVAL, "no name of a host")]
    except OSError as error:
        errors = [error]
    failed = [error for error in errors if error is not None]
    taken = [error for error in failed if error.errno == errno.EADDRINUSE]
    if taken or len(failed) == len(errors):
        raise ConfigError(
            f"address {address}: cannot be listened at: {(taken or failed)[0].strerror}; expected a free port of this"
            " machine, choose another"
        )


def _bind(family: int, place: Any) -> OSError | None:
    """Return the error that keeps a socket from listening there, tried as gRPC does it; None: it can."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        return error
    return None


async def read_size(path: Path) -> int:
    """Return a file's bytes; ContentError when it cannot be read."""
    try:
        return (await asyncio.get_running_loop().run_in_executor(_readers, path.stat)).st_size
    except OSError as error:
        raise ContentError(f"file {path}: cannot be read: {error.strerror}") from None


async def read_pieces(path: Path, offset: int = 0, size: int = PIECE) -> AsyncGenerator[bytes, None]:
    """Yield a file's bytes from `offset` in pieces of `size`, read one ahead in a thread. ContentError when it cannot be read."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = await loop.run_in_executor(_readers, os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ContentError(f"file {path}: cannot be read: {error.strerror}") from None
    ahead = loop.run_in_executor(_readers, os.pread, descriptor, size, offset)
    try:
        while piece := await asyncio.shield(ahead):
            offset += len(piece)
            ahead = loop.run_in_executor(_readers, os.pread, descriptor, size, offset)
            yield piece
    except OSError as error:
        raise ContentError(f"file {path}: cannot be read: {error.strerror}") from None
    finally:
        ahead.add_done_callback(lambda _: os.close(descriptor))  # not while a thread reads
