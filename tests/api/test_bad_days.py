"""Bad days: the relayer has no money, the chain's node goes and comes back, too many ask."""

import asyncio
import json
from typing import Any

import httpx

from dao.core.types import Wei
from dao.devnet.anvil import start_anvil
from tests.api.stage import BASE, LIMIT, Stage, member
from tests.api.test_access import delegation


async def test_relay__no_ether_left__says_so_and_goes_on_once_there_is_some(own_stage: Stage) -> None:
    relayer = own_stage.settings().relayer()
    assert relayer is not None
    own_stage.network.anvil.fund(relayer.address, Wei(0))
    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        await who.sign_in()
        body = await delegation(who)
        problem = await who.post("/relay/delegate", body, 503)
        assert problem["type"] == "relay-dry"
        assert (await who.get("/network"))["relay"]["balance_wei"] == "0"
        own_stage.network.anvil.fund(relayer.address, Wei(10**18))
        assert running.deps.relayer is not None
        await running.deps.relayer.refresh()
        await who.mined(await who.post("/relay/delegate", body, 202))


async def test_relay__the_days_budget_or_an_accounts_is_used_up__says_when_again(own_stage: Stage) -> None:
    async with (
        own_stage.open(relay={"budget_per_day": 1000}) as running,
        member(running, own_stage.members[0]) as who,
    ):
        await who.sign_in()
        problem = await who.post("/relay/delegate", await delegation(who), 503)
        assert problem["type"] == "relay-dry"
        assert (await who.get("/network"))["relay"]["remaining_today"] == "1000"
    async with (
        own_stage.open(relay={"per_account": 1}) as running,
        member(running, own_stage.members[0]) as who,
    ):
        await who.sign_in()
        await who.delegate()
        answer = await who.http.post(f"{BASE}/relay/delegate", json=await delegation(who))
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 86_400 + 1
        remaining = int((await who.get("/network"))["relay"]["remaining_today"])
        assert remaining < own_stage.settings().relay.budget_per_day
    # the budget is of the day, not of the process
    async with own_stage.open(relay={"per_account": 1}) as running:
        assert running.deps.relayer is not None
        assert running.deps.relayer.get_remaining() == remaining


async def test_requests__too_many__429_with_the_time_to_wait(own_stage: Stage) -> None:
    rates = {"reads_per_second": 1, "writes_per_second": 0.1}
    async with own_stage.open(api=rates) as running, member(running, own_stage.members[0]) as who:
        codes = [(await who.http.get(f"{BASE}/health")).status_code for _ in range(12)]
        assert codes[0] == 200
        assert codes[-1] == 429
        await who.post("/auth/nonce", {"address": who.address})
        answer = await who.http.post(f"{BASE}/auth/nonce", json={"address": who.address})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 11


async def events(http: httpx.AsyncClient, got: "asyncio.Queue[dict[str, Any]]") -> None:
    async with http.stream("GET", f"{BASE}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                got.put_nowait(json.loads(line.removeprefix("data: ")))


async def until(got: "asyncio.Queue[dict[str, Any]]", *, stale: bool) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT):
        while (found := await got.get())["stale"] is not stale:
            pass
    return found


async def test_chain__its_node_goes_and_comes_back__reads_go_on_stale_and_recover(own_stage: Stage) -> None:
    anvil, folder = own_stage.network.anvil, own_stage.home.parent
    state = anvil.request("anvil_dumpState")
    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        before = await who.get("/network")
        got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        listening = asyncio.create_task(events(who.http, got))
        await until(got, stale=False)
        anvil.kill()
        assert (await until(got, stale=True))["status"] == "stale"
        assert before["as_of"]["stale"] is False
        assert await who.get("/network") == {**before, "as_of": {**before["as_of"], "stale": True}}
        assert (await who.get("/health"))["status"] == "stale"
        form = {"account": who.address, "contract": "token", "delegatee": who.address}
        assert (await who.post("/prepare/delegate", form, 503))["type"] == "chain-unreachable"
        again = await asyncio.to_thread(start_anvil, folder / "again", anvil.port)
        try:
            again.request("anvil_loadState", state)
            again.request("evm_mine")
            await until(got, stale=False)
            assert (await who.get("/network"))["as_of"]["stale"] is False
            await who.sign_in()
            await who.delegate()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            again.stop()


async def test_start__the_chains_node_is_away__serves_and_connects_later(own_stage: Stage) -> None:
    anvil = own_stage.network.anvil
    state = anvil.request("anvil_dumpState")
    anvil.kill()
    from dao.api.daemon import open_api

    async with open_api(own_stage.settings()) as running, member(running, own_stage.members[0]) as who:
        assert (await who.get("/health"))["stale"] is True
        assert (await who.get("/network", 503))["type"] == "not-indexed"
        again = await asyncio.to_thread(start_anvil, own_stage.home.parent / "again", anvil.port)
        try:
            again.request("anvil_loadState", state)
            again.request("evm_mine")
            await asyncio.wait_for(running.ready(), LIMIT)
            assert (await who.get("/network"))["symbol"] == "CWT"
        finally:
            again.stop()


async def test_network__asked_again_with_its_tag__304_until_it_changes(own_stage: Stage) -> None:
    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        first = await who.http.get(f"{BASE}/network")
        tag = {"If-None-Match": first.headers["etag"]}
        same = await who.http.get(f"{BASE}/network", headers=tag)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == first.headers["etag"]
        version = running.deps.version
        own_stage.pass_time(5)
        async with asyncio.timeout(LIMIT):
            while running.deps.version == version:  # noqa: ASYNC110  (read once a second)
                await asyncio.sleep(0.05)
        assert (await who.http.get(f"{BASE}/network", headers=tag)).status_code == 200
