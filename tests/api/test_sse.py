"""Listeners get every event in order, come back where they were, and are let go when they are too slow."""

import asyncio
from typing import Any

import pytest

from dao.api.http.problems import Problem
from dao.api.live import sse as module
from dao.api.live.sse import EventHub, EventStream

LIMIT = 5.0


def names(text: bytes) -> list[tuple[str, str]]:
    """(id, event) of a text of events."""
    found = []
    for block in text.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((fields["id"], fields["event"]))
    return found


async def test_listen__events_told__in_order_after_the_status() -> None:
    hub = EventHub()
    listener = hub.listen("a", None, {"block": 1})
    for number in range(3):
        hub.publish("round", {"kind": "round", "round": number})
    text = await listener.get_next(LIMIT)
    assert [kind for _, kind in names(text)] == ["status", "round", "round", "round"]
    assert b'data: {"kind":"round","round":2}\n\n' in text


async def test_listen__again_with_the_last_id__what_was_missed() -> None:
    hub = EventHub()
    hub.publish("round", {"kind": "round", "round": 1})
    listener = hub.listen("a", None, {})
    last = names(await listener.get_next(LIMIT))[-1][0]
    hub.leave(listener)
    hub.publish("round", {"kind": "round", "round": 2})
    hub.publish("vote", {"kind": "vote"})
    again = hub.listen("a", last, {})
    assert [kind for _, kind in names(await again.get_next(LIMIT))] == ["status", "round", "vote"]


@pytest.mark.parametrize("last", ["nonsense", "00000000-1", "-", "{epoch}-99", "{epoch}-x", "{epoch}-0"])
async def test_listen__with_an_id_that_is_not_known__told_to_read_everything(
    last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HISTORY", 2)
    hub = EventHub()
    hub._recent = type(hub._recent)(maxlen=2)
    for _ in range(5):
        hub.publish("round", {})
    listener = hub.listen("a", last.format(epoch=hub._epoch), {})
    text = await listener.get_next(LIMIT)
    assert [kind for _, kind in names(text)] == ["status", "reorg"]
    assert b'"missed":true' in text


async def test_tell__a_listener_that_does_not_read__let_go_and_the_others_served() -> None:
    hub = EventHub()
    slow, quick = hub.listen("a", None, {}), hub.listen("b", None, {})
    got = 0
    for number in range(1000):
        hub.publish("round", {"round": number})
        got += (await quick.get_next(LIMIT)).count(b"event: round")
    assert got == 1000
    assert slow.dropped.is_set()
    assert not quick.dropped.is_set()
    hub.leave(slow)
    assert (hub.dropped, len(hub)) == (1, 1)


async def test_listen__too_many__refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LISTENERS", 3)
    monkeypatch.setattr(module, "MAX_PER_CALLER", 2)
    hub = EventHub()
    hub.listen("a", None, {})
    hub.listen("a", None, {})
    with pytest.raises(Problem) as problem:
        hub.listen("a", None, {})
    assert problem.value.status == 429
    hub.listen("b", None, {})
    with pytest.raises(Problem) as problem:
        hub.listen("c", None, {})
    assert problem.value.status == 503


class Line:
    """The other end of a connection; once `full`, nothing more goes in."""

    def __init__(self) -> None:
        self.sent = b""
        self.full = asyncio.Event()
        self.more = asyncio.Event()
        self.closed = asyncio.Event()

    async def receive(self) -> Any:
        await self.closed.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.full.is_set():
            await asyncio.Event().wait()
        self.sent += message.get("body", b"")
        self.more.set()

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(LIMIT):
            while text not in self.sent:
                self.more.clear()
                await self.more.wait()


async def test_event_stream__the_line_closes__the_listener_leaves() -> None:
    hub, line = EventHub(), Line()
    serving = asyncio.create_task(EventStream(hub, hub.listen("a", None, {}))({}, line.receive, line.send))
    await asyncio.sleep(0)
    line.closed.set()
    await asyncio.wait_for(serving, LIMIT)
    assert len(hub) == 0


async def test_event_stream__the_line_is_full__the_listener_is_let_go() -> None:
    hub, line = EventHub(), Line()
    serving = asyncio.create_task(EventStream(hub, hub.listen("a", None, {}))({}, line.receive, line.send))
    await line.until(b"status")
    line.full.set()
    for number in range(1000):
        hub.publish("round", {"round": number})
        await asyncio.sleep(0)
    await asyncio.wait_for(serving, LIMIT)
    assert (len(hub), hub.dropped) == (0, 1)


async def test_event_stream__nothing_happens__a_heartbeat() -> None:
    hub, line = EventHub(), Line()
    stream = EventStream(hub, hub.listen("a", None, {}), heartbeat=0.01)
    serving = asyncio.create_task(stream({}, line.receive, line.send))
    await line.until(b": still here")
    hub.close()
    await asyncio.wait_for(serving, LIMIT)
    with pytest.raises(Problem, match="too many listeners"):
        hub.listen("b", None, {})
