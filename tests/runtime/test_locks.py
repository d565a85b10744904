"""Who holds the lock of a file can be found, and asked to end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dao.errors import LockedError
from dao.runtime.locks import find_holder, hold_lock, stop_holder

HOLDER = """
import sys, time
from pathlib import Path
from dao.runtime.locks import hold_lock
with hold_lock(Path(sys.argv[1]), "holder"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_hold_lock__held__named_to_those_who_look_and_refused_to_others(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert find_holder(path) is None
    with hold_lock(path, "this"):
        assert find_holder(path) == os.getpid()
        with pytest.raises(LockedError, match=rf"that: in use by another process \({os.getpid()}\)"):
            hold_lock(path, "that").__enter__()
    assert find_holder(path) is None
    assert path.exists()


def test_stop_holder__another_process__ends_and_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not stop_holder(path, "holder")
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert find_holder(path) == process.pid
        assert stop_holder(path, "holder")
        assert process.wait(20) != 0
    assert find_holder(path) is None
