"""Has processes of apps forked from one that has imported torch, which would take each seconds; they are in no sandbox.

`python -m tests.forked_apps SOCKET` is that process: it forks one for each that asks, until its starter is gone.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from dao.app.process import AppProcess
from dao.app.worker import _PR_SET_PDEATHSIG

ROOT = Path(__file__).parents[1]
DOOR = "TESTS_TORCH_DOOR"  # the variable that names its socket, also to daemons
WORKERS = ("dao.app.evaluation_worker", "node.training_worker", "node.simulation_worker")

# what is run in place of an app: it asks, and ends as the fork does
ASK = """
import json, os, socket, sys
path, module, line = sys.argv[1:]
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect(path)
    asked = json.dumps({"module": module, "folder": os.getcwd(), "environment": dict(os.environ)})
    socket.send_fds(door, [asked.encode()], [int(line), 1, 2])
    os.close(int(line))
    code = int(door.recv(16) or 1)
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextmanager
def open_door() -> Iterator[str]:
    """Start the process; its socket, which DOOR names meanwhile."""
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket is short
        door = f"{folder}/door"
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_apps", door],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            os.environ[DOOR] = door
            yield door
        finally:
            os.environ.pop(DOOR, None)
            server.kill()
            server.communicate()


def replace_command_line(door: str, *modules: str) -> Callable[[AppProcess, int], list[str]]:
    """What AppProcess shall have for its method, so that those that run these modules on this interpreter are forked."""
    make_command_line = AppProcess._make_command_line

    def ask(process: AppProcess, line: int) -> list[str]:
        command = process.command
        if command.module not in modules or command.python != Path(sys.executable):
            return make_command_line(process, line)
        return [sys.executable, "-I", "-S", "-c", ASK, door, command.module, str(line)]

    return ask


def serve(path: str) -> NoReturn:
    """Fork a process for each that asks."""
    import torch._dynamo  # noqa: F401  (what the first optimizer imports, too: longer than torch)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen(64)
        print("ready", flush=True)  # noqa: T201
        while True:
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                answer(caller)
            caller.close()


def answer(caller: socket.socket) -> NoReturn:
    """Fork the process that is asked for, with the caller's files, and tell how it ended."""
    asked, (line, *outputs), _, _ = socket.recv_fds(caller, 1 << 18, 3)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := os.fork():
        os.close(line)
        _, status = os.waitpid(child, 0)
        with suppress(BrokenPipeError):  # it has been killed
            caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    caller.close()
    os.setsid()  # it ends its group when its daemon is gone
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
        os.close(output)
    request = json.loads(asked)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["app", str(line), "0"]
    __import__(request["module"], fromlist=["main"]).main()
    os._exit(0)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    serve(sys.argv[1])
