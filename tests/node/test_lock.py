import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dao.core.errors import LockedError
from dao.core.types import Address
from dao.lock import RUNTIME_VARIABLE, only_daemon

OPERATOR = Address(b"o" * 20)
HOLDER = """
import sys
from pathlib import Path
from dao.lock import only_daemon
with only_daemon(Path(sys.argv[1]), b"o" * 20):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path / "runtime"))


@pytest.fixture
def homes(tmp_path):
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    return homes


@pytest.fixture
def holder(homes):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, homes[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_only_daemon__second_daemon_in_the_home__is_refused_in_one_line(homes, holder):
    with pytest.raises(LockedError, match=rf"in use by another process \({holder.pid}\)"):
        only_daemon(homes[0], Address(b"p" * 20)).__enter__()


def test_only_daemon__same_operator_in_another_home__is_refused(homes, holder):
    with pytest.raises(LockedError, match=r"operator 0x6f6f.*in use"):
        only_daemon(homes[1], OPERATOR).__enter__()


def test_only_daemon__other_operator_in_another_home__runs(homes, holder):
    with only_daemon(homes[1], Address(b"p" * 20)):
        pass


def test_only_daemon__holder_was_killed__runs(homes, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    with only_daemon(homes[0], OPERATOR):
        pass
    with only_daemon(homes[0], OPERATOR):
        pass


def test_only_daemon__lock_is_a_link__is_refused(homes):
    (homes[0] / "lock").symlink_to(homes[1] / "elsewhere")
    with pytest.raises(LockedError, match="cannot open its lock"):
        only_daemon(homes[0], OPERATOR).__enter__()
