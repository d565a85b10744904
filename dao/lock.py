"""One daemon per home folder, and one per operator key on a machine: the kernel holds the locks, so none is left over."""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dao.core.errors import LockedError
from dao.core.types import Address, hex_of

RUNTIME_VARIABLE = "COMMONWEIGHT_RUNTIME"


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
        with _held(home / "lock", f"home {home}"):
            return False
    except LockedError:
        return True


@contextlib.contextmanager
def _held(path: Path, what: str) -> Iterator[None]:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise LockedError(f"{what}: cannot open its lock {path}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "another process"
            raise LockedError(
                f"{what}: in use by a running daemon (process {holder}); stop that one first"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)
