"""Each view of a network that has trained: what it says, on a phone and by keyboard, and that scripts stay text."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from dao.api.siwe import checksummed
from dao.chain.contracts import Token
from dao.chain.deploy import TOKEN
from dao.chain.governance import Actions, Governor, Support
from dao.core.types import Address, Wei
from dao.devnet import Anvil
from dao.gov.actions import proposal_id
from tests.api.stage import PARAMS, Stage, govern
from tests.support import deploy_network
from tests.web.reader import PHONE, reading
from tests.web.training import SCRIPT, Trained, later, train
from tests.web.wallet import Wallet

TO = Address(bytes([7] * 20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="module")
def trained(anvil: Anvil, folder: Path) -> tuple[Stage, Trained, int]:
    """A governed network that has trained, and a proposal that is open for votes; all texts have scripts in them."""
    network = deploy_network(anvil, folder / "network", PARAMS)
    task = asyncio.run(train(network, folder / "store"))
    stage = govern(network, folder)
    return stage, task, asyncio.run(_decide(stage))


async def _decide(stage: Stage) -> int:
    one, two = stage.members[:2]
    network = stage.network
    text = f"# A title {SCRIPT}\n\nA text {SCRIPT}"
    async with (
        network.chain() as chain,
        network.sender(chain, one) as sender,
        network.sender(chain, two) as other,
    ):
        for each, signer in ((sender, one), (other, two)):
            await each.send(Token(chain).delegate(signer.address))
        await later(network, chain, 1)
        actions = Actions.of([Token(chain).transfer(TO, Wei(TOKEN))])
        await sender.send(Governor(chain).propose(actions, text))
        await later(network, chain, PARAMS.voting_delay + 1)
        number = proposal_id(actions, text)
        await sender.send(Governor(chain).vote(number, Support.AGAINST, f"A reason {SCRIPT}"))
    return number


async def test_views__a_network_that_has_trained__say_what_happened_with_units_and_run_no_script(
    trained: tuple[Stage, Trained, int], folder: Path, browser: Browser
) -> None:
    stage, made, number = trained
    node = checksummed(made.members[0].operator.address)
    async with (
        stage.open(content={"stores": [str(folder / "store")]}) as running,
        reading(browser, running) as reader,
    ):
        main = reader.page.get_by_role("main")
        await expect(main).to_contain_text("Supernodes train and commit")
        await expect(main).to_contain_text("2 Supernodes may commit")
        await expect(main.get_by_role("row", name="Task 1")).to_contain_text("10 CWT")
        await expect(main.get_by_role("link", name=f"A title {SCRIPT}")).to_be_visible()
        await reader.go(f"tasks/{made.task}")
        await expect(main.get_by_role("img", name="Loss on validation data")).to_be_visible()
        await expect(main.locator("canvas")).to_have_count(2)
        row = main.get_by_role("row", name="you earned your part of the budget")
        for said in ("+0.009 loss", "10 CWT", "30 CWT", SCRIPT):
            await expect(row).to_contain_text(said)
        await row.get_by_role("link").click()
        await expect(main.get_by_role("heading", level=1)).to_contain_text(node[:8])
        await expect(main.locator(".rows tbody tr")).to_have_count(3)
        await expect(main).to_contain_text("20 CWT")
        await reader.go(f"proposals/{number}")
        for said in (f"A title {SCRIPT}", f"A text {SCRIPT}", f"A reason {SCRIPT}"):
            await expect(main).to_contain_text(said)
        await expect(main).to_contain_text("Pay 1 token of the treasury")
        assert await reader.page.evaluate("window.ran") is None
        assert await reader.page.locator("main img, main script").count() == 0
        await reader.page.goto(f"{running.url}/#/nowhere")
        await expect(main).to_contain_text("There is nothing at #/nowhere")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_views__on_a_phone__fit_its_width(
    trained: tuple[Stage, Trained, int], folder: Path, browser: Browser, scheme: str
) -> None:
    stage, made, number = trained
    wallet = Wallet(stage.members[0], stage.network.anvil)
    async with (
        stage.open(content={"stores": [str(folder / "store")]}) as running,
        reading(browser, running, wallet, viewport=PHONE, color_scheme=scheme, has_touch=True) as reader,
    ):
        await reader.sign_in()
        node = checksummed(made.members[0].operator.address)
        for view in (
            "",
            f"tasks/{made.task}",
            f"supernodes/{node}",
            "proposals",
            f"proposals/{number}",
            "propose",
            "me",
        ):
            await reader.go(view)
            await reader.settled()
            assert await reader.fits(), view
            assert await reader.contrast() == []


async def test_keyboard__alone__signs_in_and_votes_with_a_reason(
    trained: tuple[Stage, Trained, int], folder: Path, browser: Browser
) -> None:
    stage, _, number = trained
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
