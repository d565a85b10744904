"""The tasks of one daemon: what ends one of them does not end it for ever, nor the others."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dao.chain.daemon_home import create_home
from dao.core.commits import SignedCommit
from dao.core.types import Address, Digest, RoundId, Signature, TaskId
from dao.errors import ConfigError, ContentError
from node import daemon
from node.settings import NodeSettings, TaskSettings, write_task


async def cut_off() -> None:
    """Waits for what someone else cancels."""
    waited_for = asyncio.get_running_loop().create_future()
    waited_for.cancel()
    await waited_for


async def at_fault() -> None:
    raise ValueError("negative count")


async def without_content() -> None:
    raise ContentError("model: nobody has it")


@pytest.mark.parametrize(
    ("fails", "said"),
    [(cut_off, "task cut off"), (at_fault, "task failed"), (without_content, "task interrupted")],
)
async def test_task__fails__is_taken_up_again_and_the_others_go_on(
    fails: Callable[[], Awaitable[None]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "pauses", lambda **_: [0.0, 0.0])
    began = asyncio.Event()
    starts = 0

    class Task:
        async def run(self) -> None:
            nonlocal starts
            starts += 1
            if starts == 1:
                await fails()
            began.set()
            await asyncio.Event().wait()

    other = asyncio.Event()

    async def beside() -> None:
        await began.wait()
        other.set()

    keeping = partial(daemon._keep_going, TaskId(1), lambda: Task().run())
    with capture_logs() as logs:
        running = asyncio.create_task(daemon._run_together([keeping, beside]))
        async with asyncio.timeout(10):
            await other.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [said]
    assert starts == 2


async def test_node__machine_without_a_sandbox__does_not_start_and_says_what_its_owner_may_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dao.app.sandbox.find_maker", lambda: "unshare: Operation not permitted")
    create_home(NodeSettings, tmp_path, None, None, work=4096)
    settings = NodeSettings.load(tmp_path, sandbox={"mode": "require"})
    write_task(settings, TaskId(1), TaskSettings(data=tmp_path / "mine.csv", superlink="127.0.0.1:9"))
    with pytest.raises(ConfigError) as refused:
        await daemon.run_node(settings)
    assert str(refused.value) == (
        "sandbox: this machine has none for apps (unshare: Operation not permitted); install bubblewrap, or allow user "
        'namespaces; or let apps read what this daemon can: mode = "none" in the table [sandbox] of config.toml'
    )


async def test_force__round_opened_anew_by_the_chain__is_another_transaction() -> None:
    keys: list[str] = []

    async def send(_: object, key: str, **__: object) -> None:
        keys.append(key)

    for opening in (b"a", b"b"):
        place = TaskId(1), RoundId(2), Digest(opening * 32), Address(bytes(20))
        commit = SignedCommit(*place, Digest(opening * 32), Signature(bytes(65)))
        await daemon._force(
            cast("Any", SimpleNamespace(commit=lambda *_: None)),
            cast("Any", SimpleNamespace(send=send)),
            commit,
        )
    assert len(set(keys)) == len(keys) == 2
