"""Connections that hold on to their place, and more requests than can be answered: the others are served all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.types import Message, Scope

from dao.api.daemon import RunningApi
from dao.api.http import connections
from dao.api.http.load import LoadShedder
from dao.api.http.problems import Problem
from tests.api.stage import BASE, LIMIT, Stage, member

ELSEWHERE = "127.0.0.2"  # an attacker's address
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


async def read_all(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(LIMIT):
        return await reader.read()


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


async def test_load__more_than_fit_wait__is_refused_until_an_answer_begins() -> None:
    begun, over = asyncio.Event(), asyncio.Event()
    scope: Scope = {}
    sent: asyncio.Queue[Message] = asyncio.Queue()

    async def answer(_: Scope, __: Any, send: Any) -> None:
        await begun.wait()
        await send({"type": "http.response.start"})
        await over.wait()

    async def send(message: Message) -> None:
        sent.put_nowait(message)

    async def receive() -> Message:
        return {}

    shedder = LoadShedder(most=2)
    tasks = [asyncio.create_task(shedder.run(answer, scope, receive, send)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as problem:
        await shedder.run(answer, scope, receive, send)
    assert (problem.value.status, problem.value.kind) == (503, "busy")
    assert problem.value.retry_after is not None
    begun.set()
    assert [await sent.get(), await sent.get()] == [{"type": "http.response.start"}] * 2
    over.set()
    await shedder.run(answer, scope, receive, send)
    await asyncio.gather(*tasks)
