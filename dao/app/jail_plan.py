"""The plan of a sandbox: which files of this machine an app sees, where, and what limits it has."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Plan = dict[str, Any]  # as `dao.app.jail` reads it: JSON

ROOT = Path(__file__).resolve().parents[2]  # where the packages dao and node are
# what any program needs, where it is; a link among them stays one
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
_SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
)
_MACHINE = ("/sys/devices/system/cpu", "/sys/devices/system/node")  # how many cores there are
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ENVIRONMENT = ("bin", "lib", "lib64", "share", "pyvenv.cfg")  # of an interpreter's folder
# of ours: what `dao.app.worker` and its like consist of
_OURS = (
    "dao/__init__.py",
    "dao/app",
    "node/__init__.py",
    "node/training_worker.py",
    "node/simulation_worker.py",
)
_FILES = {
    "/etc/passwd": "app:x:1000:1000::/tmp:/bin/sh\n",
    "/etc/group": "app:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
_THREADS = 16  # for each process that may be


def make_plan(
    root: Path,
    python: Path,
    own: Sequence[tuple[str, Path, str]],
    *,
    devices: Sequence[Path] = (),
    folders: Sequence[Path] = (),
    limits: dict[str, int],
) -> Plan:
    """Return the plan of a sandbox whose root is to be the empty folder `root`.

    `own` are this app's own files: how (`read`, `write`), where they are, where the app sees them. `python` is the
    interpreter; `limits` are those of `SandboxSettings`.
    """
    system = [("read", Path(path), path) for path in (*_SYSTEM, *_SETTINGS, *_MACHINE)]
    needed = [*list_environment(python), *(str(folder.absolute()) for folder in folders)]
    more = [("read", Path(path), path) for path in needed]
    ours = [("read", ROOT / path, str(ROOT / path)) for path in _OURS]
    nodes = [("device", Path(path), path) for path in (*_DEVICES, *map(str, devices))]
    mounts: list[tuple[str, str, str]] = []
    links = dict(_LINKS)
    for how, source, target in (*system, *more, *ours, *nodes, *own):
        if target in _SYSTEM and source.is_symlink():
            links[target] = str(source.readlink())
        elif source.exists() and not _is_shown(target, mounts):
            mounts.append((how, os.path.realpath(source), target))
    return {
        "root": str(root),
        "mounts": mounts,
        "links": links,
        "files": _FILES,
        "threads": _THREADS * limits["processes"],
        **limits,
    }


def _is_shown(target: str, mounts: Sequence[tuple[str, str, str]]) -> bool:
    """Whether a mount has this path already, under the same name."""
    return any(target == place or target.startswith(f"{place}/") for how, _, place in mounts if how == "read")


def list_environment(python: Path) -> Iterator[str]:
    """Yield the files that an interpreter needs: itself, and of its environment and those it builds on the parts named.

    Only parts, never a whole folder: an environment may have been made in a folder that holds other things.
    """
    path, seen = python.absolute(), set[Path]()
    while path not in seen:
        seen.add(path)
        yield str(path)
        folder = path.parent.parent
        if (folder / "pyvenv.cfg").exists() or any(folder.glob("lib/python3*")):
            yield from (str(folder / part) for part in _ENVIRONMENT)
        if path.is_symlink():
            path = Path(os.path.normpath(path.parent / path.readlink()))
    if path.resolve() not in seen:
        yield from list_environment(path.resolve())


def boot_jail(python: str, plan: Plan, keep: Sequence[int], command: Sequence[str]) -> list[str]:
    """Return the command line that has an interpreter make the plan's sandbox, with these descriptors kept open."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from dao.app.jail import main; main()"
    text = json.dumps({**plan, "keep": list(keep), "command": list(command)})
    return [python, "-I", "-S", "-B", "-c", code, str(ROOT), text]
