"""The daemon's end of an app's process: starts it warm, calls it, watches it, and starts it again when it dies.

The process runs in the app's own Python environment, with `dao.app.worker` at its end, and in a sandbox
(`dao.app.sandbox`). It is never trusted: its output goes to a log, its answers are bounded, and a silent or slow one is
killed with all that it started.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.app.jail_plan import ROOT
from dao.app.priority import lower_priority
from dao.app.sandbox import AUTO, Sandbox, SandboxSettings, choose_maker, show_plainly
from dao.core.formats.canonical import read_json
from dao.errors import AppCrashed, AppError, AppTimeout, ContentError, DecodeError
from dao.runtime.backoff import pause_after

SILENCE = 60.0  # seconds without a sign of life after which a process is given up
START_LIMIT = 180.0  # seconds to import the app and load its data
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds before a crashed process is started again
_LONGEST_LINE = 1 << 20
_LONGEST_ERROR = 2000  # letters of an app's words in an error
_TAIL = 4096  # bytes of the log that an error may quote from
LARGEST_LOG = 16 << 20  # bytes; the end of a larger one is moved to a file beside it, and it starts anew
_BOUND_SECONDS = 5.0  # between looks at its size while the app is idle
_ENDING = 2.0  # seconds for a process that has closed its line to end by itself

# import numpy first, from the app's environment; then one module of ours, without the packages beside it
_BOOT = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import numpy
root, module = sys.argv[1:3]
sys.path.insert(0, root)
main = __import__(module, fromlist=["main"]).main
sys.path.remove(root)
main()
"""

# how the names of variables begin that an app gets
_ENVIRONMENT = (
    *("LANG", "LC_", "TZ", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "NUMBA_", "TORCH_", "PYTORCH_", "XLA_"),
    *("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "LD_LIBRARY_PATH"),
)

Call = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class AppCommand:
    """How to start the process of an app: `module` of this project is run by the app's interpreter.

    `app` is its folder and `data` what it reads in all calls, if anything. `setup` are the calls that bring a fresh
    process to where it can work (load the app, load the data); they are repeated after every start. `threads` bounds
    the threads of the numeric libraries (None: as they choose). `keeps_log`: the log outlives the process, so that
    errors may point to it. `yields`: other processes come first where cores are busy.
    """

    module: str
    app: Path
    data: Path | None
    log: Path
    setup: Sequence[Call]
    python: Path
    threads: int | None
    keeps_log: bool = True
    sandbox: SandboxSettings = AUTO
    yields: bool = False

    def environment(self) -> dict[str, str]:
        """Return those of the daemon's variables that concern language and numeric libraries: never a secret."""
        environment = {k: v for k, v in os.environ.items() if k.startswith(_ENVIRONMENT)}
        environment |= {"PYTHONUNBUFFERED": "1", "HOME": "/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin"}  # noqa: S108
        # threads that wait by spinning take the cores from all others, and double a gradient's cost
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if self.threads is not None:
            names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
            environment.update(dict.fromkeys(names, str(self.threads)))
        return environment


class AppProcess:
    """One warm process; one call at a time. A call to a dead process starts it again, after a growing pause."""

    def __init__(self, command: AppCommand, *, silence: float = SILENCE) -> None:
        self.command = command
        self._silence = silence
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._sandbox: Sandbox | None = None
        self._log_timer: asyncio.TimerHandle | None = None
        self._is_log_cut = False  # whether the log began anew while this process ran
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._calls = 0
        self._crashes = 0

    @property
    def pid(self) -> int | None:
        """Return the number of the process, or of the sandbox that it is in; None where none runs."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process, so that the first call need not wait; AppCrashed, AppTimeout or AppError if it fails."""
        async with self._turn:
            await self._ensure()

    async def call(
        self,
        name: str,
        arguments: Mapping[str, object],
        *,
        limit: float,
        on_progress: Callable[[object], None] = lambda _: None,
    ) -> Any:
        """Call a function of the process and return its answer (plain JSON).

        A Path among the arguments is shown to the app for this call, to read; an `Output` is what it writes. `limit` is
        in seconds, without the start of the process. AppError: the app raised; the process lives on. AppCrashed: the
        process ended or sent what is no answer. AppTimeout: too slow or silent; it was killed.
        """
        async with self._turn:
            await self._ensure()
            return await self._call(name, arguments, limit, on_progress)

    async def stop(self) -> None:
        """Kill the process and everything it started."""
        process, self._process = self._process, None
        if self._log_timer is not None:
            self._log_timer.cancel()
            self._log_timer = None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
            await process.wait()
        sandbox, self._sandbox = self._sandbox, None  # a cancelled start leaves one without a process
        if sandbox is not None:
            sandbox.close()

    async def _ensure(self) -> None:
        if self._process is not None and self._process.returncode is None:
            return
        await self.stop()
        if self._crashes:
            await asyncio.sleep(pause_after(self._crashes, FIRST_PAUSE, LONGEST_PAUSE))
        await self._spawn()
        for name, arguments in self.command.setup:
            try:
                await self._call(name, arguments, START_LIMIT, lambda _: None)
            except BaseException:
                await self.stop()
                raise
        self._crashes = 0

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        command = self.command
        try:
            with command.log.open("ab") as log, theirs:
                _require_program(command.python)
                self._process = await asyncio.create_subprocess_exec(
                    *await asyncio.to_thread(self._make_command_line, theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=command.environment(),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            if command.yields:
                await lower_priority(self._process.pid)
        except BaseException as error:
            ours.close()
            await self.stop()
            if not isinstance(error, OSError):
                raise
            raise AppCrashed(
                f"{command.python}: cannot run the app's interpreter: {error.strerror}"
            ) from error
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
        self._watch_log()
        self._is_log_cut = False

    def _make_command_line(self, line: int) -> list[str]:
        """Return the process's command line, in a sandbox that this makes where there is to be one. Blocks."""
        command = self.command
        maker = choose_maker(command.sandbox)
        parent = os.getpid() if maker is None else 0  # 0: the sandbox ends what is in it
        app = [str(command.python.absolute()), "-c", _BOOT, str(ROOT), command.module, str(line), str(parent)]
        if maker is None:
            return app
        self._sandbox = Sandbox(command.log, command.app, command.data, command.sandbox, maker)
        return self._sandbox.wrap(command.python, line, app)

    def _watch_log(self) -> None:
        """Bound the log now, and again every few seconds, between calls too."""
        self._is_log_cut |= _bound_log(self.command.log)
        self._log_timer = asyncio.get_running_loop().call_later(_BOUND_SECONDS, self._watch_log)

    async def _call(
        self, name: str, arguments: Mapping[str, object], limit: float, on_progress: Callable[[object], None]
    ) -> Any:
        if self._sandbox is None:
            return await self._ask(name, show_plainly(arguments), limit, on_progress)
        sandbox = self._sandbox
        try:
            shown = await asyncio.to_thread(sandbox.lend, arguments)
            answer = await self._ask(name, shown, limit, on_progress)
            await asyncio.to_thread(sandbox.take_over, arguments)
        finally:
            sandbox.take_back()
        return answer

    async def _ask(
        self, name: str, arguments: Mapping[str, object], limit: float, on_progress: Callable[[object], None]
    ) -> Any:
        self._calls += 1
        try:
            async with asyncio.timeout(limit):
                self._writer.write(
                    json.dumps({"id": self._calls, "call": name, "args": arguments}).encode() + b"\n"
                )
                await self._writer.drain()
                return await self._answer(name, on_progress)
        except TimeoutError as error:
            await self._give_up()
            raise AppTimeout(f"{name}: the app took longer than {limit:.0f} s; {self._quote()}") from error
        except (AppCrashed, AppTimeout):
            await self._give_up()
            raise
        except ConnectionError as error:
            crashed = await self._describe_end(name)
            await self._give_up()
            raise crashed from error
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def _answer(self, name: str, on_progress: Callable[[object], None]) -> Any:
        while True:
            try:
                async with asyncio.timeout(self._silence):
                    line = await self._reader.readline()
            except TimeoutError as error:
                raise AppTimeout(
                    f"{name}: no sign of life for {self._silence:.0f} s; {self._quote()}"
                ) from error
            except ValueError as error:
                raise AppCrashed(f"{name}: sent a line longer than {_LONGEST_LINE} bytes") from error
            if not line.endswith(b"\n"):
                raise await self._describe_end(name)
            self._is_log_cut |= _bound_log(self.command.log)  # at least with every sign of life
            await asyncio.sleep(0)  # a flood of lines must not keep the daemon from its other work
            try:
                # an app may send what crashes a parser of any JSON
                message = read_json(line, "answer", _LONGEST_LINE)
                if message.get("id") != self._calls:
                    continue
                if "error" in message:
                    words = str(message["error"])[:_LONGEST_ERROR]
                    raise AppError(f"{name}: {words}{self._log_hint('; more in {}')}")
                if "result" in message:
                    return message["result"]
                on_progress(message["progress"])
            except (ContentError, DecodeError, KeyError) as error:
                raise AppCrashed(f"{name}: sent {line[:80]!r}, which is no answer") from error

    async def _give_up(self) -> None:
        await self.stop()
        self._crashes += 1

    async def _describe_end(self, name: str) -> AppCrashed:
        """Wait a moment for the process to end, and return an error that says how it did."""
        how = ""
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDING):
                    code = await self._process.wait()
                    how = f" by signal {-code}" if code < 0 else f" with status {code}"
        return AppCrashed(f"{name}: the app's process ended{how}; {self._quote()}")

    def _quote(self) -> str:
        lines = [line.strip() for line in self._tail().decode(errors="replace").split("\n")]
        words = " | ".join([line for line in lines if line][-3:])
        return f"{f'its last words: {words[-600:]}' if words else 'it said nothing'}{self._log_hint(' ({})')}"

    def _tail(self) -> bytes:
        """Return the end of the log, preceded by what was moved out of it where that is needed."""
        tail = b""
        for path in (self.command.log, _older_log(self.command.log)):
            if len(tail) < _TAIL and (self._is_log_cut or path == self.command.log):
                with path.open("rb") as log:
                    log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL + len(tail)))
                    tail = log.read(_TAIL) + tail
        return tail

    def _log_hint(self, words: str) -> str:
        return words.format(self.command.log) if self.command.keeps_log else ""


def _bound_log(log: Path) -> bool:
    """Move the end of a log that has grown too large to a second file; its writer appends, and goes on."""
    with contextlib.suppress(OSError):  # a log that cannot be bounded must not end a round
        if log.stat().st_size <= LARGEST_LOG:
            return False
        with log.open("r+b") as file:
            file.seek(-LARGEST_LOG // 16, os.SEEK_END)
            end = file.read()
            file.truncate(0)
        _older_log(log).write_bytes(end)
        return True
    return False


def _older_log(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")


def _require_program(python: Path) -> None:
    """OSError where an interpreter is not there or no program, which is no fault of the sandbox."""
    python.stat()
    if not python.is_file() or not os.access(python, os.X_OK):
        raise OSError(errno.ENOEXEC, "it is no program; expected one such as ENVIRONMENT/bin/python")
