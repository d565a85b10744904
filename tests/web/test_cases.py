"""A round and the case against its result: who took part, what is at stake, whose move it is; and what leads there."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from dao.chain.contracts import Coordinator, Token
from dao.chain.demanding import demand_leaf
from dao.core.formats.address import checksummed
from dao.core.types import RoundId, Wei
from dao.devnet.anvil import Anvil, running_anvil
from dao.proofs.leaf_places import parse_place
from tests.api.stage import Member, member
from tests.api.trained import SCRIPT, Trained, train
from tests.support import RULES
from tests.web.reader import reading

MARKUP = " ".join(SCRIPT.split())  # on one line, as the page shows it
ROUND = RoundId(2)

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


@pytest.fixture(scope="module")
def disputed(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A network whose newest result a member challenges, with a script for a reason."""
    trained = train(anvil, tmp_path_factory.mktemp("disputed"))
    asyncio.run(_challenge(trained))
    return trained


@pytest.fixture
def undisputed(tmp_path: Path) -> Iterator[Trained]:
    """A network of one test's own, with a result that nobody disputes."""
    with running_anvil(tmp_path / "anvil") as anvil:
        yield train(anvil, tmp_path / "undisputed")


async def _challenge(trained: Trained) -> None:
    network, accuser = trained.stage.network, trained.stage.members[0]
    network.anvil.fund(accuser.address, Wei(10**18))
    async with network.chain() as chain, network.sender(chain, accuser) as sender:
        coordinator = Coordinator(chain)
        await sender.send(Token(chain).approve(coordinator.address, RULES.challenge_bond))
        await sender.send(coordinator.challenge(trained.task, ROUND, f"row 3 {SCRIPT}"))


async def _read_manifest(who: Member, path: str) -> None:
    async with asyncio.timeout(60):
        while (await who.get(path))["manifest_cid"] is None:  # noqa: ASYNC110  (of another side)
            await asyncio.sleep(0.05)


async def test_round__whose_result_is_challenged__says_who_what_is_at_stake_and_whose_move_it_is(
    disputed: Trained, browser: Browser
) -> None:
    stage, path = disputed.stage, f"tasks/{disputed.task}/rounds/{ROUND}"
    accuser = checksummed(stage.members[0].address)
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await _read_manifest(who, f"/{path}")
        [case] = (await who.get("/cases?open=true"))["items"]
        assert (case["kind"], case["accuser"], case["turn"], case["verdict"]) == (
            "challenge",
            accuser,
            "dao",
            None,
        )
        assert case["accuser_stake_wei"] == str(RULES.challenge_bond)
        shown = await who.get(f"/{path}")
        assert shown["cases"] == [case]
        assert case["turn_ends_at"] == shown["deadlines"]["resolve"]
        assert [event["kind"] for event in shown["history"]][:2] == ["Challenged", "ResultPosted"]
        assert shown["history"][0]["tx"] == case["opened_tx"]
        async with reading(browser, running) as reader:
            main = reader.page.get_by_role("main")
            await reader.go(path)
            await expect(main.get_by_role("heading", level=1)).to_have_text("Round 2 of task 1")
            for said in (
                "Challenged; the DAO decides",
                "Nobody was missing.",
                "the accuser’s bond of 5 CWT",
                "the DAO’s, by a proposal to decide on round 2 of task 1",
                f"row 3 {MARKUP}",
                "The result was challenged by",
                case["opened_tx"][:8],
            ):
                await expect(main).to_contain_text(said)
            await main.get_by_text("counted", exact=True).first.click()
            await expect(main.get_by_text("counted with its full weight").first).to_be_visible()
            assert await main.locator("img, script").count() == 0

            await main.get_by_role("region", name="Cases").get_by_role("link", name=accuser[:8]).click()
            await expect(main.get_by_role("heading", level=1)).to_contain_text(f"Account {accuser[:8]}")
            await reader.follow("Cases")
            row = main.get_by_role("row", name="Task 1, round 2")
            await expect(row).to_contain_text("open")
            await row.get_by_role("link", name="Task 1, round 2").click()
            await expect(main.get_by_role("heading", level=1)).to_have_text("Round 2 of task 1")

            await main.get_by_role("link", name="proposal", exact=True).click()
            await expect(reader.page.get_by_label("Kind of action")).to_have_value("resolve")
            await expect(reader.page.get_by_label("Task", exact=True)).to_have_value("1")
            await expect(reader.page.get_by_label("Round", exact=True)).to_have_value("2")
            await expect(reader.page.get_by_label("The result is")).to_have_value("")
            await reader.follow("Overview")
            await expect(main.get_by_role("link", name="1 case")).to_be_visible()


async def test_round__of_which_less_is_known__says_of_the_missing_what_is_known_alone(
    disputed: Trained, browser: Browser
) -> None:
    stage, path = disputed.stage, f"tasks/{disputed.task}/rounds/{ROUND}"
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await _read_manifest(who, f"/{path}")
        shown = await who.get(f"/{path}")
        first, second = shown["nodes"]
        lost = {"nodes": [first, {**second, "status": "unavailable"}]}
        no_source = "revealed its update on chain, and no source had its content, since"
        answered = shown

        async def answer(route: Route) -> None:
            await route.fulfill(json=answered)

        async with reading(browser, running) as reader:
            await reader.page.route(f"**/{path}", answer)
            missing = reader.page.get_by_role("region", name="Who is missing")
            weight = reader.page.get_by_role("row", name=first["operator"][:8]).get_by_role("cell").nth(2)
            plain = f"{first['weight']:,}"
            for change, said, worth in (
                (lost, no_source, "%"),
                ({"next_nodes": "1"}, "Nobody of the first 2 was missing; the API lists all.", plain),
                ({**lost, "next_nodes": "1"}, "These of the first 2 were missing; the API lists all.", plain),
                ({"phase": "aborted", "manifest_cid": None}, "The round ended without a result.", "%"),
            ):
                answered = {**shown, **change}
                await reader.go(path)
                await expect(missing).to_contain_text(said)
                await expect(weight).to_contain_text(worth)
                await reader.follow("Overview")


async def test_table__sorted_by_keyboard__turns_with_each_press_and_says_so(
    disputed: Trained, browser: Browser
) -> None:
    stage, path = disputed.stage, f"tasks/{disputed.task}/rounds/{ROUND}"
    first, second = (checksummed(node.operator.address) for node in disputed.supernodes)
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await _read_manifest(who, f"/{path}")
        async with reading(browser, running) as reader:
            await reader.go(path)
            table = reader.page.get_by_role("table", name="Supernodes of the round")
            await reader.tab_to("Reward")
            for way, expected in (("descending", (first, second)), ("ascending", (second, first))):
                await reader.page.keyboard.press("Enter")
                await expect(table.locator("th[aria-sort]", has_text="Reward")).to_have_attribute(
                    "aria-sort", way
                )
                for index, node in enumerate(expected):
                    await expect(table.locator("tbody tr").nth(index)).to_contain_text(node[:8])


async def test_earnings__chosen_by_the_reader__are_drawn_for_each_supernode(
    disputed: Trained, browser: Browser
) -> None:
    stage = disputed.stage
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await _read_manifest(who, f"/tasks/{disputed.task}/rounds/{ROUND}")
        earnings = await who.get(f"/tasks/{disputed.task}/earnings")
        assert earnings["rounds"] == [1, 2]
        assert [node["score_micro"] for node in earnings["nodes"]] == [[3000, 3000], [1000, 1000]]
        assert earnings["nodes"][0]["reward_wei"] == [str(75 * 10**17)] * 2
        assert (await who.get(f"/tasks/{disputed.task}/earnings?rounds=1"))["rounds"] == [2]
        async with reading(browser, running) as reader:
            await reader.go(f"tasks/{disputed.task}")
            page = reader.page
            await expect(page.get_by_role("img", name="How much each lowered the loss")).to_be_visible()
            for choice, title in (
                ("Pay in each round", "Pay in each round, CWT"),
                ("Pay so far", "Pay so far, in these rounds, CWT"),
                ("Pay for stake", "Pay in each round for 1,000 staked, CWT"),
            ):
                await page.get_by_label("Show").select_option(choice)
                await expect(page.get_by_role("img", name=re.compile(title))).to_be_visible()
            await reader.settled()
            await expect(page.locator("canvas")).to_have_count(4)


async def test_search__of_what_there_is_and_is_not__finds_it_or_says_so(
    disputed: Trained, browser: Browser
) -> None:
    operator = checksummed(disputed.supernodes[0].operator.address)
    async with disputed.stage.open() as running, reading(browser, running) as reader:
        main = reader.page.get_by_role("main")
        field = main.get_by_label("Find a task, round, proposal, Supernode or account")
        for text, link in (
            ("task 1 round 2", "Round 2 of task 1"),
            ("seven", "Seven wei"),
            ("tumour", "Task 1: Tumours <b>"),
            (operator, operator[:8]),
        ):
            await field.fill(text)
            await field.press("Enter")
            await expect(main.get_by_role("heading", level=1)).to_have_text("Search")
            await expect(main.get_by_role("list").get_by_role("link", name=link).first).to_be_visible()
        for text in ("99/1", "no such thing"):
            await field.fill(text)
            await field.press("Enter")
            await expect(main).to_contain_text("Nothing was found.")


async def test_round__of_whose_result_a_leaf_is_demanded__says_which_and_names_the_bond_in_ether(
    undisputed: Trained, browser: Browser
) -> None:
    stage, path = undisputed.stage, f"tasks/{undisputed.task}/rounds/{ROUND}"
    demander = stage.members[0]
    async with stage.network.chain() as chain, stage.network.sender(chain, demander) as sender:
        demanded = await demand_leaf(chain, sender, undisputed.task, ROUND, parse_place("rows:1"))
    async with stage.open() as running, member(running, demander) as who:
        await _read_manifest(who, f"/{path}")
        [case] = (await who.get(f"/{path}"))["cases"]
        assert (case["kind"], case["subject"], case["turn"]) == ("demand", "rows:1", "superlink")
        assert (case["bond_wei"], case["accuser_stake_wei"]) == (str(demanded.bond), None)
        assert case["turn_ends_at"] == demanded.deadline
        async with reading(browser, running) as reader:
            main = reader.page.get_by_role("main")
            await reader.go(path)
            for said in (
                "demands to be shown rows:1, a leaf of the result of Superlink",
                "the demand’s bond of",
                "the Superlink’s, or anyone’s who has the leaf, to show it",
                "A leaf of the result was demanded by",
            ):
                await expect(main).to_contain_text(said)
            await expect(main.get_by_title(f"{demanded.bond} wei")).to_contain_text("ether")
