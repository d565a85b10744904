"""What may be started again and again in one home folder, and what it says."""

from dataclasses import dataclass
from pathlib import Path

from tests.faults.process import Process


@dataclass
class Daemon:
    """What may be started again and again in one home folder."""

    name: str
    home: Path
    role: str
    runtime: Path
    process: Process | None = None
    shown: int = 0  # lines

    @property
    def running(self) -> Process:
        assert self.process is not None
        return self.process

    async def start(self, **extra: str) -> Process:
        """Start it with more variables of the environment."""
        self.show()
        self.shown = 0
        environment = {"HOME": str(self.home), "COMMONWEIGHT_RUNTIME": str(self.runtime)} | extra
        arguments = (self.role, "start", "--home", self.home)
        self.process = await Process.start(self.name, arguments, environment)
        return self.process

    def show(self) -> None:
        """Print what it said since the last time."""
        lines = self.process.lines if self.process is not None else []
        for line in lines[self.shown :]:
            print(f"{self.name}: {line}")  # noqa: T201
        self.shown = len(lines)

    async def kill(self) -> None:
        await self.running.kill()

    async def restart(self, **extra: str) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start(**extra)
