"""Which process runs in a home folder: a lock that the kernel lets go of when the process ends, however that is."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from dao.core.errors import DaoError, LockedError

STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05


@contextlib.contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file with this process's id in it; LockedError when another process does."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(lock):
            raise LockedError(f"{what}: is running already (process {_written(lock)}); stop that one first")
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)


def holder(path: Path) -> int | None:
    """The id of the process that holds a lock file, or None."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _taken(lock) else _written(lock)
    finally:
        os.close(lock)


def stop_holder(path: Path, what: str) -> bool:
    """Ask the process that holds a lock file to end, and wait for it; False when there is none, DaoError at the limit."""
    process = holder(path)
    if process is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while holder(path) is not None:
        if time.monotonic() > end:
            raise DaoError(f"{what}: process {process} did not end in {STOP_SECONDS:.0f} s; look at its log")
        time.sleep(_POLL_SECONDS)
    return True


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(lock: int) -> int:
    return int(os.pread(lock, 20, 0) or b"0")
