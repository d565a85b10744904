"""One process per home folder, and one per key and chain of a user: the kernel holds the locks, so none outlives its process.

The file of a key's lock is removed by the process that holds it. So a lock counts only while its file is the one at its
path, which is checked once it is held: a process that waited for a file that was removed meanwhile begins again with the
new one. Files that killed processes left are removed by the next daemon.
"""

import contextlib
import fcntl
import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from dao.core.types import Address, hex_of
from dao.errors import DaoError, LockedError

RUNTIME_VARIABLE = "COMMONWEIGHT_RUNTIME"
RUNTIME = Path("~/.commonweight/locks")
STOP_SECONDS = 30.0
_GRACE, _PAUSE = 0.5, 0.02  # seconds: a process that only checks a lock has it for a moment
_DEVNETS = (31337, 1337)  # the ids that development chains have, all the same
_HERE = ("127.0.0.1", "[::1]", "0.0.0.0", "[::]")  # noqa: S104  (localhost by its other names)
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def runtime_folder() -> Path:
    """Make and return the folder of this user's locks; `COMMONWEIGHT_RUNTIME` names another.

    LockedError when it cannot be made, or others may put files of their own there.
    """
    folder = Path(os.environ.get(RUNTIME_VARIABLE) or RUNTIME)
    hint = f"expected one of your own (chmod 700), or another by {RUNTIME_VARIABLE}"
    try:
        folder = folder.expanduser()
        folder.parent.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # a user who may write there may replace the folder
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        why = error.strerror if isinstance(error, OSError) else error
        raise LockedError(f"folder of locks {folder}: {why}; {hint}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise LockedError(f"folder of locks {folder}: others may write there; {hint}")
    return folder


def chain_name(chain_id: int, url: str) -> str:
    """Name a chain for its locks: by its id, and a development chain, which shares its id with others, by its address."""
    if chain_id not in _DEVNETS:
        return str(chain_id)
    place = url.partition("//")[2].partition("/")[0].rpartition("@")[2].lower()
    host, colon, port = place.rpartition(":")
    if colon and host in _HERE:
        place = f"localhost:{port}"
    return f"{chain_id}-{re.sub(r'[^a-z0-9.-]', '-', place)}"


@contextlib.contextmanager
def only_daemon(home: Path, operator: Address, chain: str) -> Iterator[None]:
    """Hold the locks of a home folder and of a key on a chain (`chain_name`).

    LockedError names the process that has one of them already.
    """
    with hold_lock(home / "lock", f"home {home}"):
        folder = runtime_folder()
        _sweep(folder)
        path = folder / f"{chain}-{hex_of(operator)}.lock"
        with hold_lock(path, f"operator {hex_of(operator)}", is_kept=False):
            yield


@contextlib.contextmanager
def hold_lock(path: Path, what: str, *, is_kept: bool = True) -> Iterator[None]:
    """Hold the lock of a file, with this process's id in it; the file stays afterwards if it `is_kept`.

    LockedError when another process has it for longer than a moment.
    """
    lock = _acquire(path, what)
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        if not is_kept:
            _remove(path, lock)
        os.close(lock)


def find_holder(path: Path) -> int | None:
    """Return the id of the process that holds a lock file (0: not written yet), or None."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _taken(lock, fcntl.LOCK_SH) else int(_written(lock) or "0")
    finally:
        os.close(lock)


def stop_holder(path: Path, what: str) -> bool:
    """Ask the process that holds a lock file to end, and wait until it has; False when there is none.

    DaoError when it has not ended after STOP_SECONDS.
    """
    asked, end = 0, time.monotonic() + STOP_SECONDS
    while (process := find_holder(path)) is not None:
        if not asked and process:  # 0: it has not written its id yet
            asked = process
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        if time.monotonic() > end:
            raise DaoError(f"{what}: process {process} did not end in {STOP_SECONDS:.0f} s; look at its log")
        time.sleep(_PAUSE)
    return asked != 0


def _acquire(path: Path, what: str) -> int:
    """Open the file at a path and lock it; LockedError when another process has it for longer than a moment."""
    end = time.monotonic() + _GRACE
    while True:
        try:
            lock = os.open(path, _FLAGS | os.O_CREAT, 0o600)  # a user who may read a file may lock it, too
        except OSError as error:
            raise LockedError(f"{what}: cannot open its lock {path}: {error.strerror}") from None
        is_ours = _taken(lock, fcntl.LOCK_EX)
        if is_ours and _is_at(path, lock):
            return lock
        holder = _written(lock) or "another process"
        os.close(lock)
        if not is_ours:
            if time.monotonic() >= end:
                raise LockedError(
                    f"{what}: in use by another process ({holder}); wait for it, or stop it first"
                )
            time.sleep(_PAUSE)


def _sweep(folder: Path) -> None:
    """Remove the files of locks that no process holds."""
    for path in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            lock = os.open(path, _FLAGS)
            try:
                if _taken(lock, fcntl.LOCK_EX):
                    _remove(path, lock)
            finally:
                os.close(lock)


def _remove(path: Path, lock: int) -> None:
    """Remove the file of a lock that is held, and no other that came in its place."""
    with contextlib.suppress(OSError):
        if _is_at(path, lock):
            path.unlink()


def _is_at(path: Path, lock: int) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(lock))
    except FileNotFoundError:
        return False


def _taken(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(lock: int) -> str:
    return os.pread(lock, 20, 0).decode(errors="replace").strip()
