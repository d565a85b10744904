import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dao.core.types import Address
from dao.errors import LockedError
from dao.runtime import locks
from dao.runtime.locks import RUNTIME_VARIABLE, chain_name, only_daemon, runtime_folder

OPERATOR = Address(b"o" * 20)
CHAIN = "1"
HOLDER = """
import sys
from pathlib import Path
from dao.runtime.locks import only_daemon
with only_daemon(Path(sys.argv[1]), b"o" * 20, "1"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path / "runtime"))
    return tmp_path / "runtime"


@pytest.fixture
def homes(tmp_path: Path) -> list[Path]:
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    return homes


@pytest.fixture
def holder(homes: list[Path]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, homes[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_only_daemon__second_daemon_in_the_home__is_refused_in_one_line(
    homes: list[Path], holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockedError, match=rf"in use by another process \({holder.pid}\)"):
        only_daemon(homes[0], Address(b"p" * 20), CHAIN).__enter__()


def test_only_daemon__same_operator_in_another_home__is_refused(
    homes: list[Path], holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockedError, match=r"operator 0x6f6f.*in use"):
        only_daemon(homes[1], OPERATOR, CHAIN).__enter__()


def test_only_daemon__other_operator_in_another_home__runs(
    homes: list[Path], holder: subprocess.Popen[str]
) -> None:
    with only_daemon(homes[1], Address(b"p" * 20), CHAIN):
        pass


def test_only_daemon__holder_was_killed__runs(homes: list[Path], holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    with only_daemon(homes[0], OPERATOR, CHAIN):
        pass
    with only_daemon(homes[0], OPERATOR, CHAIN):
        pass


def test_only_daemon__lock_is_a_link__is_refused(homes: list[Path]) -> None:
    (homes[0] / "lock").symlink_to(homes[1] / "elsewhere")
    with pytest.raises(LockedError, match="cannot open its lock"):
        only_daemon(homes[0], OPERATOR, CHAIN).__enter__()


def test_only_daemon__same_operator_on_another_chain__runs(
    homes: list[Path], holder: subprocess.Popen[str]
) -> None:
    with only_daemon(homes[1], OPERATOR, "2"):
        pass


def test_chain_name__development_chains__told_apart_by_their_place_alone() -> None:
    first, second = (chain_name(31337, f"ws://127.0.0.1:{port}") for port in (8545, 8546))
    assert first != second
    for url in (
        "http://localhost:8545",
        "ws://127.0.0.1:8545/",
        "http://[::1]:8545",
        "ws://me:pass@0.0.0.0:8545",
    ):
        assert chain_name(31337, url) == first
    for url in ("ws://[::1", "http://host:port/../x", "ws://"):
        assert "/" not in chain_name(31337, url)


def test_chain_name__another_chain__the_same_by_every_node() -> None:
    assert chain_name(1, "ws://one:1") == chain_name(1, "https://two/key") != chain_name(10, "ws://one:1")


def test_only_daemon__ended__leaves_nothing_and_removes_what_killed_ones_left(
    homes: list[Path], runtime: Path, holder: subprocess.Popen[str]
) -> None:
    with only_daemon(homes[1], Address(b"p" * 20), CHAIN):
        assert len(list(runtime.iterdir())) == 2  # the holder's is in use
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    assert len(list(runtime.iterdir())) == 1
    with only_daemon(homes[1], Address(b"p" * 20), CHAIN):
        pass
    assert list(runtime.iterdir()) == []


def test_only_daemon__the_file_goes_between_its_opening_and_its_lock__another_is_locked(
    homes: list[Path], runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever held the lock removed the file that the next had opened: a lock of that would keep nobody away."""
    taken = locks._taken

    def late(descriptor: int, how: int) -> bool:
        for path in runtime.glob("*.lock"):
            path.unlink()
            monkeypatch.setattr(locks, "_taken", taken)
        return taken(descriptor, how)

    monkeypatch.setattr(locks, "_taken", late)
    with only_daemon(homes[0], OPERATOR, CHAIN):
        assert locks._taken is taken
        with pytest.raises(LockedError, match="in use"):
            only_daemon(homes[1], OPERATOR, CHAIN).__enter__()


def test_runtime_folder__others_may_write_there__is_refused(homes: list[Path], runtime: Path) -> None:
    runtime.mkdir()
    runtime.chmod(0o777)
    with pytest.raises(LockedError, match=r"others may write there; expected one of your own \(chmod 700\)"):
        only_daemon(homes[0], OPERATOR, CHAIN).__enter__()


def test_runtime_folder__is_a_link_or_a_file__is_refused(homes: list[Path], runtime: Path) -> None:
    runtime.symlink_to(homes[1])
    with pytest.raises(LockedError, match="folder of locks"):
        runtime_folder()
    runtime.unlink()
    runtime.touch()
    with pytest.raises(LockedError, match="folder of locks"):
        runtime_folder()


def test_only_daemon__its_file__can_be_opened_by_no_other_user(
    homes: list[Path], runtime: Path, holder: subprocess.Popen[str]
) -> None:
    (file,) = runtime.iterdir()
    assert file.stat().st_mode & 0o077 == 0  # whoever may read it could hold its lock


def test_runtime_folder__of_a_user_without_a_home__one_line(
    homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "~nobody-of-this-name/locks")
    with pytest.raises(LockedError, match=f"folder of locks .*another by {RUNTIME_VARIABLE}"):
        runtime_folder()


def test_runtime_folder__not_named__is_in_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RUNTIME_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runtime_folder() == tmp_path / ".commonweight" / "locks"
    assert runtime_folder().stat().st_mode & 0o777 == 0o700
