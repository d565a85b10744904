"""Runs the demonstration's daemons, each in a process with its own log; none outlives the demonstration."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from dao.devnet.anvil import WATCHED
from dao.errors import DaoError

STOP_SECONDS = 10.0
DAO = Path(sys.executable).parent / "dao"


class Daemon:
    """One running `dao …` command."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.log = name, log
        self._process = process

    @classmethod
    async def start(cls, name: str, arguments: Sequence[str], log: Path) -> "Daemon":
        """Start `dao` with these arguments, its output in `log`, in a process group of its own."""
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", WATCHED, str(DAO)),
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=file,
                stderr=file,
                start_new_session=True,  # Ctrl-C is for this process, which ends the others in order
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise DaoError, with the end of its log, where it has failed."""
        if self._process.returncode:
            words = self.log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
            raise DaoError(
                f"{self.name}: ended with {self._process.returncode}: {words or 'no words'} ({self.log})"
            )

    async def stop(self) -> None:
        """Ask it to end, as the end of this process would; kill it, and what it started, when it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
