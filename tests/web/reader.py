"""Someone who reads the page, with a wallet or without; their browser's console must stay empty."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from dao.api.daemon import RunningApi
from tests.web.wallet import Wallet

PATIENCE = 60_000  # ms for whatever is waited for
PHONE = {"width": 360, "height": 740}

_VIEW = "document.querySelector('main > div')?.dataset.key"
_NAME = """element => element.getAttribute("aria-label")
  ?? element.labels?.[0]?.textContent ?? element.textContent"""
_CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const pixel = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([red, green, blue]) => {
    const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const behind = (element) =>
    element ? [...behind(element.parentElement), getComputedStyle(element).backgroundColor] : ["canvas"];
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !element.checkVisibility({ visibilityProperty: true }) || element.closest("canvas, .unseen, .skip")) continue;
    const style = getComputedStyle(element);
    const grounds = behind(element);
    const [one, other] = [light(pixel(grounds)), light(pixel([...grounds, style.color]))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) poor.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@dataclass
class Reader:
    """An open page. `errors` are what its console got."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)

    async def go(self, view: str = "") -> None:
        """Open another view as by a link from elsewhere; it is there once it has a heading."""
        before = await self.page.evaluate(_VIEW)
        await self.page.goto(f"{self.url}/#/{view}")
        await self.page.wait_for_function(
            f"before => document.querySelector('main h1') && {_VIEW} !== before", arg=before
        )

    async def follow(self, name: str) -> None:
        """Follow a link of the header."""
        await self.page.get_by_role("navigation").get_by_role("link", name=name).click()
        await expect(self.page.locator("main h1")).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("button", name=name, exact=True)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    async def agree(self, title: str, *words: str) -> None:
        """Read what a dialog says, and agree."""
        await expect(self.dialog.get_by_role("heading")).to_have_text(title)
        for said in words:
            await expect(self.dialog).to_contain_text(said)
        await self.dialog.locator("button.main").click()

    async def sign_in(self) -> None:
        """Connect the wallet and sign in."""
        await self.page.get_by_role("link", name="Connect").click()
        await self.button("Connect and sign in").click()
        await self.agree("Sign in", "You prove to 127.0.0.1", "costs nothing")
        await self.done("Sign in", "Signed in.")
        await expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    async def done(self, name: str, words: str = "Done, in block") -> None:
        """Wait until an action has gone through, and put its card away."""
        card = self.page.locator("#activity article", has_text=name)
        await expect(card).to_contain_text(words)
        await card.get_by_role("button", name="Close").click()

    async def delegate_to_oneself(self) -> None:
        await self.button("Keep my own votes").click()
        await self.agree("Delegate the votes of your tokens", "The tokens stay yours")
        await self.done("Delegate your tokens' votes")

    async def settled(self) -> None:
        """Wait until charts are drawn and nothing is loading."""
        await self.page.wait_for_load_state("networkidle")

    async def fits(self) -> bool:
        """Tell whether nothing has to be scrolled sideways for."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    async def tab_to(self, name: str) -> None:
        """Press Tab until what has this name has the focus, and is seen to have it."""
        for _ in range(60):
            await self.page.keyboard.press("Tab")
            focus = self.page.locator(":focus")
            if await focus.count() and await focus.evaluate(_NAME) == name:
                assert await focus.evaluate("element => element.matches(':focus-visible')")
                return
        raise AssertionError(f"{name}: cannot be reached by Tab")

    async def contrast(self) -> list[str]:
        """Texts whose contrast is below what WCAG 2.2 AA asks for."""
        found: list[str] = await self.page.evaluate(_CONTRAST)
        return found

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} {message.location.get('url', '')}")


@asynccontextmanager
async def reading(
    browser: Browser, running: RunningApi, wallet: Wallet | None = None, **options: Any
) -> AsyncIterator[Reader]:
    """Open the page for the length of a block; no error may have come to its console by then."""
    context = await browser.new_context(locale="en-GB", **options)
    try:
        context.set_default_timeout(PATIENCE)
        if wallet is not None:
            await wallet.inject(context)
        page = await context.new_page()
        reader = Reader(page, running.url)
        page.on("console", reader._hear)
        page.on("pageerror", lambda error: reader.errors.append(str(error)))
        page.on("dialog", lambda dialog: reader.errors.append(f"a script asks: {dialog.message}"))
        await reader.go()
        yield reader
        assert reader.errors == [], reader.errors
    finally:
        await context.close()
