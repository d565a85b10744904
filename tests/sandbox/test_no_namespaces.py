"""A machine that offers no namespaces: the kernel refuses them, and a daemon starts on its owner's word alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dao.chain.daemon_home import create_home
from dao.core.types import TaskId
from node.settings import NodeSettings, TaskSettings, write_task

ROOT = Path(__file__).parents[2]
# a namespace of users in which there may be no other: what `sysctl user.max_user_namespaces=0` makes of a machine
BARE = (
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"',
    "sh",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node's, with a task, and without the network's file: whoever gets as far as that is told so."""
    create_home(NodeSettings, tmp_path / "home", "ws://127.0.0.1:9", None, work=4096)
    data = tmp_path / "mine.csv"
    data.write_text("1")
    settings = NodeSettings.load(tmp_path / "home")
    write_task(settings, TaskId(1), TaskSettings(data=data, superlink="127.0.0.1:9"))
    return tmp_path / "home"


def start(home: Path, mode: str) -> list[str]:
    """What `dao node start` says there; it must end by itself."""
    program = (sys.executable, "-c", "from dao.cli import main; main()", "node", "start", "--home", str(home))
    environment = {
        **os.environ,
        "COMMONWEIGHT_SANDBOX__MODE": mode,
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
    }
    done = subprocess.run(
        [*BARE, *program], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1, done
    return done.stderr.splitlines()


def test_daemon__kernel_refuses_namespaces__says_what_is_missing_and_does_not_start(home: Path) -> None:
    (line,) = start(home, "require")
    assert line.startswith(
        "dao: sandbox: this machine has none for apps (unshare: No space left on device); "
    )
    assert line.endswith('mode = "none" in the table [sandbox] of config.toml')


@pytest.mark.parametrize("mode", ["none", "auto"])
def test_daemon__on_its_owners_word__goes_on(mode: str, home: Path) -> None:
    *warned, last = start(home, mode)
    assert "deployment.json: not a deployment" in last
    assert ["no sandbox: apps run with this program's own rights" in line for line in warned] == [True] * (
        mode == "auto"
    )
