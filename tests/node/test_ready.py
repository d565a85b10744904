"""What a node's log says at its start: `ready` is said of a node that is."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dao.core.errors import AppError, NotFound
from dao.core.types import TaskId
from dao.store.layered import LayeredStore
from node.daemon import Means, Supernode

pytestmark = pytest.mark.asyncio


class View:
    """A task without rounds; `asked` once the node waits for the first one."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def last_round(self) -> int:
        return 0

    async def rules(self) -> Any:
        return SimpleNamespace(app_hash=bytes(32))

    async def next_round(self, _: int) -> int:
        self.asked.set()
        return await asyncio.Future()


class Content:
    """A store that has the app, or not."""

    def __init__(self, bundle: Path | None) -> None:
        self._bundle = bundle

    async def has(self, _: bytes) -> bool:
        return self._bundle is not None

    async def get(self, _: bytes, __: int) -> Path:
        if self._bundle is None:
            raise NotFound("0x00: no source has it")
        return self._bundle


class Unfit:
    """The trainer of an app that cannot read the node's data."""

    async def start(self) -> None:
        raise AppError("load: FileNotFoundError: mine.csv")

    async def stop(self) -> None:
        pass


async def said(bundle: Path | None, apps: Path) -> list[dict[str, Any]]:
    """What a node logs until it waits for a round."""
    view = View()
    means = SimpleNamespace(
        signer=SimpleNamespace(address=bytes(20)),
        view=view,
        clock=None,
        journal=SimpleNamespace(notes=lambda _: []),
        store=cast("LayeredStore", Content(bundle)),
        link=SimpleNamespace(address="superlink.example:8600"),
        trainer_of=lambda _: Unfit(),
        apps=apps,
    )
    outcomes = cast("Any", SimpleNamespace(release=lambda: None))
    with capture_logs() as logs:
        running = asyncio.create_task(Supernode(TaskId(1), cast("Means", means), outcomes).run())
        await asyncio.wait_for(view.asked.wait(), 60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return cast("list[dict[str, Any]]", logs)


async def test_start__app_cannot_be_had__says_whom_it_asks_and_that_it_is_not_ready(tmp_path: Path) -> None:
    asked, found = await said(None, tmp_path)
    assert (asked["event"], asked["superlink"]) == ("fetching the app", "superlink.example:8600")
    assert (found["event"], found["log_level"]) == ("not ready", "warning")
    assert "no source has it" in found["error"]


async def test_start__app_cannot_read_the_data__says_so_before_any_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(b"")
    monkeypatch.setattr("node.daemon.unpack", lambda *_: None)
    (found,) = await said(bundle, tmp_path)
    assert (found["event"], found["error"]) == ("not ready", "load: FileNotFoundError: mine.csv")
