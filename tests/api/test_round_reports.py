"""What a Superlink says of its running round, by its status stream: at once in the API and on the page, as its word alone."""

import asyncio
import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bench.chromium import browser as running_browser
from dao.api.round_reports import NodeReport, RoundReports, parse_reports
from dao.chain.contracts import Coordinator
from dao.core.formats.address import checksummed
from dao.core.types import Address, RoundId, TaskId, hex_of
from dao.devnet.anvil import Anvil
from tests.api.stage import PARAMS, Stage, caught_up, govern, member
from tests.support import Member, deploy_network

NODE = Address(b"\x11" * 20)


def line(event: str, number: object, node: object, time: object = 7.25) -> dict[str, object]:
    return {"event": event, "round": number, "node": node, "time": time}


def test_reports__of_events__are_the_last_of_each_node_and_nothing_else() -> None:
    events: list[dict[str, object]] = [
        line("committed", 1, hex_of(NODE), 5.5),
        line("committed", 2, hex_of(NODE)),
        line("revealed", 2, hex_of(NODE), 9.0),
        line("working", 2, hex_of(NODE)),
        line("passed", 3, "no address"),
        line("passed", None, hex_of(NODE)),
        line("passed", 3, 5),
        line("passed", 3, hex_of(NODE), float("inf")),
        line("passed", float("inf"), hex_of(NODE)),
        {"event": "committed"},
    ]
    found = parse_reports(events)
    assert found[RoundId(1)] == {NODE: NodeReport("committed", 5)}
    assert found[RoundId(2)] == {NODE: NodeReport("revealed", 9)}
    assert not found.get(RoundId(3))


async def test_reports__without_a_stream_or_its_file__are_none(tmp_path: Path) -> None:
    await asyncio.wait_for(RoundReports({}).run(lambda _: None), 5)
    reports = RoundReports({TaskId(1): tmp_path / "none"})
    assert not reports._look(TaskId(1))
    assert reports.has(TaskId(1))
    assert not reports.has(TaskId(2))
    assert reports.find(TaskId(1), RoundId(1)) == {}


@pytest.fixture(scope="module")
def opened(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, TaskId, list[Member]]:
    """A network whose first round is open, and whose API reads a stream that is not there yet."""
    folder = tmp_path_factory.mktemp("opened")
    network = deploy_network(anvil, folder / "network", PARAMS)
    task, superlink, members = asyncio.run(network.new_round_ready(2))

    async def open_round() -> None:
        async with network.chain() as chain, network.sender(chain, superlink.operator) as sender:
            await sender.send(Coordinator(chain).open_round(task))

    asyncio.run(open_round())
    stage = govern(network, folder)
    config = stage.home / "config.toml"
    stream = f'[content]\nstatus_streams = {{ {task} = "status.jsonl" }}\n'
    config.write_text(config.read_text().replace("[content]\n", stream))
    return stage, task, members


async def test_round__while_it_is_open__names_who_is_awaited_as_the_superlink_says(
    opened: tuple[Stage, TaskId, list[Member]],
) -> None:
    stage, task, members = opened
    first, second = sorted(checksummed(node.operator.address) for node in members)
    path = f"tasks/{task}/rounds/1"
    async with (
        running_browser() as browser,
        stage.open() as running,
        member(running, stage.members[0]) as who,
    ):
        await caught_up(stage, running)
        shown = await who.get(f"/{path}")
        assert (shown["is_reported"], [node["reported"] for node in shown["nodes"]]) == (True, [None, None])
        await _follow(browser, running.url, stage, path, (first, second))
        shown = await who.get(f"/{path}")
        assert {node["operator"]: node["reported"] for node in shown["nodes"]} == {
            first: "committed",
            second: None,
        }
        assert (await who.get(f"/{path}/nodes"))["items"] == shown["nodes"]


async def _follow(browser: Browser, url: str, stage: Stage, path: str, nodes: tuple[str, str]) -> None:
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{url}/#/{path}")
    missing = page.get_by_role("region", name="Who is missing")
    await expect(missing).to_contain_text("the commits of 2 Supernodes", timeout=60_000)
    await expect(missing).to_contain_text(nodes[0][:8])
    event = line("committed", 1, nodes[0].lower())
    (stage.home / "status.jsonl").write_text(json.dumps(event) + "\n")
    await expect(missing).to_contain_text("the commits of 1 Supernode.", timeout=60_000)
    await expect(missing).not_to_contain_text(nodes[0][:8])
    await expect(page.get_by_role("table").get_by_text("has committed")).to_be_visible()
    await context.close()
