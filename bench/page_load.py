"""Measures the page in a real browser: its size, how soon it can be used, how soon it shows what the chain says."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.async_api import Browser, Page
from prometheus_client.parser import text_string_to_metric_families

from bench.busy import run_busy
from bench.chromium import browser
from dao.api.daemon import RunningApi, open_api
from dao.api.http.static_files import Asset, load
from dao.api.settings import ApiSettings, init
from dao.chain.client import Chain
from dao.chain.contracts import Call, Token
from dao.chain.deploy import TOKEN, Params, deploy, grant
from dao.chain.governance import Actions, Governor, Support
from dao.chain.handover import hand_over
from dao.chain.sender import Sender
from dao.core.types import Wei, hex_of
from dao.devnet.anvil import Anvil, dev_signer, running_anvil
from dao.gov.actions import compute_proposal_id

VOTERS = range(1, 10)  # accounts of the chain, which have ether
_LOADS = 5
_LIMIT = 60.0  # seconds
_PARAMS = Params(voting_delay=10, voting_period=86_400)


async def measure(busy: int) -> dict[str, Any]:
    """Open the page some times, then vote, beside `busy` processes; ConfigError without Chromium or a chain."""
    assets = load()
    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as name:
        folder = Path(name)
        with running_anvil(folder / "anvil") as anvil, run_busy(busy):
            async with _network(anvil, folder) as (chain, running), browser() as chromium:
                proposal = await _propose(anvil, chain)
                opened = []
                for _ in range(_LOADS):
                    context = await chromium.new_context()
                    page = await context.new_page()
                    began = time.perf_counter()
                    await page.goto(running.url)
                    await page.get_by_role("link", name="To be seen").wait_for()
                    opened.append(time.perf_counter() - began)
                    await context.close()
                requests = await count_requests(chromium, running, "To be seen")
                page = await chromium.new_page(locale="en-GB")
                await page.goto(f"{running.url}/#/proposals/{proposal}")
                await page.get_by_text("Nobody has voted yet").wait_for()
                shown = [await _vote(anvil, chain, page, proposal, voter) for voter in VOTERS]
    return {
        "busy": busy,
        "kilobytes_compressed": round(measure_page(assets) / 1000, 1),
        "requests_at_first": requests[0],
        "requests_again": requests[1],
        "usable_ms": [round(1000 * seconds) for seconds in opened],
        "usable_median_ms": round(1000 * median(opened)),
        "event_to_page_ms": [round(1000 * seconds) for seconds in shown],
        "event_to_page_worst_ms": round(1000 * max(shown)),
    }


def measure_page(assets: Mapping[str, Asset]) -> int:
    """Measure all that a page may load of its own files, compressed, in bytes."""
    loaded = ("/", "/icon.svg", "/vendor/uplot/uPlot.esm.js", "/vendor/uplot/uPlot.min.css")
    joined = [name for name in assets if name.endswith(("/app.js", "/app.css"))]
    return sum(len(assets[name].packed or assets[name].plain) for name in (*loaded, *joined))


async def count_requests(chromium: Browser, running: RunningApi, ready: str) -> tuple[int, int]:
    """Count the requests that reach the API at a first visit and at a second one, until a text is shown and nothing loads."""
    context = await chromium.new_context()
    counts = []
    for _ in range(2):
        before = _sum_requests(running)
        page = await context.new_page()
        await page.goto(running.url)
        await page.get_by_text(ready).first.wait_for()
        await page.wait_for_load_state("networkidle")
        counts.append(_sum_requests(running) - before)
        await page.close()
    await context.close()
    return counts[0], counts[1]


def _sum_requests(running: RunningApi) -> int:
    families = text_string_to_metric_families(running.deps.metrics.dump().decode())
    found = next(family for family in families if family.name == "commonweight_http_requests")
    return int(sum(sample.value for sample in found.samples if sample.name.endswith("_total")))


@asynccontextmanager
async def _network(anvil: Anvil, folder: Path) -> AsyncIterator[tuple[Chain, RunningApi]]:
    """A governed network whose voters have tokens, and its API."""
    made = await deploy(anvil.ws, dev_signer(0), _PARAMS, folder / "deploy.db")
    made.save(folder / "deployment.json")
    async with await Chain.connect(anvil.ws, made) as chain:
        async with Sender(chain, dev_signer(0), folder / "dao.db") as dao:
            await grant(chain, dao, {dev_signer(voter).address: Wei(1000 * TOKEN) for voter in VOTERS})
            await hand_over(chain, dao)
        init(folder / "api", anvil.ws, folder / "deployment.json", "127.0.0.1:0", work=4096)
        async with open_api(ApiSettings.load(folder / "api")) as running:
            async with asyncio.timeout(_LIMIT):
                await running.ready()
            yield chain, running


async def _propose(anvil: Anvil, chain: Chain) -> int:
    """A proposal that is open for the votes of all voters."""
    for voter in VOTERS:
        await _mined(anvil, await _send(anvil, voter, Token(chain).delegate(dev_signer(voter).address)))
    anvil.request("evm_increaseTime", 1)
    actions = Actions.of([Token(chain).transfer(dev_signer(0).address, Wei(TOKEN))])
    text = "# To be seen"
    await _mined(anvil, await _send(anvil, VOTERS[0], Governor(chain).propose(actions, text)))
    anvil.request("evm_increaseTime", _PARAMS.voting_delay + 1)
    anvil.request("evm_mine")
    return compute_proposal_id(actions, text)


async def _vote(anvil: Anvil, chain: Chain, page: Page, proposal: int, voter: int) -> float:
    """Seconds from a vote's transaction until the page shows the vote."""
    reason = f"by voter {voter}"
    began = time.perf_counter()
    await _send(anvil, voter, Governor(chain).vote(proposal, Support.FOR, reason))
    await page.get_by_text(reason).wait_for()
    return time.perf_counter() - began


async def _send(anvil: Anvil, voter: int, call: Call) -> str:
    """Send a transaction; returns its hash."""
    transaction = {
        "from": hex_of(dev_signer(voter).address),
        "to": hex_of(call.to or b""),
        "data": hex_of(call.data),
    }
    found: str = await asyncio.to_thread(anvil.request, "eth_sendTransaction", transaction)
    return found


async def _mined(anvil: Anvil, tx_hash: str) -> None:
    """Wait until a block has a transaction: Anvil mines it a moment later."""
    async with asyncio.timeout(_LIMIT):
        while anvil.request("eth_getTransactionReceipt", tx_hash) is None:  # noqa: ASYNC110  (nothing tells)
            await asyncio.sleep(0.01)
