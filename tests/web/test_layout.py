"""What is long or narrow: nothing slides under its neighbour, leaves its card, or has to be scrolled to sideways."""

import pytest
from playwright.async_api import Browser, expect

from dao.chain.governance import Governor, Support
from tests.api.stage import PARAMS, Stage
from tests.web.decisions import TO, later, propose
from tests.web.reader import Reader, reading
from tests.web.wallet import Wallet

WIDTHS = (360, 1024, 1280)  # px
WORD = "W" * 190  # as one may type, without a space

# texts that are wider than the block around them, and tables that reach into the column of cards
_TOO_WIDE = """() => {
  const side = document.querySelector(".side")?.getBoundingClientRect();
  const beside = (box) => side && box.top < side.bottom && box.bottom > side.top && box.left < side.left;
  const found = [];
  for (const element of document.querySelectorAll("main .card, main table, main h1, #activity article, header, nav")) {
    const box = element.getBoundingClientRect();
    const name = element.className || element.tagName;
    if (element.scrollWidth > element.clientWidth + 1) found.push(`${name}: ${element.scrollWidth} px`);
    if (box.right > innerWidth + 1) found.push(`${name}: right of the page`);
    if (beside(box) && box.right > side.left) found.push(`${name}: under the cards`);
  }
  return found;
}"""

# the frame as it is served, and as it is drawn: what a reader sees of it must not change when the modules are there
_FRAMES = """async () => {
  const served = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  const links = (page) => [...page.querySelectorAll(".skip, header a")].map((link) => [
    link.getAttribute("href"), link.id, link.className, link.textContent]);
  return [links(served), links(document)];
}"""

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


async def resized(reader: Reader, width: int) -> None:
    await reader.page.set_viewport_size({"width": width, "height": 800})
    await reader.settled()
    assert await reader.page.evaluate(_TOO_WIDE) == [], width
    assert await reader.fits(), width


async def test_frame__before_the_modules_are_there__is_what_they_draw(stage: Stage, browser: Browser) -> None:
    async with stage.open() as running, reading(browser, running) as reader:
        served, drawn = await reader.page.evaluate(_FRAMES)
        assert served == drawn
        assert len(drawn) == 7


async def test_proposal__long_words_and_votes__stay_within_their_columns(
    stage: Stage, browser: Browser
) -> None:
    number = await propose(stage, f"# {WORD}\n\n{WORD}")
    network = stage.network
    wallet = Wallet(stage.members[3], network.anvil)
    async with stage.open() as running, reading(browser, running, wallet) as reader:
        async with network.chain() as chain:
            for voter, reason in zip(stage.members, ("As we agreed in spring.", "", WORD), strict=False):
                async with network.sender(chain, voter) as sender:
                    await sender.send(Governor(chain).vote(number, Support.FOR, reason))
        await reader.sign_in()
        for view in (f"proposals/{number}", "proposals", ""):
            await reader.go(view)
            await expect(reader.page.get_by_role("main")).to_contain_text(WORD)
            for width in WIDTHS:
                await resized(reader, width)
        await reader.go(f"proposals/{number}")
        async with network.chain() as chain:
            await later(network, chain, PARAMS.voting_period + 11)
        await expect(reader.page.locator(".side")).to_contain_text("voting ended")
        for width in WIDTHS:
            await resized(reader, width)
        await reader.page.set_viewport_size({"width": WIDTHS[0], "height": 800})
        links = "[...document.querySelectorAll('nav a')].map((link) => link.getBoundingClientRect().top)"
        assert len(set(await reader.page.evaluate(links))) == 1


async def test_cards__of_what_the_reader_does__wrap_can_be_closed_and_go_once_it_has_gone_through(
    stage: Stage, browser: Browser
) -> None:
    wallet = Wallet(stage.members[0], stage.network.anvil)
    async with stage.open() as running, reading(browser, running, wallet) as reader:
        page = reader.page
        await reader.sign_in()
        address = page.get_by_label("Delegate to")
        mistyped = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        cards = page.locator("#activity article.bad")
        await address.fill(mistyped)
        await reader.button("Delegate").click()
        await expect(cards).to_contain_text(f"Delegate to: {mistyped} is mistyped, its checksum is wrong")
        script = "import(document.querySelector('script[type=module]').src)"
        await page.evaluate(
            f"{script}.then(({{ modules }}) => {{ window.follow = modules['js/activity.js'].follow; }})"
        )
        await page.evaluate(
            "word => { follow(word, async () => { throw new Error(word); }); return null; }", WORD
        )
        await expect(cards).to_have_count(2)
        for width in WIDTHS:
            await resized(reader, width)
        await cards.last.get_by_role("button", name="Close").click()
        await address.fill("0x" + TO.hex())
        await reader.button("Delegate").click()
        await reader.agree("Delegate the votes of your tokens")
        await reader.done("Delegate your tokens' votes")
        await expect(page.locator("#activity article")).to_have_count(0)
        assert [error for error in reader.errors if "422" not in error] == []
        reader.errors.clear()
