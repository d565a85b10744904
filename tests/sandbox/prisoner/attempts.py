"""What the ways out share: their list, calls of the kernel that Python does not have, and what a way got."""

import ctypes
import os
from pathlib import Path

WAYS = {}
LIBC = ctypes.CDLL(None, use_errno=True)
CALLS = {  # of the kernel, which Python does not have: numbers on x86_64 and aarch64
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "keyctl": (250, 219),
    "process_vm_readv": (310, 270),
    "open_by_handle_at": (304, 265),
    "clock_settime": (227, 112),
}


def way(function):
    WAYS[function.__name__] = function
    return function


def call(name, *arguments):
    """Make a call of the kernel; OSError where it is refused."""
    number = CALLS[name][os.uname().machine != "x86_64"]
    result = LIBC.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return f"{name} gave {result}"


def check(result):
    """What a function of C gave; OSError where it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return f"gave {result}"


def first_that_goes(attempts):
    """What the first attempt gave that gave something."""
    for attempt in attempts:
        try:
            got = attempt()
        except OSError:
            continue
        if got:
            return got
    return ""


def find(word, pattern):
    """A file of /proc in which a word stands."""
    for path in Path("/proc").glob(pattern):
        try:
            if word.encode() in path.read_bytes():
                return str(path)
        except OSError:
            continue
    return ""
