"""One daemon per home folder, and one per operator key on a machine: the kernel holds the locks, so none is left over."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dao.core.errors import LockedError
from dao.core.types import Address, hex_of

RUNTIME_VARIABLE = "COMMONWEIGHT_RUNTIME"
_GRACE, _PAUSE = 0.5, 0.02  # seconds: who only looks whether a lock is held has it for a moment


def runtime_folder() -> Path:
    """Return the folder of this machine's locks, shared by its users; `COMMONWEIGHT_RUNTIME` names another."""
    folder = Path(os.environ.get(RUNTIME_VARIABLE) or Path(tempfile.gettempdir()) / "commonweight-locks")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o1777)
    return folder


@contextlib.contextmanager
def only_daemon(home: Path, operator: Address) -> Iterator[None]:
    """Hold the locks of a home folder and of an operator key; LockedError says which process has them already."""
    with (
        _held(home / "lock", f"home {home}"),
        _held(runtime_folder() / f"{hex_of(operator)}.lock", f"operator {hex_of(operator)}"),
    ):
        yield


def is_running(home: Path) -> bool:
    """Tell whether a daemon holds a home folder."""
    try:
        lock = os.open(home / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _taken(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


@contextlib.contextmanager
def _held(path: Path, what: str) -> Iterator[None]:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise LockedError(f"{what}: cannot open its lock {path}: {error.strerror}") from None
    try:
        end = time.monotonic() + _GRACE
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() >= end:
                holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "another process"
                raise LockedError(
                    f"{what}: in use by another process ({holder}); wait for it, or stop it first"
                )
            time.sleep(_PAUSE)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)


def _taken(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
