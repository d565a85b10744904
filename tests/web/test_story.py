"""A decision's whole life on the page, by members who have a wallet and no ether in it."""

import pytest
from playwright.async_api import Browser, expect

from dao.chain.contracts import Token
from dao.chain.deploy import TOKEN
from dao.core.types import hex_of
from tests.api.stage import DELAY, PARAMS, Stage
from tests.web.decisions import TO
from tests.web.reader import Reader, reading
from tests.web.wallet import Wallet

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


async def propose_grant(reader: Reader, title: str, text: str, amount: str) -> str:
    """Fill the form, see the preview, sign; the proposal's number."""
    page = reader.page
    await reader.follow("Propose")
    await page.get_by_label("Title").fill(title)
    await page.get_by_label("Why").fill(text)
    await page.get_by_label("Kind of action").select_option("Pay a grant")
    await page.get_by_label("To", exact=True).fill(hex_of(TO))
    await page.get_by_label("Amount", exact=True).fill(amount)
    preview = page.get_by_role("region", name="What would be executed")
    await expect(preview).to_contain_text(f"Pay {amount} tokens of the treasury to {hex_of(TO)}")
    await expect(preview).to_contain_text("it would go through")
    await reader.button("Propose").click()
    await reader.agree("Propose", title, f"Pay {amount} tokens", "costs nothing")
    await reader.done(f"Propose “{title}”")
    await page.wait_for_url("**/#/proposals/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)
    return page.url.rsplit("/", 1)[1]


async def test_story__members_without_ether__a_grant_is_decided_on_the_page_and_paid(
    stage: Stage, browser: Browser
) -> None:
    anvil = stage.network.anvil
    ann, ben = (Wallet(signer, anvil) for signer in stage.members[:2])
    async with (
        stage.open() as running,
        reading(browser, running, ann) as one,
        reading(browser, running, ben) as two,
        reading(browser, running) as watcher,
        stage.network.chain() as chain,
    ):
        for reader in (one, two):
            await reader.sign_in()
            await expect(reader.page.get_by_role("main")).to_contain_text("1,000 CWT")
            await reader.delegate_to_oneself()
            await expect(reader.page.get_by_role("main")).to_contain_text("go to yourself")
            await reader.page.evaluate("window.opened = true")
        stage.pass_time(1)
        number = await propose_grant(one, "A grant", "For good work.", "5")
        for reader in (two, watcher):
            await reader.follow("Proposals")
            await reader.page.get_by_role("link", name="A grant").click()
        await watcher.page.evaluate("window.opened = true")
        readers = (one, two, watcher)
        for reader in readers:
            await expect(reader.page.get_by_text("voting has not begun")).to_be_visible()

        stage.pass_time(PARAMS.voting_delay + 1)
        for reader in readers:
            await expect(reader.page.get_by_text("open for votes")).to_be_visible()
        await one.page.get_by_label("Reason").fill("It was good work.")
        await one.button("Vote for").click()
        await one.agree("Vote for", "“A grant”", "It was good work.", "costs nothing")
        await one.done("Vote for")
        await two.button("Abstain").click()
        await two.agree("Abstain", "“A grant”", "You give no reason")
        await two.done("Abstain")
        for reader in readers:
            votes = reader.page.get_by_role("region", name="Votes", exact=True)
            await expect(votes.get_by_role("row", name="It was good work.")).to_contain_text("1,000 CWT")
            await expect(votes.get_by_role("row", name="abstain")).to_be_visible()
            await expect(reader.page.get_by_text("is reached")).to_be_visible()
        await expect(one.page.get_by_text("You voted")).to_contain_text("for with 1,000 CWT")

        stage.pass_time(PARAMS.voting_period + 11)
        await two.button("Queue it").click()
        await two.agree("Send this to the chain?", "“A grant”")
        await two.done("Queue it")
        for reader in readers:
            await expect(reader.page.locator(".byline .mark")).to_have_text("queued")
        stage.pass_time(DELAY + 1)
        await one.button("Execute it").click()
        await one.agree("Send this to the chain?", "“A grant”")
        await one.done("Execute it")
        for reader in readers:
            await expect(reader.page.locator(".byline .mark")).to_have_text("executed")
            assert await reader.page.evaluate("window.opened"), "the page was loaded anew"
            assert reader.page.url.endswith(number)

        await watcher.follow("Proposals")
        for state, words in (("executed", "A grant"), ("active", "No proposal is active.")):
            await watcher.page.get_by_label("Show").select_option(state)
            await expect(watcher.page.get_by_role("main")).to_contain_text(words)
        assert await Token(chain).balance_of(TO, chain.head()) == 5 * TOKEN
        for wallet in (ann, ben):
            assert int(anvil.request("eth_getBalance", wallet.address, "latest"), 16) == 0
            assert "eth_sendTransaction" not in wallet.asked
