"""Watches processes while they run: the memory of a daemon and all it started, and the time they take of the cores."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import psutil

EVERY = 0.05  # seconds between looks at memory
SELDOM = 0.25  # the same, of many processes: the looks take the cores from what is measured
FAMILY = 1.0  # seconds between looks for new processes
_TICK = os.sysconf("SC_CLK_TCK")


class Sampler:
    """Samples one process with its descendants: of each its peak of memory, in bytes, and its time of the cores."""

    def __init__(self, pid: int, every: float = EVERY) -> None:
        self.pid, self._every = pid, every
        self.peaks: dict[int, int] = {}
        self.core_seconds: dict[int, float] = {}

    @property
    def peak(self) -> int:
        """The sum of every process's own peak of anonymous and shared memory."""
        return sum(self.peaks.values())

    async def run(self) -> None:
        """Sample until cancelled."""
        loop, due, family = asyncio.get_running_loop(), 0.0, [self.pid]
        while True:
            if loop.time() >= due:
                family, due = family_of(self.pid), loop.time() + FAMILY
            for pid in family:
                self.peaks[pid] = max(self.peaks.get(pid, 0), memory_of(pid))
                self.core_seconds[pid] = max(self.core_seconds.get(pid, 0.0), core_seconds([pid]))
            await asyncio.sleep(self._every)


def family_of(pid: int) -> list[int]:
    """A process and its descendants; empty when it has ended."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return []


def memory_of(pid: int) -> int:
    """Anonymous and shared memory of a process in bytes: not the files that it maps."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    kib = [int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))]
    return 1024 * sum(kib)


def core_seconds(pids: Sequence[int]) -> float:
    """Time that processes have had of the cores so far."""
    ticks = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


def machine_seconds() -> float:
    """Time that all of this machine's processes have had of the cores so far."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split()[1:9]
    user, nice, system, _idle, _wait, irq, soft, _steal = map(int, fields)
    return (user + nice + system + irq + soft) / _TICK
