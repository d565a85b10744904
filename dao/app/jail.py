"""The child's end of a sandbox: gives a process its own view of the machine, runs an app in it, and watches what it takes.

`dao.app.sandbox` starts it by `python -c`, with a plan as its one argument (JSON). It makes namespaces (users, mounts,
processes, network, IPC, host name, cgroups), builds a tree of mounts that holds what the plan names and nothing else, and
stays as the first process in there, with whose end the kernel ends all others. Standard library alone: with bubblewrap,
which makes namespaces and mounts in its place, it runs in the app's interpreter, any Python from 3.9 on.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

from dao.app import linux_calls as linux
from dao.app.call_filter import refuse_calls
from dao.app.usage import find_excess

FAILED = 125  # status of a sandbox that could not be made
APP_ID = 1000  # what the app sees as its user and group
LOOK = 0.2  # seconds between looks at what the app takes
_NAMESPACES = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)
_ATTRIBUTES = {
    "read": linux.MOUNT_RDONLY | linux.MOUNT_NOSUID | linux.MOUNT_NODEV,
    "write": linux.MOUNT_NOSUID | linux.MOUNT_NODEV,
    "device": linux.MOUNT_NOSUID,
}
_SHARED_MEMORY, _SCRATCH = "/dev/shm", "/tmp"  # noqa: S108
_NESTED = (
    "user",
    "mnt",
    "pid",
    "net",
    "ipc",
    "uts",
    "cgroup",
    "time",
)  # kinds of namespaces that an app could make

Plan = dict[str, Any]


def main() -> None:
    """Run what the plan names in a sandbox; end as it ends."""
    plan = json.loads(sys.argv[1])
    try:
        if plan["root"] is None:  # in bubblewrap's namespaces already
            run_app(plan, -1)
        status = _run_apart(plan)
    except OSError as error:
        _fail(error)
    _end_as(status)


def _run_apart(plan: Plan) -> int:
    """Make namespaces and run the app in them; return its wait status."""
    linux.control_process(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    user, group = os.geteuid(), os.getegid()
    with suppress(OSError):
        _write("/proc/self/oom_score_adj", "1000")  # rather the app than its daemon
    linux.unshare(_NAMESPACES)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{APP_ID} {user} 1")
    _write("/proc/self/gid_map", f"{APP_ID} {group} 1")
    alive, life = os.pipe()
    status, report = os.pipe()
    first = os.fork()
    if not first:
        try:
            os.close(life)
            linux.control_process(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
            if select.select([alive], [], [], 0)[0]:  # the parent ended before this process could notice
                os._exit(FAILED)
            build_tree(plan)
            run_app(plan, report)
        except BaseException as error:  # noqa: BLE001  (this process must not run its parent's code)
            _fail(error)
    os.close(report)
    os.close(alive)
    for fd in plan["keep"]:
        os.close(fd)
    told = os.read(status, 16)
    _, ended = os.waitpid(first, 0)
    return int(told) if told else ended


def build_tree(plan: Plan) -> None:
    """Make the plan's view of files the root of this mount namespace."""
    root = plan["root"]
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("none", root, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
    for folder in (_SHARED_MEMORY, _SCRATCH, "/proc"):
        os.makedirs(root + folder)
    linux.mount("none", root + _SHARED_MEMORY, "tmpfs", *_scratch(plan))
    linux.bind(root + _SHARED_MEMORY, root + _SCRATCH, _ATTRIBUTES["write"])  # one size for both
    for path, text in plan["files"].items():
        _make_place(root + path, is_folder=False)
        _write(root + path, text)
    for path, target in plan["links"].items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.symlink(target, root + path)
    for how, source, target in plan["mounts"]:
        _make_place(root + target, is_folder=os.path.isdir(source))
        linux.bind(source, root + target, _ATTRIBUTES[how])
    linux.mount("proc", f"{root}/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
    _limit_kernel(f"{root}/proc/sys", plan["threads"])
    # a root outside could write the kernel's settings without any capability
    linux.bind(f"{root}/proc", f"{root}/proc", _ATTRIBUTES["read"])
    linux.change_root(root)
    linux.set_attributes("/", linux.MOUNT_RDONLY)
    linux.set_host_name("app")


def _scratch(plan: Plan) -> tuple[int, str]:
    size = plan["scratch_bytes"]
    return linux.MS_NOSUID | linux.MS_NODEV, f"mode=1777,size={size},nr_inodes={max(1024, size >> 14)}"


def _make_place(path: str, *, is_folder: bool) -> None:
    """Make a folder, or an empty file, to mount on."""
    os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
    if not is_folder and not os.path.lexists(path):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None
    finally:
        os.close(fd)


def _limit_kernel(settings: str, threads: int) -> None:
    """Allow no namespace within these, and so many threads where the kernel counts them here (Linux 6.14)."""
    values = {f"user/max_{kind}_namespaces": 0 for kind in _NESTED} | {"kernel/pid_max": max(301, threads)}
    for name, value in values.items():
        with suppress(OSError):
            _write(f"{settings}/{name}", str(value))


def run_app(plan: Plan, report: int) -> NoReturn:
    """Start the app with its limits, and end when it does or takes too much: with it ends all that it started."""
    linux.forget_keys()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    app = os.fork()
    if not app:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            if report >= 0:
                os.close(report)
            _confine(plan)
            if not plan["command"]:  # it was only asked whether this can be done
                os._exit(0)
            os.execv(plan["command"][0], plan["command"])  # noqa: S606
        except BaseException as error:  # noqa: BLE001  (this process must not run its parent's code)
            _fail(error)
    for fd in plan["keep"]:
        os.close(fd)
    linux.drop_capabilities()
    linux.control_process(linux.PR_SET_DUMPABLE, 0)  # the app can neither trace nor read this process
    status = _watch(app, plan)
    if report < 0:
        _end_as(status)
    os.write(report, str(status).encode())
    os._exit(0)


def _confine(plan: Plan) -> None:
    """Take from this process what an app does not need, for ever."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: plan["file_bytes"],
        resource.RLIMIT_DATA: plan["memory_bytes"],
        resource.RLIMIT_NPROC: plan["threads"],
        resource.RLIMIT_MEMLOCK: 64 << 20,
    }
    for kind, limit in limits.items():
        _, most = resource.getrlimit(kind)
        least = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(kind, (least, least))
    keep = {0, 1, 2, *plan["keep"]}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            with suppress(OSError):
                os.close(int(name))
    os.setpgrp()  # no session: that would have a priority of its own
    linux.drop_capabilities()
    linux.control_process(linux.PR_SET_NO_NEW_PRIVS, 1)
    refuse_calls()


def _watch(app: int, plan: Plan) -> int:
    """Reap whatever ends; return the app's wait status, that of a kill where it takes more than it may."""
    while True:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == app:
                    return ended[1]
        excess = find_excess(plan["memory_bytes"], plan["processes"])
        if excess:
            sys.stderr.write(f"sandbox: {excess}; ended\n")
            return signal.SIGKILL
        signal.sigtimedwait({signal.SIGCHLD}, LOOK)


def _end_as(status: int) -> NoReturn:
    """End as a process did whose wait status this is."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    # a namespace's first process cannot be killed from within: it says how as shells do
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _fail(error: BaseException) -> NoReturn:
    what = error.strerror if isinstance(error, OSError) and error.filename is None else error
    sys.stderr.write(f"sandbox: {what}\n")
    sys.stderr.flush()
    os._exit(FAILED)
