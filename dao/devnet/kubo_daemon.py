"""Starts an IPFS node (Kubo) of its own on loopback, for the development network and the tests."""

import asyncio
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dao.errors import ConfigError, ContentError

START_SECONDS = 30.0
STOP_SECONDS = 10.0
# Kubo does not end with the process that started it: a shell waits for our end of a pipe to close, for any reason.
_WATCHED = '"$0" daemon & exec >/dev/null; read -r _; kill $!; wait $!'


def find_kubo() -> Path:
    """Return the `ipfs` program: the one on the PATH, or the newest that `script/setup --kubo` built.

    Raises ConfigError when there is none.
    """
    beside = Path(sys.executable).parent  # a virtual environment's programs, whether it is activated or not
    if program := shutil.which("ipfs") or shutil.which("ipfs", path=str(beside)):
        return Path(program)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "commonweight"
    built = sorted(cache.glob("kubo-*/ipfs"))
    if built:
        return built[-1]
    raise ConfigError(
        "IPFS node: no `ipfs` on the PATH; install Kubo (docs.ipfs.tech/install) or run script/setup --kubo"
    )


@dataclass(frozen=True, slots=True)
class Kubo:
    """A running IPFS node; `stop()` ends it."""

    api: str  # multiaddr of its API, as KuboStore takes it
    gateway: str  # URL of its HTTP gateway
    address: str  # multiaddr under which other nodes reach it
    repo: Path
    process: asyncio.subprocess.Process
    drain: "asyncio.Task[None]"  # reads what it prints, so that it never waits for a reader

    async def connect(self, other: "Kubo") -> None:
        """Connect to another node, so that the two exchange content. ContentError when that fails."""
        await _call(self.api, "swarm/connect", other.address)

    async def stop(self) -> None:
        """End the node and wait for its end."""
        assert self.process.stdin is not None  # noqa: S101  (it is a pipe)
        self.process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()
        await self.drain


async def start_kubo(repo: Path) -> Kubo:
    """Start a node whose repository is this folder; it is made when absent.

    It listens on free ports of loopback and has no peers: `connect` it to others. ConfigError when
    there is no Kubo, ContentError when it does not start.
    """
    program, env = find_kubo(), os.environ | {"IPFS_PATH": str(repo), "IPFS_TELEMETRY": "off"}
    if not (repo / "config").exists():
        await asyncio.to_thread(repo.mkdir, parents=True, exist_ok=True)
        init = await asyncio.create_subprocess_exec(
            program,
            "init",
            "--profile=test",
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(START_SECONDS):
            output, _ = await init.communicate()
        if init.returncode:
            raise ContentError(
                f"IPFS node in {repo}: `ipfs init` failed: {output.decode(errors='replace')[-300:]}"
            )
        _isolate(repo / "config")
    for stale in ("api", "gateway"):
        (repo / stale).unlink(missing_ok=True)
    with (repo / "daemon.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _WATCHED, program,
            env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            start_new_session=True,  # Ctrl-C is for us: we end it
        )  # fmt: skip
    try:
        async with asyncio.timeout(START_SECONDS):
            await _wait_ready(process, repo)
        api, gateway = (repo / "api").read_text().strip(), (repo / "gateway").read_text().strip()
        identity = await _call(api, "id")
        return Kubo(
            api, gateway, identity["Addresses"][0], repo, process, asyncio.create_task(_drain(process))
        )
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise


def _isolate(config: Path) -> None:
    settings = json.loads(config.read_bytes())
    loopback = "/ip4/127.0.0.1/tcp/0"
    settings["Addresses"] |= {"API": loopback, "Gateway": loopback, "Swarm": [loopback]}
    settings["Bootstrap"] = []
    settings["Routing"] = {"Type": "none"}
    settings["AutoConf"] = {"Enabled": False}
    config.write_text(json.dumps(settings, indent=2))


async def _wait_ready(process: asyncio.subprocess.Process, repo: Path) -> None:
    assert process.stdout is not None  # noqa: S101  (it is a pipe)
    while line := await process.stdout.readline():
        if b"Daemon is ready" in line:
            return
    raise ContentError(f"IPFS node in {repo}: it ended before it was ready; see {repo / 'daemon.log'}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None  # noqa: S101  (it is a pipe)
    while await process.stdout.read(1 << 16):
        pass


async def _call(api: str, command: str, argument: str | None = None) -> dict[str, Any]:
    _, _, host, _, port, *_ = api.split("/")
    url = f"http://{host}:{port}/api/v0/{command}"
    try:
        async with httpx.AsyncClient(timeout=START_SECONDS, trust_env=False) as client:
            answer = await client.post(url, params={} if argument is None else {"arg": argument})
            answer.raise_for_status()
            return dict(answer.json())
    except (httpx.HTTPError, ValueError) as error:
        raise ContentError(f"IPFS node at {api}: {command} failed: {error}") from None
