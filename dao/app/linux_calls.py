"""The calls of Linux that a sandbox is built from and that Python has no function for; standard library alone.

An OSError names the call, and what it was about.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
MOUNT_RDONLY, MOUNT_NOSUID, MOUNT_NODEV = 1, 2, 4  # attributes of mount_setattr(2)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_SETATTR = 442  # the same on all machines, as all calls from 424 on
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_JOIN_SESSION_KEYRING = 1
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_CAPABILITY_VERSION = 0x20080522
MACHINE = os.uname().machine

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def unshare(flags: int) -> None:
    """Give this process namespaces of its own; OSError."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount a file system, or what is mounted elsewhere, at a place; OSError."""
    arguments = (os.fsencode(source), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags))
    _check(_libc.mount(*arguments, data.encode()), f"mount {target}")


def bind(source: str, target: str, attributes: int) -> None:
    """Show a file or a folder, with all that is mounted below, at another place too; `attributes` hold for all of it."""
    mount(source, target, None, MS_BIND | MS_REC)
    set_attributes(target, attributes, _AT_RECURSIVE)


def set_attributes(target: str, attributes: int, how: int = 0) -> None:
    """Add attributes to what is mounted at a place; OSError."""
    wanted = _MountAttributes(attributes, 0, 0, 0)
    path, size = os.fsencode(target), ctypes.sizeof(wanted)
    done = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, how, ctypes.byref(wanted), size)
    _check(done, f"mount_setattr {target} (Linux 5.12 or newer has it)")


def change_root(folder: str) -> None:
    """Make a mounted folder the root, with nothing of the old one in reach."""
    os.chdir(folder)
    _check(_libc.syscall(_PIVOT_ROOT[MACHINE], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")


def set_host_name(name: str) -> None:
    """Name the machine as processes with this host name's namespace see it; OSError."""
    _check(_libc.sethostname(name.encode(), ctypes.c_size_t(len(name))), "sethostname")


def control_process(option: int, value: int, more: object = 0) -> None:
    """As prctl(2); OSError."""
    none = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), more or none, none, none), f"prctl {option}")


def forget_keys() -> None:
    """Leave the session keyring that was inherited, where this kernel has keyrings."""
    _libc.syscall(_KEYCTL[MACHINE], _JOIN_SESSION_KEYRING, None)


def drop_capabilities() -> None:
    """Give all capabilities up, for this process and whatever it runs."""
    for capability in range(64):
        with suppress(OSError):  # this kernel does not know so many
            control_process(PR_CAPBSET_DROP, capability)
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(_libc.capset(head, (ctypes.c_uint32 * 6)()), "capset")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
