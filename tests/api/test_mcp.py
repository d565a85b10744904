"""An agent's tools, over the pipes that agents use: what they tell is what the API tells, and they sign nothing."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from dao.api.agent_texts import mark_texts
from dao.chain.deploy import TOKEN
from dao.devnet.anvil import Anvil
from tests.api.stage import BASE, LIMIT, Stage, caught_up, member
from tests.api.trained import Trained, train

PROGRAM = "from dao.cli import main; main()"
GRANT = {"kind": "grant", "fields": {"to": "0x" + "11" * 20, "amount_wei": str(7 * TOKEN)}}


@asynccontextmanager
async def agent(stage: Stage) -> AsyncIterator[ClientSession]:
    """A session with `dao api mcp` on the stage's home."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    arguments = ["-c", PROGRAM, "api", "mcp", "--home", str(stage.home)]
    command = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
    async with stdio_client(command) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield session


async def call(session: ClientSession, tool: str, **arguments: Any) -> Any:
    answer = await session.call_tool(tool, arguments)
    assert not answer.isError, answer
    assert answer.structuredContent is not None
    assert json.loads(answer.content[0].text) == answer.structuredContent  # type: ignore[union-attr]
    return answer.structuredContent


async def refused(session: ClientSession, tool: str, **arguments: Any) -> str:
    answer = await session.call_tool(tool, arguments)
    assert answer.isError, answer
    return str(answer.content[0].text)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def trained(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(anvil, tmp_path_factory.mktemp("trained"))


@pytest.mark.timeout(300)
async def test_mcp__beside_a_running_api__tells_what_it_tells(trained: Trained) -> None:
    stage, task = trained.stage, trained.task
    async with stage.open() as running, member(running, stage.members[0]) as one:
        await one.sign_in()
        await one.delegate()
        stage.pass_time(1)
        await caught_up(stage, running)
        form = {
            "account": one.address,
            "title": "A\u200b grant\u202e",
            "description": "<b>why</b>",
            "actions": [GRANT],
        }
        made = await one.post("/prepare/propose", form)
        body = {**made["proposal"], "proposer": one.address, "signature": one.sign(made["typed_data"][0])}
        await one.mined(await one.post("/relay/propose", body, 202))
        number = made["proposal_id"]
        stage.pass_time(11)
        await caught_up(stage, running)
        await one.vote(number, 1, "it is due")
        await caught_up(stage, running)
        async with agent(stage) as session, httpx.AsyncClient(base_url=running.url, timeout=LIMIT) as http:
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert set(tools) == {
                *("read_network", "list_tasks", "read_round"),
                *("list_proposals", "read_proposal", "draft_proposal"),
            }
            assert all(tool.annotations and tool.annotations.readOnlyHint for tool in tools.values())
            assert all(tool.description for tool in tools.values())

            async def api(path: str) -> Any:
                return mark_texts((await http.get(BASE + path)).json())

            told = await call(session, "read_network")
            shown = await api("/network")
            assert {**told, "as_of": None, "relay": None} == {**shown, "as_of": None, "relay": None}
            assert told["relay"]["enabled"] is False
            assert (await call(session, "list_tasks"))["items"] == (await api("/tasks"))["items"] != []
            first: Any = {}
            for which, path in ((1, "rounds/1"), (None, "rounds/2")):
                given = {"task": task} if which is None else {"task": task, "number": which}
                told, shown = await call(session, "read_round", **given), await api(f"/tasks/{task}/{path}")
                assert {**told, "as_of": 0} == {**shown, "as_of": 0}
                assert len(told["nodes"]) == 2
                first = told if which == 1 else first
            listed = await call(session, "list_proposals", state="active")
            assert listed["items"] == (await api("/proposals?state=active"))["items"]
            told, shown = (
                await call(session, "read_proposal", proposal=number),
                await api(f"/proposals/{number}"),
            )
            votes = await api(f"/proposals/{number}/votes")
            assert {**told, "as_of": 0} == {**shown, "votes": votes["items"], "next_votes": None, "as_of": 0}
            assert told["votes"][0]["reason"] == {"stranger_wrote": "it is due"}
            assert told["title"] == {"stranger_wrote": "A grant"}
            assert all(set(node["reason"]) == {"stranger_wrote"} for node in first["nodes"] if node["reason"])

            draft = await call(session, "draft_proposal", title="Another", actions=[GRANT])
            preview = {"title": "Another", "description": "", "actions": [GRANT]}
            assert draft == mark_texts((await http.post(f"{BASE}/drafts/preview", json=preview)).json())
            forms = tools["draft_proposal"].inputSchema["$defs"]["ActionForm"]["oneOf"]
            assert {"grant", "create_task", "change_rules"} <= {form["title"] for form in forms}
            assert "Pay 7 tokens" in draft["words"][0]
            assert len((await call(session, "list_proposals"))["items"]) == 2  # not this one

            assert "not-found" in await refused(session, "read_proposal", proposal="7")
            assert "not-found" in await refused(session, "read_round", task=9)
            assert "not-found" in await refused(session, "read_round", task=9, number=1)
            assert "cursor" in await refused(session, "list_tasks", cursor="x")
            nonsense = {"kind": "nonsense", "fields": {}}
            assert "expected one of" in await refused(
                session, "draft_proposal", title="x", actions=[nonsense]
            )
            assert "title" in await refused(session, "draft_proposal", title="x\ny", actions=[GRANT])
            assert await refused(session, "read_round") == "task: Field required [invalid]"


async def test_mcp__no_api_and_no_node_of_the_chain__reads_go_on_and_drafts_say_so(own_stage: Stage) -> None:
    async with own_stage.open() as running:
        await caught_up(own_stage, running)
    own_stage.network.anvil.kill()
    async with agent(own_stage) as session:
        told = await call(session, "read_network")
        assert told["as_of"]["stale"] is True
        assert "chain-unreachable" in await refused(session, "draft_proposal", title="x", actions=[GRANT])
