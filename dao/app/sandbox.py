"""The daemon's end of a sandbox: what an app may see of this machine, how much it may take, and whether a machine has one.

An app sees its interpreter's environment, itself (`/app`), the data (`/data/NAME`) and the files of the present call
(`/in/…`) to read, one file (`/out`) and a folder in memory (`/tmp`) to write; no network, no other process, no setting or key.
`dao.app.jail` is the child's end.
"""

import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import structlog
from pydantic import Field

from dao.app.bubblewrap import wrap_by_bubblewrap
from dao.app.call_filter import ARCHITECTURES
from dao.app.jail_plan import Plan, boot_jail, make_plan
from dao.app.linux_calls import MACHINE
from dao.errors import AppError, ConfigError
from dao.runtime.config import Section
from dao.runtime.file_links import link_or_copy
from dao.runtime.memory import Memory, read_memory

_log = structlog.get_logger()
_PROBE_LIMIT = 60.0  # seconds
_BOX = "box"
_LONGEST_NAME = 60  # of a file that is shown, in characters: with what is unique, at most 255 bytes
_open_boxes: set[str] = set()  # names of the folders that are in use in this process


class SandboxSettings(Section):
    """How an app is kept from its machine; the limits are for one app with all that it starts."""

    mode: Literal["require", "auto", "none"] = "require"  # auto: without one where the machine has none
    # None: three quarters of the machine's, or of its container's
    memory_bytes: int | None = Field(default=None, ge=64 << 20)
    scratch_bytes: int = Field(default=1 << 30, ge=1 << 20)  # of /tmp and /dev/shm, which are memory
    # of its output, and of its log between two looks; None: a quarter of what is free on the disk
    file_bytes: int | None = Field(default=None, ge=1 << 20)
    processes: int = Field(default=64, ge=1)
    devices: tuple[Path, ...] = ()  # such as /dev/nvidia0
    folders: tuple[Path, ...] = ()  # more to read: libraries beside the app's environment


MAKERS = ("jail", "bubblewrap")
AUTO = SandboxSettings(mode="auto")


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a call writes: of so many bytes at most, or of as many as another file has."""

    path: Path
    most: int | Path


def choose_maker(settings: SandboxSettings) -> str | None:
    """Return what makes the sandbox here, None for no sandbox; ConfigError where the machine has none and must. Blocks."""
    if settings.mode == "none":
        return None
    maker = find_maker()
    if maker in MAKERS:
        return maker
    if settings.mode == "require":
        raise ConfigError(
            f"sandbox: this machine has none for apps ({maker}); install bubblewrap, or allow user namespaces; or let "
            'apps read what this daemon can: mode = "none" in the table [sandbox] of config.toml'
        )
    _warn_once(maker)
    return None


@cache
def _warn_once(missing: str) -> None:
    _log.warning("no sandbox: apps run with this program's own rights", missing=missing)


@cache
def find_maker() -> str:
    """Try to make a sandbox, once in this process: return "jail" or "bubblewrap", else a sentence on what is missing. Blocks.

    The kernel's own means come first: they are the same everywhere. bubblewrap may be allowed what others are not.
    """
    missing = _try_maker("jail")
    if not missing:
        return "jail"
    return "bubblewrap" if shutil.which("bwrap") and not _try_maker("bubblewrap") else missing


def _try_maker(maker: str) -> str:
    if sys.platform != "linux" or MACHINE not in ARCHITECTURES:
        return f"it is made of what Linux has on {' and '.join(ARCHITECTURES)}"
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        limits = compute_limits(AUTO, Path(folder))
        plan = make_plan(Path(folder), Path(sys.executable), (), limits=limits)
        try:
            line = _wrap(maker, plan, Path(sys.executable), (), ())
            done = subprocess.run(line, capture_output=True, timeout=_PROBE_LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    words = done.stderr.decode(errors="replace").strip().rpartition("\n")[2].removeprefix("sandbox: ")
    return "" if done.returncode == 0 else words or f"status {done.returncode}"


def _wrap(maker: str, plan: Plan, python: Path, keep: Sequence[int], command: Sequence[str]) -> list[str]:
    if maker == "bubblewrap":
        return wrap_by_bubblewrap(plan, str(python), keep, command)
    return boot_jail(sys.executable, plan, keep, command)


def get_memory_limit(settings: SandboxSettings, memory: Memory) -> int:
    """Return the bytes of memory that an app may take with all that it starts."""
    return settings.memory_bytes or memory.total * 3 // 4


def compute_limits(settings: SandboxSettings, folder: Path) -> dict[str, int]:
    """Return the limits of a plan; `folder` is on the disk that its output is written to."""
    return {
        "memory_bytes": get_memory_limit(settings, read_memory()),
        "scratch_bytes": settings.scratch_bytes,
        "file_bytes": settings.file_bytes or shutil.disk_usage(folder).free // 4,
        "processes": settings.processes,
    }


def show_plainly(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return a call's arguments as an app without a sandbox sees them."""
    return {name: _show_plainly(value) for name, value in arguments.items()}


def _show_plainly(value: object) -> object:
    if isinstance(value, list):
        return [_show_plainly(each) for each in value]
    if isinstance(value, dict):
        return show_plainly(value)
    return (
        str(value.path if isinstance(value, Output) else value) if isinstance(value, Output | Path) else value
    )


class Sandbox:
    """The folder that an app's process and its daemon share, and the command line that keeps the process in it.

    The folder is beside the app's log. What is lent is linked into it, or copied where it is on another disk.
    """

    def __init__(
        self, log: Path, app: Path, data: Path | None, settings: SandboxSettings, maker: str
    ) -> None:
        """Make the folder; ConfigError where it would be within the data, which an app sees. Blocks."""
        self._settings, self._maker = settings, maker
        self._places = {app: "/app"} | ({data: f"/data/{get_name(data)}"} if data else {})
        home = Path(os.path.realpath(log.parent))
        for path in (*([data] if data else []), *settings.folders):
            if home.is_relative_to(os.path.realpath(path)):
                raise ConfigError(
                    f"{path}: holds {home}, which is the daemon's and no app's; name a folder with the data alone"
                )
        self._home, self._data = home, data
        for path in (*settings.devices, *settings.folders):
            if not path.exists():
                raise ConfigError(f"sandbox: {path}: expected a device or a folder, and there is nothing")
        self._lent: list[Path] = []
        _remove_stale(log)
        self.folder = home / f".{log.stem}-{os.getpid()}-{secrets.token_hex(8)}.{_BOX}"
        _open_boxes.add(self.folder.name)
        self.folder.mkdir(0o700)
        for name in ("in", "root"):
            (self.folder / name).mkdir()
        (self.folder / "out").touch(0o600)

    def wrap(self, python: Path, keep: int, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command within, with a descriptor kept open. Blocks."""
        own = [("read", path, place) for path, place in self._places.items()]
        own += [("read", self.folder / "in", "/in"), ("write", self.folder / "out", "/out")]
        devices, folders = self._settings.devices, self._settings.folders
        plan = make_plan(
            self.folder / "root",
            python,
            own,
            devices=devices,
            folders=folders,
            limits=compute_limits(self._settings, self.folder),
        )
        self._require_apart(plan)
        return _wrap(self._maker, plan, python, (keep,), command)

    def _require_apart(self, plan: Plan) -> None:
        """ConfigError where what all apps see, as /usr, holds the daemon's folder, or data: another task's app would see them."""
        private = [self._home, *([Path(os.path.realpath(self._data))] if self._data else [])]
        for _, source, target in plan["mounts"]:
            for path in private if target not in self._places.values() else ():
                if path.is_relative_to(source):
                    raise ConfigError(f"{path}: lies in {source}, which all apps see; have it elsewhere")

    def lend(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Show the files among a call's arguments, in lists and mappings too, to the app, and return the arguments as it sees them. Blocks."""
        return {name: self._show(value) for name, value in arguments.items()}

    def take_over(self, arguments: Mapping[str, object]) -> None:
        """Copy what the app wrote in a call to where it is wanted; AppError where that fails. Blocks."""
        for value in arguments.values():
            if isinstance(value, Output):
                copy_output(self.folder / "out", value)

    def take_back(self) -> None:
        """Show no file that was lent any longer; what the app has opened stays open. Blocks."""
        for shown in self._lent:
            if shown.is_dir():
                shutil.rmtree(shown, ignore_errors=True)
            else:  # no folder around it: some disks take 30 ms to remove one, and the round waits
                shown.unlink(missing_ok=True)
        self._lent.clear()

    def _show(self, value: object) -> object:
        if isinstance(value, Output):
            return "/out"
        if isinstance(value, list):
            return [self._show(each) for each in value]
        if isinstance(value, dict):
            return self.lend(value)
        if not isinstance(value, Path):
            return value
        if value in self._places:
            return self._places[value]
        try:
            own = value.lstat()
            real = Path(os.path.realpath(value)) if stat.S_ISLNK(own.st_mode) else value
            # a file, and a link to one, has one path as long as it stays: workers keep what they read by its path
            facts = [
                f"{one.st_dev:x}-{one.st_ino:x}-{one.st_mtime_ns:x}"
                for one in (own, own if real is value else real.stat())
            ]
            name = get_name(value)[-_LONGEST_NAME:]  # its end says what kind of file it is
            shown = self.folder / "in" / "-".join((*dict.fromkeys(facts), name))
            self._lent.append(shown)
            if real.is_dir():
                shutil.copytree(real, shown, symlinks=True, copy_function=link_or_copy, dirs_exist_ok=True)
            elif not shown.exists():
                link_or_copy(real, shown)
        except OSError as error:
            raise AppError(f"{value}: cannot be shown to the app: {error.strerror}") from None
        return f"/in/{shown.name}"

    def close(self) -> None:
        """Remove the folder, once the process has ended. Blocks."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _open_boxes.discard(self.folder.name)


def get_name(path: Path) -> str:
    """Return the last part of a path, as it is named, which is never `..`."""
    return Path(os.path.normpath(path.absolute())).name or "data"


def copy_output(written: Path, output: Output) -> None:
    """Copy what an app wrote to a file that it cannot shorten while it is read; one of this size is written over.

    AppError where it is larger than it may be, the app shortens it meanwhile, or the disk is full. Blocks.
    """
    out = output.path
    try:
        most = output.most if isinstance(output.most, int) else output.most.stat().st_size
        with written.open("r+b") as source:
            size, done = os.fstat(source.fileno()).st_size, 0
            if size > most:
                source.truncate(0)  # it takes the daemon's disk
                raise AppError(f"{out.name}: the app wrote {size} bytes, at most {most} may be")
            if out.exists() and out.stat().st_size != size:
                out.unlink()  # others may have the old one mapped
            out.touch(0o600)
            with out.open("r+b") as target:
                while done < size:
                    count = os.sendfile(target.fileno(), source.fileno(), done, size - done)
                    if not count:
                        raise AppError(f"{out.name}: the app shortened its output while it was read")
                    done += count
    except OSError as error:
        raise AppError(f"{out}: cannot take the app's output over: {error.strerror}") from None


def _remove_stale(log: Path) -> None:
    """Remove the folders of daemons that were killed, also of one with this process's number, as in a container."""
    for folder in log.parent.glob(f".{log.stem}-*.{_BOX}"):
        pid = folder.name.removeprefix(f".{log.stem}-").partition("-")[0]
        is_ours = pid == str(os.getpid())
        is_used = folder.name in _open_boxes if is_ours else Path(f"/proc/{pid}").exists()
        if pid.isdecimal() and not is_used:
            shutil.rmtree(folder, ignore_errors=True)
