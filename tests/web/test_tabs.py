"""Many tabs of one browser, and an API that refuses its stream: the page shows what changes all the same."""

import pytest
from playwright.async_api import Browser, Page, expect

from bench.page_load import count_requests
from tests.api.stage import Stage
from tests.web.decisions import propose
from tests.web.reader import Reader, reading

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'
TABS = 8  # a browser opens six connections to one address


async def open_tab(reader: Reader) -> Page:
    page = await reader.page.context.new_page()
    await page.goto(reader.url)
    await expect(page.locator("main h1")).to_be_visible()
    return page


async def test_tabs__more_than_connections__all_show_what_changes_and_one_listens(
    own_stage: Stage, browser: Browser
) -> None:
    async with own_stage.open() as running, reading(browser, running) as reader:
        tabs = [reader.page, *[await open_tab(reader) for _ in range(TABS)]]
        assert len(running.deps.event_hub) == 1
        await propose(own_stage, "# For all tabs")
        for tab in tabs:
            await expect(tab.get_by_role("link", name="For all tabs")).to_be_visible()
        assert len(running.deps.event_hub) == 1


async def test_tab__that_listens_is_closed__another_one_listens(own_stage: Stage, browser: Browser) -> None:
    async with own_stage.open() as running, reading(browser, running) as reader:
        second = await open_tab(reader)
        await reader.page.close()
        await propose(own_stage, "# After the first")
        await expect(second.get_by_role("link", name="After the first")).to_be_visible()
        await expect(second.get_by_text("No connection to the API")).to_be_hidden()
        assert len(running.deps.event_hub) == 1


async def test_stream__is_refused__the_page_asks_and_stays_live(own_stage: Stage, browser: Browser) -> None:
    async with own_stage.open() as running:
        running.deps.event_hub.close()
        async with reading(browser, running) as reader:
            await propose(own_stage, "# Without a stream")
            await expect(reader.page.get_by_role("link", name="Without a stream")).to_be_visible()
            await expect(reader.page.get_by_text("No connection to the API")).to_be_hidden()
            assert [error for error in reader.errors if "503" not in error] == []
            reader.errors.clear()


async def test_visits__the_first_and_the_next__ask_for_little(own_stage: Stage, browser: Browser) -> None:
    await propose(own_stage, "# To be seen")
    async with own_stage.open() as running:
        first, again = await count_requests(browser, running, "To be seen")
    assert first <= 5  # the page with its data, its script, its sheet, its icon, its stream
    assert again <= 2  # the page with its data, its stream
