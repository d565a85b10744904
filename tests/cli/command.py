"""Runs the `dao` command as its users do, in a home of its own: daemons in processes, what ends by itself mostly here."""

import contextlib
import fcntl
import io
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dao.cli import main
from dao.runtime.failpoint import VARIABLE

LIMIT = 60.0  # seconds for one command
NO_MORE: Mapping[str, str] = {}
PROGRAM = [sys.executable, "-c", "from dao.cli import main; main()"]


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


def _own_the_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@dataclass(frozen=True)
class Dao:
    """`dao` with `home` as the user's home."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("COMMONWEIGHT_")}
        return clean | {
            "HOME": str(self.home),
            "COMMONWEIGHT_RUNTIME": str(self.home / "locks"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "COLUMNS": "200",
        }

    def run(self, *arguments: object, code: int = 0) -> Done:
        """Run a command to its end in this process, where nothing need be loaded again; it must have this exit code."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["dao", *map(str, arguments)])
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        return self._checked(
            arguments, code, Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())
        )

    def killed(self, failpoint: str, *arguments: object) -> None:
        """Run a command that is killed at a failpoint."""
        self.spawn(*arguments, code=-signal.SIGKILL, variables={VARIABLE: failpoint})

    def spawn(self, *arguments: object, code: int = 0, variables: Mapping[str, str] = NO_MORE) -> Done:
        """Run a command to its end in a process of its own, with more variables of the environment."""
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            env={**self.environment, **variables},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return self._checked(arguments, code, Done(done.returncode, done.stdout, done.stderr))

    def asked(self, *arguments: object, at: str, press: bytes) -> tuple[int, str]:
        """Run a command at a terminal and press keys once it asks; its exit code, and what was written from then on."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env=self.environment,
            cwd=self.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=_own_the_terminal,  # noqa: PLW1509
        )
        os.close(theirs)
        try:
            read(ours, at)
            os.write(ours, press)
            return process.wait(LIMIT), read(ours, None)
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def _checked(self, arguments: tuple[object, ...], code: int, done: Done) -> Done:
        assert done.code == code, (arguments, done)
        return done

    def json(self, *arguments: object, code: int = 0) -> Any:
        """Run a command with --json."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def refused(self, *arguments: object, code: int = 1) -> str:
        """Run a command that must fail with one line; return it."""
        done = self.run(*arguments, code=code)
        assert not done.stdout
        assert "Traceback" not in done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("dao: ")
        return lines[0].removeprefix("dao: ")

    @contextmanager
    def running(self, *arguments: object) -> Iterator["Daemon"]:
        """Run a daemon for the length of a block; killed at its end if it still runs."""
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield Daemon(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=LIMIT)


def read(terminal: int, until: str | None) -> str:
    """What is written to a terminal until some words come, or its other end is closed."""
    found = ""
    with contextlib.suppress(OSError):  # nobody holds the other end any more
        while until is None or until not in found:
            got = os.read(terminal, 4096)
            if not got:
                break
            found += got.decode()
    assert until is None or until in found, found
    return found


@dataclass(frozen=True)
class Daemon:
    process: "subprocess.Popen[str]"

    def line(self) -> str:
        """The next line that it prints; the test's time limit bounds the wait."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"ended: {self.process.communicate(timeout=LIMIT)[1]}")
        return line.rstrip("\n")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Ask it to end: exit code, and what else it printed and logged."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, out, err
