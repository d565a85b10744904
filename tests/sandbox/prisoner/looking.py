"""Ways to secrets, to files of others and to other processes."""

import ctypes
import os
import signal
import time
from pathlib import Path

from attempts import LIBC, call, check, find, first_that_goes, way

PTRACE_ATTACH = 16


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
