"""What all processes of a sandbox take together, as its first process sees it; standard library alone."""

from __future__ import annotations

import os

_OWN = ("RssAnon:", "RssShmem:")  # pages that are no file's
_PROPORTIONAL = ("Pss_Anon:", "Pss_Shmem:")  # the same, with shared pages parted among those that share them


def find_excess(memory_bytes: int, processes: int) -> str:
    """Return in words what the other processes here take beyond a limit, or ""."""
    running = [name for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
    if len(running) > processes:
        return f"the app runs {len(running)} processes, at most {processes} may be"
    # what is shared counts once for each process at first, which is quick and never too little
    most = {name: _read(f"/proc/{name}/status", _OWN) for name in running}
    if sum(most.values()) > memory_bytes:
        used = sum(_read_part(name, most[name]) for name in running)
        if used > memory_bytes:
            return f"the app takes {used >> 20} MiB of memory, at most {memory_bytes >> 20} may be"
    return ""


def _read_part(name: str, most: int) -> int:
    """Return a process's part of the memory; all that it may be where the process keeps it to itself."""
    try:
        return _read(f"/proc/{name}/smaps_rollup", _PROPORTIONAL)
    except PermissionError:
        return most


def _read(path: str, fields: tuple[str, ...]) -> int:
    """Return the bytes that these fields of a file add up to; none where its process has ended meanwhile."""
    try:
        with open(path) as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith(fields))
    except (FileNotFoundError, ProcessLookupError):
        return 0
