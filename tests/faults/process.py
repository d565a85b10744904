"""A daemon as a process: read line by line, killed, halted and woken, each by its own process id."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

LIMIT = 60.0  # seconds for whatever a test waits for
LOOK = 0.02  # seconds between looks at what tells nobody when it changes
PROGRAM = (sys.executable, "-c", "from dao.cli import main; main()")
ROOT = Path(__file__).parents[2]


class Process:
    """One running `dao …` command; `lines` is what it has printed and logged."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.lines: list[str] = []
        self._process = process
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, arguments: Sequence[object], extra: Mapping[str, str]) -> "Process":
        clean = {key: value for key, value in os.environ.items() if not key.startswith("COMMONWEIGHT_")}
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, *map(str, arguments)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | extra,
            start_new_session=True,
        )
        return cls(name, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.returncode is None

    def halt(self) -> None:
        """Have it do nothing until `wake`, as a machine that sleeps."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """Kill it as a power cut would, and wait until what it had started has ended by itself."""
        children = psutil.Process(self.pid).children(recursive=True)
        os.kill(self.pid, signal.SIGKILL)
        await self.ended()
        await until(lambda: not any(map(_lives, children)))

    async def stop(self) -> int:
        """Ask it to end; kill it when it does not, or is halted."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            self.wake()
        try:
            async with asyncio.timeout(15):
                return await self.ended()
        except TimeoutError:
            os.killpg(self.pid, signal.SIGKILL)
            await self.ended()
            raise

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        async with asyncio.timeout(LIMIT):
            code = await self._process.wait()
            await self._reading
        return code

    async def says(self, *words: object, since: int = 0, limit: float = LIMIT) -> str:
        """Wait for a line, after the first `since`, that has all these words."""
        seen = since
        async with asyncio.timeout(limit):
            while True:
                for line in self.lines[seen:]:
                    if all(str(word) in line for word in words):
                        return line
                seen = max(seen, len(self.lines))
                assert not self._reading.done(), (
                    f"{self.name} ended without saying {words}: {self.lines[-5:]}"
                )
                await self._news.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.lines.append(line.decode(errors="replace").rstrip("\n"))
            news, self._news = self._news, asyncio.Event()
            news.set()
        self._news.set()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(LIMIT):
        while not is_so():  # noqa: ASYNC110  (of another process)
            await asyncio.sleep(LOOK)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # whoever inherits it may be slow to take note
    return False
