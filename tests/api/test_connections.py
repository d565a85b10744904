"""Connections that hold on to their place, and more requests than can be answered: the others are served all the same."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.types import Message, Scope

from dao.api.daemon import RunningApi
from dao.api.http import connections, load
from dao.api.http.load import READS_AT_WORK, WRITES_AT_WORK, LoadShedder
from dao.api.http.problems import Problem
from tests.api.stage import BASE, LIMIT, Stage, member

ELSEWHERE = "127.0.0.2"  # an attacker's address
GET_HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def line(running: RunningApi, begin: bytes = b"") -> AsyncIterator[Line]:
    """A connection from elsewhere, over which some bytes have gone."""
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(ELSEWHERE, 0))
    writer.write(begin)
    try:
        yield reader, writer
    finally:
        writer.close()


async def write_late(before: asyncio.StreamWriter, writer: asyncio.StreamWriter, request_: bytes) -> None:
    """Write a request that waits 0.2 s to be read, since the loop is held up after it has read one on another connection."""
    before.write(GET_HEALTH)
    await asyncio.sleep(0)
    writer.write(request_)
    asyncio.get_running_loop().call_soon(time.sleep, 0.2)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(LIMIT):
        return await reader.read()


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """The head of an answer; its body is read, too."""
    async with asyncio.timeout(LIMIT):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        return head


async def test_connections__more_of_one_address_than_fit__are_refused_and_others_served(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_PER_ADDRESS", 3)
    async with stage.open() as running, member(running, stage.members[0]) as other, AsyncExitStack() as stack:
        half = b"GET /api/v1/health HTTP/1.1\r\n"
        opened = [await stack.enter_async_context(line(running, half)) for _ in range(5)]
        for reader, _ in opened[3:]:
            answer = await read_all(reader)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: " in answer
        await other.get("/health")
        first, writer = opened[0]
        writer.write(b"Host: x\r\nConnection: close\r\n\r\n")
        assert (await read_all(first)).startswith(b"HTTP/1.1 200")
        async with line(running, half + b"Host: x\r\nConnection: close\r\n\r\n") as (again, _):
            assert (await read_all(again)).startswith(b"HTTP/1.1 200")  # the place of the first is free


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n",
        b"POST /api/v1/auth/nonce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "headers", "body", "body-unread"],
)
async def test_request__that_never_ends__is_closed_in_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    async with stage.open() as running, line(running, begin) as (reader, writer):
        closed = asyncio.create_task(read_all(reader))
        while not closed.done():  # one byte after the other keeps nothing open
            writer.write(b" ")
            await asyncio.wait([closed], timeout=0.1)
        with suppress(ConnectionError):  # bytes that the API no longer reads reset the connection
            await closed


async def test_requests__one_after_the_other_and_a_stream__are_not_closed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    now = asyncio.get_running_loop().time
    async with (
        stage.open() as running,
        member(running, stage.members[0]) as who,
        who.http.stream("GET", f"{BASE}/events") as answer,
    ):
        until = now() + 4 * connections.REQUEST_SECONDS
        while now() < until:
            await who.get("/health")
        stage.pass_time(1)
        blocks = []
        async with asyncio.timeout(LIMIT):
            async for text in answer.aiter_lines():
                blocks += [text] if text.startswith("data: ") else []
                if len(blocks) == 2:  # the first is how it stood when the stream began
                    break


async def test_requests__through_two_lines_of_forwarded_for__count_for_the_last_address(stage: Stage) -> None:
    rates = {"reads_per_second": 0.5, "trusted_proxies": ["127.0.0.1"]}
    async with stage.open(api=rates) as running, member(running, stage.members[0]) as who:
        codes = []
        for number in range(12):
            lines = [("X-Forwarded-For", f"6.6.6.{number}"), ("X-Forwarded-For", f"1.2.3.4:{number}")]
            codes.append((await who.http.get(f"{BASE}/health", headers=lines)).status_code)
        assert (codes[0], codes[-1]) == (200, 429)
        lines = [("X-Forwarded-For", "1.2.3.5")]
        assert (await who.http.get(f"{BASE}/health", headers=lines)).status_code == 200


@pytest.mark.parametrize(
    ("begun", "request_", "stays"),
    [
        (b"", GET_HEALTH, True),
        (b"", b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", False),
        (b"", b"POST /api/v1/auth/nonce HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"GET /api/v1/health HTTP/1.1\r\nX: ", b"GET \r\nHost: x\r\n\r\n", False),
    ],
    ids=["whole", "with-a-body", "post", "rest-of-one"],
)
async def test_requests__read_late_by_a_full_loop__refused_unread_until_there_is_a_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, begun: bytes, request_: bytes, stays: bool
) -> None:
    monkeypatch.setattr(connections, "MAX_DELAY", 0.05)
    async with (
        stage.open() as running,
        line(running) as (_, other),
        line(running, GET_HEALTH) as (reader, writer),
    ):
        assert (await read_answer(reader)).startswith(b"HTTP/1.1 200")
        desk = Desk(running.deps.read_load, READS_AT_WORK)
        writer.write(begun)
        await asyncio.sleep(0.05)
        await write_late(other, writer, request_)
        answer = await read_answer(reader)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: " in answer
        assert (b"Connection: close" not in answer) == stays
        assert b"commonweight_http_refused_total 1.0" in running.deps.metrics.dump()
        await desk.answer_all()
        if stays:
            await write_late(other, writer, request_)
            assert (await read_answer(reader)).startswith(b"HTTP/1.1 200")
        else:
            assert await read_all(reader) == b""


async def test_requests__as_many_as_are_at_work_with_bodies_that_do_not_come__keep_nobody_waiting(
    stage: Stage,
) -> None:
    begun = b"POST /api/v1/auth/nonce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    async with stage.open() as running, AsyncExitStack() as stack:
        for _ in range(WRITES_AT_WORK + 1):
            await stack.enter_async_context(line(running, begun))
        who = await stack.enter_async_context(member(running, stage.members[0]))
        await who.sign_in()
        assert not running.deps.write_load.is_full()


async def test_delay__pieces_at_once_and_in_turn__waited_since_the_loop_last_asked() -> None:
    now, loop = 10.0, asyncio.get_running_loop()
    delay = connections.LoopDelay(lambda: now)
    assert delay.measure(loop) == 0  # after nothing had come for a while
    now = 11
    assert delay.measure(loop) == 1  # read in the same turn
    await asyncio.sleep(0)
    now = 14
    assert delay.measure(loop) == 4  # it came after 10, when the loop had asked
    await asyncio.sleep(0)
    now = 15
    assert delay.measure(loop) == 4  # after 11
    for _ in range(3):
        await asyncio.sleep(0)
    assert delay.measure(loop) == 0


async def test_load__place_becomes_free_after_the_time_limit_of_a_late_loop__is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(load, "monotonic", lambda: now)
    shedder = LoadShedder(at_work=1)
    desk = Desk(shedder, 2)
    await asyncio.sleep(0)
    now = 2 * load.MAX_WAIT
    await desk.answer_next()
    assert_busy(await desk.requests[1])
    assert not shedder.is_full()
    await desk.answer_all()
    assert desk.answered == 1


async def test_load__no_place_is_free__waits_until_an_answer_begins() -> None:
    desk = Desk(LoadShedder(at_work=2), 3)
    await asyncio.sleep(0)
    assert desk.at_work == 2
    await desk.answer_all()
    assert desk.answered == 3


async def test_load__no_place_becomes_free__is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAX_WAIT", 0.05)
    desk = Desk(LoadShedder(at_work=1), 2)
    async with asyncio.timeout(LIMIT):
        assert_busy(await desk.requests[1])
    await desk.answer_all()
    assert desk.answered == 1


async def test_load__places_become_free_slowly__who_would_wait_too_long_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(load, "monotonic", lambda: now)
    shedder = LoadShedder(at_work=1)
    desks = [Desk(shedder, 1)]
    for _ in range(12):  # each waits for the one before it
        desks.append(Desk(shedder, 1))
        await asyncio.sleep(0)
        now += 0.6 * load.MAX_WAIT
        await desks[-2].answer_next()
    later = Desk(shedder, 2)
    await asyncio.sleep(0)
    assert_busy(await later.requests[1])
    assert not later.requests[0].done()
    for desk in (*desks, later):
        await desk.answer_all()
    assert [desk.answered for desk in (*desks, later)] == [1] * 14


class Desk:
    """Requests that an app works at until they are told to be answered."""

    def __init__(self, shedder: LoadShedder, count: int) -> None:
        self.at_work = self.answered = 0
        self._next, self._over = asyncio.Semaphore(0), asyncio.Event()
        self._has_begun = asyncio.Event()
        self.requests = [asyncio.create_task(self._ask(shedder)) for _ in range(count)]

    async def answer_next(self) -> None:
        """Begin the answer of the oldest request; its place is free then."""
        before = self.answered
        self._next.release()
        async with asyncio.timeout(LIMIT):
            while self.answered == before:
                self._has_begun.clear()
                await self._has_begun.wait()

    async def answer_all(self) -> None:
        for _ in self.requests:
            self._next.release()
        self._over.set()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*self.requests)

    async def _ask(self, shedder: LoadShedder) -> Problem | None:
        try:
            await shedder.run(self._work, {}, self._receive, self._send)
        except Problem as problem:
            return problem
        return None

    async def _work(self, _: Scope, __: Any, send: Any) -> None:
        self.at_work += 1
        await self._next.acquire()
        await send({"type": "http.response.start"})
        await self._over.wait()

    async def _receive(self) -> Message:
        return {}

    async def _send(self, _: Any) -> None:
        self.answered += 1
        self._has_begun.set()


def assert_busy(problem: Problem | None) -> None:
    assert problem is not None
    assert (problem.status, problem.kind) == (503, "busy")
    assert problem.retry_after is not None
