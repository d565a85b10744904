"""Processes that want a core each, beside what is measured."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import psutil


@contextlib.contextmanager
def run_busy(count: int, nice: int = 0) -> Iterator[None]:
    """Keep `count` processes busy for the length of a block, at a niceness."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        for process in processes:
            psutil.Process(process.pid).nice(nice)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
