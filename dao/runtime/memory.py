"""Reads how much memory this process may take with all that it starts: of its machine, and of its control group, as a container is one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

ROOT = Path("/")
# files of a group by the version of control groups: its limit, what it takes, and what of that the system drops where it must
_FILES = {
    2: ("memory.max", "memory.current", ("inactive_file", "active_file")),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: what there is for all, and what of it is free or can be freed now."""

    total: int
    available: int


def read_memory(root: Path = ROOT) -> Memory:
    """Return the least that the machine and every control group of this process leave it; `root` has its /proc/self and /sys. Blocks."""
    machine = psutil.virtual_memory()
    total, available = machine.total, machine.available
    for limit, used in _read_groups(root):
        total, available = min(total, limit), min(available, max(limit - used, 0))
    return Memory(total, available)


def _read_groups(root: Path) -> Iterator[tuple[int, int]]:
    """Yield the limit of each group that this process is in, from its own up, and what it takes of it for good."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" or "memory" in controllers.split(","):
            version = 2 if number == "0" else 1
            top = root / "sys/fs/cgroup" / ("" if version == 2 else "memory")
            # a container may see its own group at the top, whatever its path is outside
            for group in dict.fromkeys([*_list_up(top, path), top]):
                if (figures := _read_group(group, version)) is not None:
                    yield figures


def _list_up(top: Path, path: str) -> Iterator[Path]:
    inner = PurePosixPath(path.lstrip("/"))
    return (top / part for part in (inner, *inner.parents) if ".." not in part.parts)


def _read_group(group: Path, version: int) -> tuple[int, int] | None:
    limit_name, used_name, freed_names = _FILES[version]
    try:
        limit, used = ((group / name).read_text(encoding="ascii").strip() for name in (limit_name, used_name))
        stat = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    if not limit.isdecimal():  # "max"
        return None
    figures = dict(line.split(maxsplit=1) for line in stat)
    return int(limit), int(used) - sum(int(figures.get(name, 0)) for name in freed_names)
