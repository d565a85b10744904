"""The page when the relayer has no money, the chain's node is away, or the chain takes a vote back."""

import asyncio

import pytest
from playwright.async_api import Browser, Route, expect

from dao.api.daemon import open_api
from dao.chain.governance import Governor, Support
from dao.core.types import Wei
from dao.devnet.anvil import start_anvil
from tests.api.stage import ETHER, Stage
from tests.web.decisions import propose
from tests.web.reader import reading
from tests.web.wallet import Wallet

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


async def test_relayer__has_no_money__the_page_says_so_and_the_paid_way_works(
    own_stage: Stage, browser: Browser
) -> None:
    anvil, signer = own_stage.network.anvil, own_stage.members[0]
    relayer = own_stage.settings().relayer()
    assert relayer is not None
    anvil.fund(relayer.address, Wei(0))
    anvil.fund(signer.address, ETHER)
    wallet = Wallet(signer, anvil, chain=1)
    async with own_stage.open() as running, reading(browser, running, wallet) as reader:
        await reader.sign_in()
        await reader.button("Keep my own votes").click()
        await reader.agree("Send it yourself?", "used up", "you pay the chain's fee in ether")
        await reader.done("Delegate your tokens' votes", "you paid the fee")
        await expect(reader.page.get_by_role("main")).to_contain_text("go to yourself")
        assert "eth_signTypedData_v4" not in wallet.asked
        assert "wallet_switchEthereumChain" in wallet.asked
        assert 0 < int(anvil.request("eth_getBalance", wallet.address, "latest"), 16) < ETHER


async def test_wallet__its_owner_declines__nothing_is_sent_and_it_can_be_tried_again(
    stage: Stage, browser: Browser
) -> None:
    wallet = Wallet(stage.members[0], stage.network.anvil, declined={"personal_sign"})
    async with stage.open() as running, reading(browser, running, wallet) as reader:
        await reader.follow("Connect")
        await reader.button("Connect and sign in").click()
        await reader.agree("Sign in")
        declined = "You declined it in the wallet; nothing was sent."
        await expect(reader.page.locator("#activity article")).to_contain_text(declined)
        await reader.sign_in()
        await expect(reader.page.locator("#activity")).not_to_contain_text(declined)
        wallet.declined.add("eth_signTypedData_v4")
        await reader.button("Keep my own votes").click()
        await reader.agree("Delegate the votes of your tokens")
        await expect(reader.page.locator("#activity article")).to_contain_text(declined)
        await reader.delegate_to_oneself()
        await reader.page.reload()
        await expect(reader.page.get_by_role("button", name="Sign out")).to_be_visible()
        await reader.page.get_by_role("button", name="Sign out").click()
        await expect(reader.button("Connect and sign in")).to_be_visible()


async def test_wallet__on_another_chain__is_switched_before_it_signs(stage: Stage, browser: Browser) -> None:
    wallet = Wallet(stage.members[2], stage.network.anvil, chain=1)
    async with stage.open() as running, reading(browser, running, wallet) as reader:
        await reader.sign_in()
        await reader.delegate_to_oneself()
        asked = wallet.asked
        assert asked.index("wallet_switchEthereumChain") < asked.index("eth_signTypedData_v4")


async def test_wallet__there_is_none__the_page_says_so(stage: Stage, browser: Browser) -> None:
    async with stage.open() as running, reading(browser, running) as reader:
        await reader.follow("Connect")
        await reader.button("Connect and sign in").click()
        await expect(reader.page.locator("#activity")).to_contain_text("No wallet was found in this browser")


async def test_session__is_over__signs_in_again_and_hands_on_what_was_signed(
    stage: Stage, browser: Browser
) -> None:
    wallet = Wallet(stage.members[1], stage.network.anvil)
    async with stage.open() as running, reading(browser, running, wallet) as reader:
        await reader.sign_in()
        await reader.page.context.clear_cookies()
        await reader.button("Keep my own votes").click()
        await reader.agree("Delegate the votes of your tokens")
        await reader.agree("Sign in")
        await reader.done("Delegate your tokens' votes")
        assert wallet.asked.count("eth_signTypedData_v4") == 1
        assert [error for error in reader.errors if "401" not in error] == []
        reader.errors.clear()


async def test_chain__its_node_goes_and_comes_back__marked_stale_and_live_again_without_reload(
    own_stage: Stage, browser: Browser
) -> None:
    anvil = own_stage.network.anvil
    async with own_stage.open() as running, reading(browser, running) as reader:
        stale = reader.page.get_by_text("does not hear from its chain")
        await expect(reader.page.get_by_role("main")).to_contain_text("Free to decide on")
        await expect(stale).to_be_hidden()
        state = anvil.request("anvil_dumpState")
        anvil.kill()
        await expect(stale).to_be_visible()
        await reader.follow("Proposals")
        await expect(reader.page.get_by_text("Nothing has been proposed yet.")).to_be_visible()
        again = await asyncio.to_thread(start_anvil, own_stage.home.parent / "again", anvil.port)
        try:
            again.request("anvil_loadState", state)
            again.request("evm_mine")
            await expect(stale).to_be_hidden()
            await propose(own_stage, "# After the pause")
            await expect(reader.page.get_by_role("link", name="After the pause")).to_be_visible()
        finally:
            again.stop()


async def test_chain__its_node_is_away_at_the_start__the_page_fills_once_it_is_there(
    own_stage: Stage, browser: Browser
) -> None:
    anvil = own_stage.network.anvil
    state = anvil.request("anvil_dumpState")
    anvil.kill()
    async with open_api(own_stage.settings()) as running, reading(browser, running) as reader:
        main = reader.page.get_by_role("main")
        await expect(main).to_contain_text("nothing was read from the chain yet", ignore_case=True)
        again = await asyncio.to_thread(start_anvil, own_stage.home.parent / "again", anvil.port)
        try:
            again.request("anvil_loadState", state)
            again.request("evm_mine")
            await expect(main).to_contain_text("Free to decide on")
        finally:
            again.stop()
        assert [error for error in reader.errors if "503" not in error] == []
        reader.errors.clear()


async def test_reorg__takes_a_vote_back__the_page_does_too(own_stage: Stage, browser: Browser) -> None:
    anvil, voter = own_stage.network.anvil, own_stage.members[0]
    number = await propose(own_stage, "# A vote that goes")
    async with own_stage.open() as running, reading(browser, running) as reader:
        await reader.go(f"proposals/{number}")
        votes = reader.page.get_by_role("region", name="Votes", exact=True)
        await expect(votes).to_contain_text("Nobody has voted yet")
        async with own_stage.network.chain() as chain, own_stage.network.sender(chain, voter) as sender:
            await sender.send(Governor(chain).vote(number, Support.FOR, "not for long"))
        await expect(votes).to_contain_text("not for long")
        await expect(reader.page.get_by_text("is reached")).to_be_visible()
        anvil.request("anvil_reorg", 1, [])
        anvil.request("evm_mine")
        await expect(votes).to_contain_text("Nobody has voted yet")
        await expect(reader.page.get_by_text("is reached")).to_be_hidden()


async def spoil(route: Route) -> None:
    """Answer with an overview that lacks the payments."""
    overview = await (await route.fetch()).json()
    await route.fulfill(json={**overview, "treasury": {"escrow": []}})


async def test_answer__that_cannot_be_drawn__the_page_says_so_until_the_next_one(
    own_stage: Stage, browser: Browser
) -> None:
    async with own_stage.open() as running, reading(browser, running) as reader:
        main = reader.page.get_by_role("main")
        await reader.page.route("**/overview", spoil)
        await reader.follow("Proposals")
        await reader.follow("Overview")
        await expect(main).to_contain_text("This cannot be shown")
        await reader.page.unroute("**/overview")
        await propose(own_stage, "# Good again")
        await expect(main).to_contain_text("Good again")
        assert reader.errors
        reader.errors.clear()


async def test_api__ends_and_starts_again__the_page_says_so_and_comes_back_by_itself(
    own_stage: Stage, browser: Browser
) -> None:
    async with own_stage.open() as running:
        listen = running.url.removeprefix("http://")
        opened = reading(browser, running)
        reader = await opened.__aenter__()
    lost = reader.page.get_by_text("No connection to the API")
    await expect(lost).to_be_visible()
    await propose(own_stage, "# Made meanwhile")
    async with own_stage.open(api={"listen": listen}):
        await expect(lost).to_be_hidden()
        await expect(reader.page.get_by_role("link", name="Made meanwhile")).to_be_visible()
        # the browser itself writes a line for each try that found nobody, or an API that was about to end
        assert [error for error in reader.errors if "net::ERR_" not in error and "503" not in error] == []
        reader.errors.clear()
        await opened.__aexit__(None, None, None)
