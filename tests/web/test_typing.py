"""What is typed into the page's forms: read as its reader means it, or refused in words."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from dao.chain.deploy import TOKEN
from dao.chain.governance import Governor, Support
from tests.api.stage import Stage
from tests.web.decisions import propose
from tests.web.reader import Reader, reading
from tests.web.wallet import Wallet

MISTYPED = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


async def call(reader: Reader, module: str, function: str, *arguments: object) -> Any:
    """Call a function of one of the page's modules."""
    script = "async ([name, called, given]) => (await import(name))[called](...given)"
    return await reader.page.evaluate(script, [f"{reader.url}/js/{module}.js", function, list(arguments)])


async def test_amount__commas__only_where_they_part_thousands(stage: Stage, browser: Browser) -> None:
    async with stage.open() as running, reading(browser, running) as reader:
        for text, tokens in (("1,000.5", 1000.5), ("1000.5", 1000.5), ("1,234,567", 1_234_567), (" 2 ", 2)):
            assert int(await call(reader, "parse", "parseTokens", text)) == int(tokens * 2) * TOKEN // 2
        for text in ("1,5", "1,00", "10,00.5", ",100", "1,,000", "1000,000", "1.000,5", "1,000,", ""):
            assert await call(reader, "parse", "parseTokens", text) is None, text

        await reader.follow("Propose")
        await reader.page.get_by_label("Kind of action").select_option("Pay a grant")
        await reader.page.get_by_label("Amount", exact=True).fill("1,5")
        await expect(reader.page.get_by_text("such as 1.5 or 1,000")).to_be_visible()
        preview = reader.page.get_by_role("region", name="What would be executed")
        await expect(preview).to_contain_text("Amount")
        await reader.page.get_by_label("Amount", exact=True).fill("1,000.5")
        await reader.page.get_by_label("Title").fill("A grant")
        await reader.page.get_by_label("To", exact=True).fill(MISTYPED)
        await expect(preview).to_contain_text(
            f"Pay a grant, To: {MISTYPED} is mistyped, its checksum is wrong"
        )
        await reader.page.get_by_label("To", exact=True).fill(MISTYPED.lower())
        await expect(preview).to_contain_text("Pay 1,000.5 tokens of the treasury")
        assert [error for error in reader.errors if "422" not in error] == []
        reader.errors.clear()


async def test_texts__with_what_turns_their_direction__shown_without(stage: Stage, browser: Browser) -> None:
    number = await propose(stage, "# Pay \u202eeno yna\u2069 back\n\nBecause \u2066so\u2069.")
    async with stage.open() as running, reading(browser, running) as reader:
        await reader.go(f"proposals/{number}")
        await expect(reader.page.get_by_role("heading", level=1)).to_have_text("Pay eno yna back")
        await expect(reader.page.get_by_text("Because so.")).to_be_visible()
        assert await reader.page.title() == "Pay eno yna back · Commonweight"


async def test_typing__while_the_view_changes__focus_and_text_stay(stage: Stage, browser: Browser) -> None:
    number = await propose(stage, "# Of which much is said")
    network = stage.network
    async with stage.open() as running, reading(browser, running) as reader:
        page = reader.page
        await reader.go(f"proposals/{number}")
        reason = page.get_by_label("Reason")
        await reason.press_sequentially("As agreed")
        await page.keyboard.press("Home")
        await page.get_by_text("Exactly").first.click()
        await reason.focus()
        async with network.chain() as chain, network.sender(chain, stage.members[0]) as sender:
            await sender.send(Governor(chain).vote(number, Support.FOR, "first"))
        await expect(page.get_by_role("region", name="Votes", exact=True)).to_contain_text("first")
        await expect(reason).to_be_focused()
        await page.keyboard.type("Yes. ")
        await expect(reason).to_have_value("Yes. As agreed")
        await expect(page.get_by_text("Contract")).to_be_visible()
        await reader.follow("Overview")
        await reader.go(f"proposals/{number}")
        await expect(reason).to_have_value("Yes. As agreed")


async def test_delegation__to_nobody__said_before_it_is_signed(stage: Stage, browser: Browser) -> None:
    wallet = Wallet(stage.members[0], stage.network.anvil)
    async with stage.open() as running, reading(browser, running, wallet) as reader:
        await reader.sign_in()
        await reader.page.get_by_label("Delegate to").fill("0x" + "00" * 20)
        await reader.button("Delegate").click()
        await reader.agree("Delegate the votes of your tokens", "they count for nothing")
        await reader.done("Delegate your tokens' votes")
