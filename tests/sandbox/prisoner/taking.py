"""Ways to write what is not the app's, and to take more than it may."""

import os
import resource
import sys
from pathlib import Path

import numpy as np
from attempts import call, first_that_goes, way


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
    return write(Path(__file__).with_name("app.py"))


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
