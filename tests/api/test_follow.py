"""Listeners hear of what changes once it can be read; what a reorg voids is corrected; reads go on without the chain."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from dao.api.daemon import RunningApi
from dao.chain.deploy import TOKEN
from dao.core.types import Wei
from dao.devnet.anvil import start_anvil
from tests.api.stage import BASE, ETHER, LIMIT, PARAMS, Member, Stage, caught_up, member


@dataclass
class Heard:
    """What a listener hears, in order: (id, data)."""

    events: "asyncio.Queue[tuple[str, dict[str, Any]]]" = field(default_factory=asyncio.Queue)
    last: str = ""

    async def until(self, kind: str, **having: Any) -> dict[str, Any]:
        """Wait for an event of a kind with these values."""
        async with asyncio.timeout(LIMIT):
            while True:
                self.last, data = await self.events.get()
                if data["kind"] == kind and having.items() <= data.items():
                    return data


@asynccontextmanager
async def listening(running: RunningApi, last: str | None = None) -> AsyncIterator[Heard]:
    heard = Heard()

    async def listen() -> None:
        headers = {} if last is None else {"Last-Event-ID": last}
        async with (
            httpx.AsyncClient(base_url=running.url, timeout=LIMIT) as http,
            http.stream("GET", f"{BASE}/events", headers=headers) as answer,
        ):
            name = kind = ""
            async for line in answer.aiter_lines():
                key, _, value = line.partition(": ")
                name, kind = (
                    (value, kind) if key == "id" else (name, value) if key == "event" else (name, kind)
                )
                if key == "data":
                    data = json.loads(value)
                    assert data["kind"] == kind
                    heard.events.put_nowait((name, data))

    task = asyncio.create_task(listen())
    try:
        await heard.until("status")
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def propose(who: Member, title: str = "A grant") -> str:
    """Propose something without gas; the proposal's number."""
    draft = {
        "title": title,
        "actions": [{"kind": "grant", "fields": {"to": who.address, "amount_wei": "5"}}],
    }
    ready = await who.post("/prepare/propose", {**draft, "account": who.address})
    signature = who.sign(ready["typed_data"][0])
    body = {**ready["proposal"], "proposer": who.address, "signature": signature}
    await who.mined(await who.post("/relay/propose", body, 202))
    return str(ready["proposal_id"])


async def vote_on_chain(stage: Stage, who: Member, proposal: str) -> None:
    """Vote against, from one's own wallet."""
    form = {"account": who.address, "proposal": proposal, "support": 0, "reason": "no"}
    sent = (await who.post("/prepare/vote", form))["transaction"]
    stage.network.anvil.fund(who.signer.address, Wei(ETHER))
    stage.network.anvil.request("anvil_impersonateAccount", who.address)
    call = {"from": who.address, "to": sent["to"], "data": sent["data"]}
    await asyncio.to_thread(stage.network.anvil.request, "eth_sendTransaction", call)


async def test_vote__then_a_reorg__heard_told_and_corrected(own_stage: Stage) -> None:
    ann, ben = own_stage.members[:2]
    async with (
        own_stage.open() as running,
        member(running, ann) as one,
        member(running, ben) as two,
        listening(running) as heard,
    ):
        for who in (one, two):
            await who.sign_in()
            await who.delegate()
            assert (await heard.until("account"))["block"] > 0
        own_stage.pass_time(1)
        await caught_up(own_stage, running)
        number = await propose(one)
        await heard.until("proposal", proposal=number)
        assert (await one.get(f"/proposals/{number}"))["state"] == "pending"
        own_stage.pass_time(PARAMS.voting_delay + 1)
        await caught_up(own_stage, running)
        await one.vote(number, 1)
        said = await heard.until("vote", proposal=number)
        assert said["address"].lower() == one.address
        before = await one.http.get(f"{BASE}/proposals/{number}")
        assert before.json()["for_wei"] == str(1000 * TOKEN)
        left = heard.last

        await vote_on_chain(own_stage, two, number)
        await heard.until("vote", proposal=number)
        same = {"If-None-Match": before.headers["etag"]}
        against = await one.http.get(f"{BASE}/proposals/{number}", headers=same)
        assert (against.status_code, against.json()["against_wei"]) == (200, str(1000 * TOKEN))
        await asyncio.to_thread(own_stage.network.anvil.request, "anvil_reorg", 1, [])
        undone = await heard.until("reorg")
        assert undone["block"] < said["block"] + 2
        await caught_up(own_stage, running)
        corrected = await one.get(f"/proposals/{number}")
        assert (corrected["against_wei"], corrected["for_wei"]) == ("0", str(1000 * TOKEN))
        assert [vote["support"] for vote in (await one.get(f"/proposals/{number}/votes"))["items"]] == [1]
        assert (await one.get(f"/accounts/{two.address}"))["vote_history"] == []

        async with listening(running, left) as again:  # all that was told meanwhile, in order
            assert (await again.until("vote", proposal=number))["address"].lower() == two.address
            assert await again.until("reorg") == undone
        await vote_on_chain(own_stage, two, number)
        await heard.until("vote", proposal=number)
        assert (await one.get(f"/proposals/{number}"))["against_wei"] == str(1000 * TOKEN)


READS = ("/network", "/tasks", "/proposals", "/delegates", "/treasury", "/activity")


def unchanging(answer: Any) -> Any:
    """What an answer says of the network, rather than of the API."""
    return {name: value for name, value in answer.items() if name not in ("as_of", "relay")}


async def test_reads__the_chains_node_is_away__go_on_stale_also_after_a_restart(own_stage: Stage) -> None:
    anvil, folder = own_stage.network.anvil, own_stage.home.parent
    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        await who.sign_in()
        await who.delegate()
        await caught_up(own_stage, running)
        known = {path: await who.get(path) for path in READS}
        state = anvil.request("anvil_dumpState")
        async with listening(running) as heard:
            anvil.kill()
            await heard.until("status", stale=True)
            for path, before in known.items():
                after = await who.get(path)
                assert after["as_of"] == {**before["as_of"], "stale": True}
                assert unchanging(after) == unchanging(before)
            form = {"account": who.address, "task": 1}
            assert (await who.post("/prepare/claim", form, 503))["type"] == "chain-unreachable"
    from dao.api.daemon import open_api

    async with (
        open_api(own_stage.settings()) as running,
        member(running, own_stage.members[0]) as who,
        listening(running) as heard,
    ):
        for path, before in known.items():
            after = await who.get(path)
            assert after["as_of"] == {**before["as_of"], "stale": True}
            assert unchanging(after) == unchanging(before)
        again = await asyncio.to_thread(start_anvil, folder / "again", anvil.port)
        try:
            again.request("anvil_loadState", state)
            again.request("evm_mine")
            await heard.until("status", stale=False)
            await asyncio.wait_for(running.ready(), LIMIT)
            assert (await who.get("/delegates"))["as_of"]["stale"] is False
        finally:
            again.stop()


async def test_requests__full_of_addresses__none_of_them_is_asked(own_stage: Stage) -> None:
    url = "http://asked.example:81/x"
    reached: set[Any] = set()
    watching = True

    def watch(event: str, arguments: Any) -> None:
        if watching and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            reached.add(arguments[1] if event == "socket.connect" else arguments[:2])

    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        port = int(running.url.rsplit(":", 1)[1])
        sys.addaudithook(watch)
        try:
            await who.sign_in()
            await who.delegate()
            own_stage.pass_time(1)
            await caught_up(own_stage, running)
            number = await propose(who, f"![x]({url})")
            headers = {
                "Host": "asked.example:81",
                "X-Forwarded-For": "10.9.8.7",
                "Referer": url,
                "Origin": url,
            }
            for path in (
                f"/proposals/{number}",
                f"/proposals?cursor={url}",
                "/network",
                f"/activity?address={url}",
            ):
                await who.http.get(BASE + path, headers=headers)
            draft = {
                "title": url,
                "description": url,
                "actions": [{"kind": "grant", "fields": {"to": url, "amount_wei": url}}],
            }
            for path, body in (
                ("/drafts/preview", draft),
                ("/prepare/vote", {"account": who.address, "proposal": number, "support": 1, "reason": url}),
                ("/auth/nonce", {"address": who.address}),
                ("/auth/verify", {"message": url, "signature": "0x" + "11" * 65}),
            ):
                await who.http.post(BASE + path, json=body, headers=headers)
        finally:
            watching = False
    assert {("127.0.0.1", own_stage.network.anvil.port)} <= reached | {
        ("127.0.0.1", own_stage.network.anvil.port)
    }
    assert {where[1] for where in reached} <= {own_stage.network.anvil.port, port}
    assert {where[0] for where in reached} <= {"127.0.0.1"}
