"""Ways to networks, and to what belongs to the machine."""

import ctypes
import os
import socket
import subprocess
from pathlib import Path

from attempts import LIBC, call, check, first_that_goes, way

CLONE_NEWUSER, MS_REMOUNT = 0x10000000, 32


@way
def tcp(data):
    with socket.create_connection(("127.0.0.1", data["tcp"]), timeout=5):
        return "connected"


@way
def udp(data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", data["udp"]))


@way
def unix_socket(data):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(data["unix"])
        return "connected"


@way
def abstract_socket(data):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\0" + data["abstract"])
        return "connected"


@way
def netlink(data):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW):
        return "a socket"


@way
def vsock(data):
    with socket.socket(socket.AF_VSOCK):
        return "a socket"


@way
def packets(data):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return "a socket"


@way
def names(data):
    return socket.gethostbyname("localhost.example")


@way
def mounting(data):
    return check(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None))


@way
def mounting_to_write(data):
    return check(LIBC.mount(b"none", str(data["path"]).encode(), None, MS_REMOUNT, None))


@way
def new_namespaces(data):
    return check(LIBC.unshare(CLONE_NEWUSER))


@way
def namespaces_by_a_program(data):
    return subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode == 0


@way
def another_root(data):
    return check(LIBC.chroot(b"/tmp"))


@way
def making_devices(data):
    os.mknod("/tmp/device", 0o20600, os.makedev(1, 1))
    return Path("/tmp/device").open("rb").read(1)


@way
def devices(data):
    return [name for name in os.listdir("/dev") if name not in data["devices"]]


@way
def clock(data):
    return call("clock_settime", 0, (ctypes.c_long * 2)(1, 0))


@way
def another_user(data):
    os.setuid(0)
    return "root"


@way
def programs_of_root(data):
    status = Path("/proc/self/status").read_text()
    return "NoNewPrivs:\t1" not in status and status


@way
def capabilities(data):
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith("Cap") and int(line.split()[1], 16)]


@way
def settings_of_the_kernel(data):
    names = ("core_pattern", "hostname", "modprobe", "pid_max")
    return first_that_goes(lambda n=n: (Path("/proc/sys/kernel") / n).open("w") and n for n in names)


@way
def magic_keys(data):
    return Path("/proc/sysrq-trigger").open("w") and "opened"


@way
def control_groups(data):
    return os.listdir("/sys/fs/cgroup")


@way
def programs_in_the_kernel(data):
    attempts = {
        "bpf": (5, 0, 0),
        "perf_event_open": (0, 0, -1, -1, 0),
        "io_uring_setup": (1, 0),
        "userfaultfd": (0,),
    }
    for name, arguments in attempts.items():
        try:
            return call(name, *arguments)
        except OSError as error:
            if error.errno != 1:  # EPERM: another error means that it was looked at
                return f"{name}: {error}"
    return ""


@way
def files_by_handle(data):
    return call("open_by_handle_at", -100, 0, 0)
