"""What an app may try to get out, to look around and to take more: one app tries all of it, in one process."""

import ast
import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dao.app.sandbox import SandboxSettings
from dao.app.worker import create_model_file
from node.trainer import Trainer
from tests.sandbox.support import head_of

APP = Path(__file__).parent / "prisoner"
CANARY = "canary-7d1f0c"
LIMITS = {"memory_bytes": 512 << 20, "scratch_bytes": 1 << 20, "file_bytes": 1 << 20}
# those that harm nothing where they go: without a sandbox an app gets what each is after
HARMLESS = [
    "environment_of_parents",
    "operators_key",
    "folder_of_the_daemon",
    "data_of_another_task",
    "link_in_the_data_folder",
    "processes_of_others",
    "signal_to_the_daemon",
    "tcp",
    "udp",
    "unix_socket",
    "abstract_socket",
    "netlink",
    "shared_memory",
]
DEVICES = ["null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm"]


def list_ways() -> list[str]:
    """The functions of the app under `@way`."""
    bodies = [ast.parse(path.read_text()).body for path in sorted(APP.glob("*.py"))]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    return [
        f.name for f in functions if any(isinstance(d, ast.Name) and d.id == "way" for d in f.decorator_list)
    ]


@dataclass
class Prison:
    """A daemon's folder with secrets in it, another task's data, open sockets; and an app with data of its own."""

    folder: Path
    targets: dict[str, Any]

    async def attempt(self, ways: list[str], sandbox: SandboxSettings) -> Mapping[str, object]:
        """Have the app try these ways; return what each got, in words."""
        data = self.folder / "ours"
        data.mkdir(exist_ok=True)
        (data / "targets.json").write_text(json.dumps({**self.targets, "ways": ways}))
        if not (data / "link").is_symlink():
            (data / "link").symlink_to(self.folder / "other.csv")
        base = self.folder / "base"
        create_model_file(base, head_of({"weight": [4]})).tensors["weight"][:] = np.arange(4)
        trainer = Trainer.of(APP, data, self.folder / "home" / "app.log", threads=1, sandbox=sandbox)
        try:
            trained = await trainer.train(base, self.folder / "out", seed=1, round=1, limit=100)
        finally:
            await trainer.stop()
        return trained.metrics


@pytest.fixture(scope="module")
def prison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prison]:
    folder = tmp_path_factory.mktemp("prison")
    (folder / "home").mkdir()
    (folder / "home" / "operator.json").write_text(CANARY)
    (folder / "other.csv").write_text(CANARY)
    shared = Path("/dev/shm") / f"commonweight-test-{os.getpid()}"
    with ExitStack() as stack:
        tcp, udp, unix, abstract = (
            stack.enter_context(socket.socket(family, kind))
            for family, kind in (
                (socket.AF_INET, socket.SOCK_STREAM),
                (socket.AF_INET, socket.SOCK_DGRAM),
                (socket.AF_UNIX, socket.SOCK_STREAM),
                (socket.AF_UNIX, socket.SOCK_STREAM),
            )
        )
        addresses: list[Any] = [
            ("127.0.0.1", 0),
            ("127.0.0.1", 0),
            str(folder / "s"),
            f"\0{CANARY}{os.getpid()}",
        ]
        for line, address in zip((tcp, udp, unix, abstract), addresses, strict=True):
            line.bind(address)
            if line is not udp:
                line.listen(8)
        shared.write_text(CANARY)
        stack.callback(shared.unlink)
        environment = {**os.environ, "COMMONWEIGHT_PASSWORD": CANARY}
        daemon = stack.enter_context(subprocess.Popen(["sleep", "600"], env=environment))
        stack.callback(daemon.kill)
        targets = {
            "canary": CANARY,
            "key": str(folder / "home" / "operator.json"),
            "other": str(folder / "other.csv"),
            "daemon": daemon.pid,
            "shared": shared.name,
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "unix": str(folder / "s"),
            "abstract": f"{CANARY}{os.getpid()}",
            "devices": DEVICES,
            **LIMITS,
        }
        yield Prison(folder, targets)


@pytest.fixture(scope="module", params=["jail", *(["bubblewrap"] if shutil.which("bwrap") else [])])
def got(prison: Prison, request: pytest.FixtureRequest) -> Iterator[Mapping[str, object]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dao.app.sandbox.find_maker", lambda: request.param)
        patch.setenv("COMMONWEIGHT_PASSWORD", CANARY)
        yield asyncio.run(prison.attempt(list_ways(), SandboxSettings(**LIMITS)))


@pytest.mark.parametrize("way", list_ways())
def test_way_out__in_a_sandbox__leads_nowhere(got: Mapping[str, object], way: str) -> None:
    assert str(got[way]).startswith("nothing"), got[way]


async def test_ways_out__without_a_sandbox__lead_out(prison: Prison) -> None:
    free = await prison.attempt(HARMLESS, SandboxSettings(mode="none"))
    assert len(free) == len(HARMLESS)
    assert not {way: words for way, words in free.items() if str(words).startswith("nothing")}


def test_ways_out__tried_in_a_sandbox__left_everything_as_it_was(
    prison: Prison, got: Mapping[str, object]
) -> None:
    assert set(got) == set(list_ways())
    assert len(got) >= 30
    assert (prison.folder / "other.csv").read_text() == CANARY
    assert (prison.folder / "home" / "operator.json").read_text() == CANARY
    assert {path.name for path in (prison.folder / "home").iterdir()} == {"app.log", "operator.json"}
