"""What strangers write to be seen: it hides nothing, paints over nothing and fills no page."""

import pytest
from playwright.async_api import Browser, expect

from dao.chain.governance import Governor, Support
from dao.gov.texts import REASON_BYTES
from tests.api.stage import Stage
from tests.web.decisions import propose
from tests.web.reader import reading

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'
TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
HOSTILE = f"A\u200bB\u2060C\u202eD{TAGS}E" + "e" + "\u0301" * 50 + "!"
CLEAN = "ABCDEe" + "\u0301" * 3 + "!"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # its joiner is part of how the word is written


async def test_texts__with_hidden_and_stacked_characters__are_shown_without(
    own_stage: Stage, browser: Browser
) -> None:
    number = await propose(own_stage, f"# {HOSTILE}\n\n{PERSIAN} {HOSTILE}")
    empty = await propose(own_stage, "# \u200b\u2060\n\nWithout a title")
    async with own_stage.open() as running, reading(browser, running) as reader:
        main = reader.page.get_by_role("main")
        # both are open, and what is open is counted whatever else is listed
        await expect(main).to_contain_text("2 proposals")
        await expect(main.get_by_role("link", name=f"Proposal {str(empty)[:8]}…")).to_be_visible()
        await reader.go(f"proposals/{number}")
        assert await main.get_by_role("heading", level=1).text_content() == CLEAN
        assert await main.locator(".prose").text_content() == f"{PERSIAN} {CLEAN}"
        assert await reader.page.title() == f"{CLEAN} · Commonweight"


async def test_reason__as_long_as_may_be__is_folded_and_opens(own_stage: Stage, browser: Browser) -> None:
    number = await propose(own_stage, "# Long\n\n" + "word " * 1000)
    reason = "\N{SLIGHTLY SMILING FACE}" * (REASON_BYTES // 4)
    voter = own_stage.members[0]
    async with own_stage.network.chain() as chain, own_stage.network.sender(chain, voter) as sender:
        await sender.send(Governor(chain).vote(number, Support.FOR, reason))
    async with own_stage.open() as running, reading(browser, running) as reader:
        await reader.go(f"proposals/{number}")
        table = reader.page.get_by_role("table", name="Votes")
        folded = await table.bounding_box()
        await table.get_by_text("All 500 characters").click()
        await expect(table).to_contain_text(reason)
        opened = await table.bounding_box()
        assert folded is not None
        assert opened is not None
        assert folded["height"] < 400
        assert await reader.fits()
        await expect(reader.page.get_by_text("All 4,999 characters")).to_be_visible()


async def test_overview__more_open_than_it_lists__counts_them_all(own_stage: Stage, browser: Browser) -> None:
    for count in range(6):
        await propose(own_stage, f"# Number {count}")
    async with own_stage.open() as running, reading(browser, running) as reader:
        await expect(reader.page.get_by_role("main")).to_contain_text("6 proposals")
