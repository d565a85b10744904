"""A daemon as a process: read line by line, killed, halted and woken, each by its own process id."""

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import psutil

from dao.app.process import AppProcess
from tests.forked_apps import DOOR, replace_command_line

LIMIT = 120.0  # seconds for whatever a test waits for, on a machine with much else to do
LOOK = 0.02  # seconds between looks at what tells nobody when it changes
PROGRAM = (sys.executable, "-c", "from dao.cli import main; main()")
ROOT = Path(__file__).parents[2]
FORKS = multiprocessing.get_context("forkserver")  # to import it all takes longer than most of what is tried
FORKS.set_forkserver_preload(["dao.cli.node", "dao.cli.superlink", "node.daemon", "aggregator.daemon"])


class Process:
    """One running `dao …` command; `lines` is what it has printed and logged."""

    def __init__(self, name: str, process: multiprocessing.process.BaseProcess, output: IO[bytes]) -> None:
        assert process.pid is not None
        self.name, self.pid = name, process.pid
        self.lines: list[str] = []
        self._process = process
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(output))

    @classmethod
    async def start(cls, name: str, arguments: Sequence[object], extra: Mapping[str, str]) -> "Process":
        """Start it with more variables; a path among them makes it a Python that has imported nothing yet."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("COMMONWEIGHT_")}
        environment = clean | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **extra}
        reader, writer = FORKS.Pipe(duplex=False)
        given = (tuple(map(str, arguments)), environment, "PYTHONPATH" in extra, writer)
        process = FORKS.Process(target=_run, args=given, daemon=True)
        await asyncio.to_thread(process.start)
        writer.close()
        with reader:
            return cls(name, process, os.fdopen(os.dup(reader.fileno()), "rb"))

    @property
    def runs(self) -> bool:
        return self._process.exitcode is None

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
            raise AssertionError(f"{self.name} did not end in time: {self.lines[-5:]}") from None

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        async with asyncio.timeout(LIMIT):
            await asyncio.shield(self._reading)
        await until(lambda: self._process.exitcode is not None)
        assert self._process.exitcode is not None
        return self._process.exitcode

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

    async def _read(self, output: IO[bytes]) -> None:
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), output
        )
        while line := await reader.readline():
            self.lines.append(line.decode(errors="replace").rstrip("\n"))
            news, self._news = self._news, asyncio.Event()
            news.set()
        pipe.close()
        self._news.set()


def _run(arguments: tuple[str, ...], environment: dict[str, str], anew: bool, output: Connection) -> None:
    """Be the command, in the child."""
    os.setsid()
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    output.close()
    if anew:
        os.execve(PROGRAM[0], (*PROGRAM, *arguments), environment)  # noqa: S606
    os.environ.clear()
    os.environ.update(environment)
    if door := os.environ.get(DOOR):
        # evaluators have torch; a node trains as ever
        AppProcess._make_command_line = replace_command_line(door, "dao.app.evaluation_worker")  # type: ignore[assignment, method-assign]
    sys.argv = ["dao", *arguments]
    importlib.import_module("dao.cli").main()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(LIMIT):
        while not is_so():  # noqa: ASYNC110  (of another process)
            await asyncio.sleep(LOOK)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # whoever inherits it may be slow to take note
    return False
