"""Each view of a network that has trained: what it says, on a phone and by keyboard, and that scripts stay text."""

import asyncio

import pytest
from playwright.async_api import Browser, expect

from dao.chain.governance import Governor, Support
from dao.core.formats.address import checksummed
from dao.devnet.anvil import Anvil
from tests.api.stage import Stage
from tests.api.trained import SCRIPT, Trained, train
from tests.web.decisions import propose
from tests.web.reader import PHONE, reading
from tests.web.wallet import Wallet

Made = tuple[Trained, int]
MARKUP = " ".join(SCRIPT.split())  # on one line, as the page shows it

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


@pytest.fixture(scope="module")
def made(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What was trained, and a proposal that is open for votes; whatever members write has scripts in it."""
    trained = train(anvil, tmp_path_factory.mktemp("views"))
    return trained, asyncio.run(_decide(trained.stage))


async def _decide(stage: Stage) -> int:
    network = stage.network
    number = await propose(stage, f"# A title {MARKUP}\n\nA text {MARKUP}")
    async with network.chain() as chain, network.sender(chain, stage.members[0]) as sender:
        await sender.send(Governor(chain).vote(number, Support.AGAINST, f"A reason {MARKUP}"))
    return number


async def test_views__a_network_that_has_trained__say_what_happened_with_units_and_run_no_script(
    made: Made, browser: Browser
) -> None:
    trained, number = made
    first, second = (checksummed(member.operator.address) for member in trained.supernodes)
    async with trained.stage.open() as running, reading(browser, running) as reader:
        main = reader.page.get_by_role("main")
        await expect(main).to_contain_text("The result stands unless it is challenged")
        await expect(main).to_contain_text("2 of 2 Supernodes committed")
        await expect(main.get_by_role("row", name="Task 1")).to_contain_text("10 CWT")
        await expect(main).to_contain_text(f"A title {MARKUP}")

        await expect(main.get_by_role("link", name="Task 1: Tumours <b>").first).to_be_visible()
        await expect(main.get_by_role("row", name="Task 1")).to_contain_text("Reads cells. For <b>whom</b>?")

        await reader.go(f"tasks/{trained.task}")
        await expect(main.get_by_role("heading", level=1)).to_have_text("Tumours <b>")
        measured = ("accuracy 0.9125", "after round 2, as the Superlink measured it; higher is better")
        stop = "once the best of its last 5 rounds is not 0.001 better than that of the 5 before"
        for said in ("Reads cells.", "30 measurements of each <img", stop, *measured):
            await expect(main.locator(".task-card")).to_contain_text(said)
        await main.get_by_text("Settings of the app (4)").click()
        await expect(main.locator(".settings")).to_contain_text("0.01")
        await expect(main.get_by_role("img", name="Loss on validation data")).to_be_visible()
        await expect(main.locator("canvas")).to_have_count(4)
        charts = await main.locator(".charts figcaption").all_text_contents()
        assert charts[0].startswith("accuracy on validation data"), charts  # before the loss
        await expect(main.get_by_role("row", name="accuracy 0.9125").first).to_be_visible()
        one = main.locator(".rows tr", has=reader.page.locator(f'[title="{first}"]'))
        for said in ("lowered the loss by 0.003", "7.5 CWT", "15 CWT", "you earned"):
            await expect(one).to_contain_text(said)
        other = main.locator(".rows tr", has=reader.page.locator(f'[title="{second}"]'))
        await expect(other).to_contain_text(MARKUP)

        await other.get_by_role("link", name=second[:8]).click()
        await expect(main.get_by_role("heading", level=1)).to_contain_text(second[:8])
        await expect(main.locator(".rows tbody tr")).to_have_count(2)
        await expect(main.locator(".rows tbody tr").first).to_contain_text(MARKUP)
        await expect(main).to_contain_text("2.5 CWT")

        await reader.go(f"proposals/{number}")
        for said in (
            f"A title {MARKUP}",
            f"A text {MARKUP}",
            f"A reason {MARKUP}",
            "Pay 1 token of the treasury",
        ):
            await expect(main).to_contain_text(said)
        assert await main.locator("img, script").count() == 0
        await reader.page.goto(f"{running.url}/#/nowhere")
        await expect(main).to_contain_text("There is nothing at #/nowhere")


async def test_supernode__its_page__has_addresses_to_copy_and_rounds_to_sort(
    made: Made, browser: Browser
) -> None:
    trained, _ = made
    node = trained.supernodes[0]
    operator, owner = checksummed(node.operator.address), checksummed(node.owner.address)
    async with trained.stage.open() as running, reading(browser, running) as reader:
        await reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await reader.go(f"supernodes/{operator}")
        for name, address in (("operator", operator), ("owner", owner)):
            await reader.button(f"Copy the {name}’s address").click()
            await expect(reader.page.get_by_text("copied")).to_be_visible()
            assert await reader.page.evaluate("navigator.clipboard.readText()") == address
            await expect(reader.page.get_by_text("copied")).to_be_hidden()
        main = reader.page.get_by_role("main")
        await expect(main.get_by_role("img", name="How much it lowered the loss")).to_be_visible()
        rounds = main.get_by_role("table", name="Rounds of task").locator("tbody tr")
        for first in ("2", "1"):  # once down, once up
            await main.locator("th button", has_text="Round").click()
            await expect(rounds.first.get_by_role("link", name=first, exact=True)).to_be_visible()
        await main.locator(f'[title="{owner}"]').click()
        await expect(main.get_by_role("heading", level=1)).to_contain_text(owner[:8])


async def test_task__each_address_in_it__has_a_button_that_copies_the_whole(
    made: Made, browser: Browser
) -> None:
    trained, number = made
    async with trained.stage.open() as running, reading(browser, running) as reader:
        await reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        for view in (f"tasks/{trained.task}", f"tasks/{trained.task}/rounds/2", f"proposals/{number}", ""):
            await reader.go(view)
            main = reader.page.get_by_role("main")
            links, beside = main.locator("a.who"), main.locator("a.who + button.copy")
            await expect(links.first).to_be_visible()
            assert await beside.count() == await links.count()
            for place in range(await links.count()):
                address = await links.nth(place).get_attribute("title")
                await beside.nth(place).click()
                assert await reader.page.evaluate("navigator.clipboard.readText()") == address


async def test_views__on_a_phone__fit_its_width_with_contrast_in_both_schemes(
    made: Made, browser: Browser
) -> None:
    trained, number = made
    stage = trained.stage
    wallet = Wallet(stage.members[0], stage.network.anvil)
    node = checksummed(trained.supernodes[0].operator.address)
    views = (
        *("", f"tasks/{trained.task}", f"tasks/{trained.task}/rounds/2", f"supernodes/{node}", "cases"),
        *(f"accounts/{node}", "search/task 1", "proposals", f"proposals/{number}", "propose"),
    )
    async with (
        stage.open() as running,
        reading(browser, running, wallet, viewport=PHONE, has_touch=True) as reader,
    ):
        await reader.sign_in()
        for view in views:
            await reader.go(view)
            if view == "propose":  # with a preview of long words
                await reader.page.get_by_label("Title").fill("Another task")
                await reader.page.get_by_label("Kind of action").select_option("Create a task")
                await reader.page.get_by_label("Take over the rules of").select_option("Task 1: Tumours <b>")
                await expect(reader.page.get_by_role("main")).to_contain_text("it would go through")
            await reader.settled()
            assert await reader.fits(), view
            for scheme in ("light", "dark"):
                await reader.page.emulate_media(color_scheme=scheme)
                assert await reader.contrast() == [], (view, scheme)


async def test_rules__changed_by_the_form__are_previewed_from_what_to_what(
    made: Made, browser: Browser
) -> None:
    trained, _ = made
    async with trained.stage.open() as running, reading(browser, running) as reader:
        page = reader.page
        await reader.follow("Propose")
        await page.get_by_label("Title").fill("Pay more")
        await page.get_by_label("Kind of action").select_option("Change a task's rules")
        preview = page.get_by_role("region", name="What would be executed")
        await expect(preview).to_contain_text("Still to be given: Task")
        await page.get_by_label("Task", exact=True).select_option("Task 1: Tumours <b>")
        budget = page.get_by_label("Budget of a round")
        await expect(budget).to_have_value("10")
        await budget.fill("20 tokens")
        await expect(page.get_by_text("Expected an amount of CWT")).to_be_visible()
        await expect(preview).to_contain_text("Still to be given: Budget of a round")
        await budget.fill("20")
        await page.get_by_label("Time to commit", exact=True).fill("3 min")
        await expect(page.get_by_text("3 min (180 seconds)")).to_be_visible()
        await expect(preview).to_contain_text("it would go through")
        await expect(preview).to_contain_text("Change the rules of task 1")
        for said in ("from 10 to 20 tokens", "from 1 minute to 3 minutes"):
            await expect(preview).to_contain_text(said)


async def test_claim__by_the_owner_who_has_ether__pays_what_is_final(made: Made, browser: Browser) -> None:
    trained, _ = made
    member = trained.supernodes[0]
    wallet = Wallet(member.owner, trained.stage.network.anvil)
    async with trained.stage.open() as running, reading(browser, running, wallet) as reader:
        await reader.sign_in()
        await reader.page.get_by_role("link", name=checksummed(member.operator.address)[:8]).click()
        await reader.button("Claim").click()
        await reader.agree("Send it yourself?", "7.5 tokens of rewards paid to you")
        await reader.done("Claim from task 1", "you paid the fee")
        await expect(reader.button("Claim")).to_be_hidden()
        await reader.follow(wallet.address[:6])
        await expect(reader.page.get_by_role("main")).to_contain_text("8.5 CWT")  # and the one it had left


async def test_keyboard__alone__signs_in_and_votes_with_a_reason(made: Made, browser: Browser) -> None:
    stage = made[0].stage
    number = await propose(stage, "# By keyboard")
    wallet = Wallet(stage.members[1], stage.network.anvil)
    async with (
        stage.open() as running,
        reading(browser, running, wallet, reduced_motion="reduce") as reader,
    ):
        press = reader.page.keyboard.press
        await reader.tab_to("Skip to the content")
        await reader.tab_to("Connect")
        await press("Enter")
        await reader.tab_to("Connect and sign in")
        await press("Enter")
        await expect(reader.dialog).to_be_visible()
        await press("Escape")
        await expect(reader.dialog).to_be_hidden()
        assert "personal_sign" not in wallet.asked
        await reader.tab_to("Connect and sign in")
        await press("Enter")
        await expect(reader.dialog.get_by_role("button", name="Sign in my wallet")).to_be_focused()
        await press("Enter")
        await expect(reader.page.get_by_role("button", name="Sign out")).to_be_visible()
        await reader.go(f"proposals/{number}")
        await reader.tab_to("Reason, for everyone to read (or none)")
        await reader.page.keyboard.type("By keyboard")
        await reader.tab_to("Vote for")
        await press("Space")
        await expect(reader.dialog).to_contain_text("By keyboard")
        await press("Enter")
        votes = reader.page.get_by_role("region", name="Votes", exact=True)
        await expect(votes).to_contain_text("By keyboard")
        assert await reader.page.evaluate("document.getAnimations().length") == 0
