"""A Chromium without a window: the one of npm's @sparticuz/chromium, unpacked once below `build`."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from dao.errors import ConfigError

ROOT = Path(__file__).parents[1]
_PACKAGE = ROOT / "node_modules" / "@sparticuz" / "chromium"
_UNPACK = 'import found from "@sparticuz/chromium"; await found.executablePath()'
_UNPACK_SECONDS = 120
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-zygote"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
)


def executable() -> Path:
    """Return the program, and unpack it where that was not done; ConfigError where it cannot."""
    if not _PACKAGE.is_dir():
        raise ConfigError(f"{_PACKAGE}: no Chromium; run script/setup")
    version = json.loads((_PACKAGE / "package.json").read_text())["version"]
    folder = ROOT / "build" / f"chromium-{version}"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="chromium-", dir=folder.parent))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        node = shutil.which("node", path=path) or "node"
        command = [node, "--input-type=module", "--eval", _UNPACK]
        environment = os.environ | {"TMPDIR": str(fresh)}
        try:
            subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=_UNPACK_SECONDS)
            with contextlib.suppress(OSError):  # another process was faster
                fresh.rename(folder)
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(f"{_PACKAGE}: cannot be unpacked: {error}; run script/setup") from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder / "chromium"


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run it for the length of a block."""
    program = executable()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield running
        finally:
            await running.close()
