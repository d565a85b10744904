"""An app that tries to get out, to look around, and to take more than it may: each way is one function.

A way returns what it got, "" where it got nothing; an OSError says the same.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

WAYS = {}
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, CLONE_NEWUSER, MS_REMOUNT = 16, 0x10000000, 32
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


class Model:
    def __init__(self):
        self.state = {"weight": np.zeros(4, np.float32)}

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = dict(state)


def model():
    return Model()


def data(path):
    return {"path": Path(path), **json.loads((Path(path) / "targets.json").read_text())}


def loss(model, batch):
    return 0.0


def train(model, data, *, seed, round):
    got = {}
    for name in data["ways"]:
        try:
            got[name] = str(WAYS[name](data) or "nothing")
        except (OSError, MemoryError, ValueError) as error:
            got[name] = f"nothing: {error!r}"
        yield name
    yield got


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


# secrets and files


@way
def environment_of_parents(data):
    return find(data["canary"], "[0-9]*/environ")


@way
def own_environment(data):
    return find(data["canary"], "self/environ") or [n for n in os.environ if n.startswith("COMMONWEIGHT_")]


@way
def operators_key(data):
    return Path(data["key"]).read_text()


@way
def folder_of_the_daemon(data):
    return os.listdir(Path(data["key"]).parent)


@way
def homes(data):
    return first_that_goes(
        lambda p=p: os.listdir(p) and p for p in ("/home", "/var", "/run", "/mnt", "/boot")
    )


@way
def data_of_another_task(data):
    return Path(data["other"]).read_text()


@way
def data_beside_ours(data):
    return [name for name in os.listdir("/data") if name != data["path"].name]


@way
def link_in_the_data_folder(data):
    return (data["path"] / "link").read_text()


@way
def link_of_our_own(data):
    link = Path("/tmp/link")
    link.symlink_to(data["key"])
    return link.read_text()


@way
def hard_link(data):
    os.link(data["key"], "/tmp/hard")
    return Path("/tmp/hard").read_text()


@way
def hard_link_of_the_data(data):
    os.link(data["path"] / "targets.json", "/tmp/hard-data")
    return "a link"


@way
def root_of_the_first_process(data):
    return Path(f"/proc/1/root{data['key']}").read_text()


@way
def folders_above_the_root(data):
    return (data["path"] / ("../" * 30) / data["key"].lstrip("/")).read_text()


@way
def descriptors_of_the_daemon(data):
    kinds = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
    others = [kind for kind in kinds if not kind.startswith(("socket:", "/proc/", "pipe:"))]
    return others or (len([kind for kind in kinds if kind.startswith("socket:")]) > 1 and kinds)


@way
def memory_of_the_first_process(data):
    with open("/proc/1/mem", "rb") as file:
        return f"opened {file.name}"


@way
def shared_memory(data):
    return data["shared"] in os.listdir("/dev/shm") and data["shared"]


@way
def shared_memory_of_system_v(data):
    return call("shmget", 0, ctypes.c_size_t(4096), 0o1600)


@way
def keys_of_the_session(data):
    return call("keyctl", 0, -3, 1)


# other processes


@way
def processes_of_others(data):
    return find("sleep\x00600", "[0-9]*/cmdline")


@way
def signal_to_the_daemon(data):
    os.kill(data["daemon"], 0)
    return "could signal"


@way
def end_of_the_first_process(data):
    os.kill(1, signal.SIGKILL)
    time.sleep(0.1)
    return ""  # or this process has ended


@way
def trace(data):
    return check(LIBC.ptrace(PTRACE_ATTACH, os.getppid() or data["daemon"], 0, 0))


@way
def memory_of_the_daemon(data):
    return call("process_vm_readv", data["daemon"], 0, 0, 0, 0, 0)


# networks


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


# the machine


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


# writing


def write(path):
    with open(path, "r+b") as file:
        return f"opened {file.name}"


@way
def writing_data(data):
    return write(data["path"] / "targets.json")


@way
def new_file_in_the_data(data):
    return (data["path"] / "new").write_text("x")


@way
def rights_of_the_data(data):
    os.chmod(data["path"] / "targets.json", 0o777)
    return "changed"


@way
def deleting_data(data):
    os.unlink(data["path"] / "targets.json")
    return "deleted"


@way
def writing_the_app(data):
    return write(__file__)


@way
def writing_the_base_model(data):
    lent = [path for path in Path("/in").rglob("*") if path.is_file()]
    if not lent:
        return "no base model: the test is wrong"
    return first_that_goes(lambda p=p: write(p) for p in lent)


@way
def writing_it_by_its_descriptor(data):
    lent = next(path for path in Path("/in").rglob("*") if path.is_file())
    with lent.open("rb") as file:
        return write(f"/proc/self/fd/{file.fileno()}")


@way
def writing_the_environment(data):
    return write(np.__file__)


@way
def writing_programs(data):
    return write(os.path.realpath(sys.executable))


@way
def writing_users(data):
    return write("/etc/passwd")


@way
def new_file_in_the_root(data):
    return Path("/new").write_text("x")


# more than allowed


@way
def large_output(data):
    with open("/out", "ab") as file:
        return file.truncate(data["file_bytes"] + 1)


@way
def large_scratch(data):
    size = 0
    try:
        with open("/tmp/large", "wb") as file:
            for _ in range(data["scratch_bytes"] // 4096 + 2):
                size += file.write(bytes(4096))
    finally:
        os.unlink("/tmp/large")
    return size


@way
def large_scratch_in_many_files(data):
    made = []
    try:
        for number in range(data["scratch_bytes"] // 4096 + 2):
            made.append(Path(f"/dev/shm/{number}"))
            made[-1].write_bytes(bytes(4096))
    finally:
        for path in made:
            path.unlink(missing_ok=True)
    return len(made)


@way
def large_memory(data):
    return len(bytearray(data["memory_bytes"] + 1))


@way
def memory_without_a_name(data):
    return call("memfd_create", b"x", 0)


@way
def larger_limits(data):
    got = []
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
        soft, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (hard + 1, hard + 1))
            got.append(kind)
        except (OSError, ValueError):
            continue
    return got
