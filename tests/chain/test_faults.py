import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dao.chain.account import ESTIMATE, SenderAccount
from dao.chain.client import Chain
from dao.chain.contracts import Registry, Token
from dao.chain.event_types import Event
from dao.chain.events import Reorg
from dao.chain.signer import Signer
from dao.core.types import BlockNumber, Timestamp, Wei
from dao.devnet.anvil import start_anvil
from dao.errors import ConfigError, Reverted, RpcError
from tests.chain.proxy import Proxy
from tests.chain.stakes import Stakes, replay, stakes
from tests.support import Network, count_sent

SECONDS = 30.0
LIMIT = 0.4  # seconds of one attempt


@pytest.fixture
async def proxy(network: Network) -> AsyncIterator[Proxy]:
    async with Proxy(network.anvil).running() as running:
        yield running


@pytest.fixture(params=["ws", "http"])
def url(request: pytest.FixtureRequest, proxy: Proxy) -> str:
    return proxy.ws if request.param == "ws" else proxy.http


async def connected(network: Network, url: str, patience: float = 10.0) -> Chain:
    return await Chain.connect(url, network.deployment, limit=LIMIT, patience=patience, poll=0.05)


async def follow(made: Stakes, chain: Chain, numbers: list[int], found: list[Event | Reorg]) -> None:
    """Read events until these stand."""
    events = made.cursor(chain)
    async with asyncio.timeout(SECONDS):
        while replay(found) != numbers:
            found.append(await anext(events))


async def test_connect__another_chain_id__refused(network: Network, proxy: Proxy, url: str) -> None:
    proxy.chain_id = 1
    with pytest.raises(RpcError, match="answers for chain 1, expected 31337"):
        await connected(network, url)


async def test_connect__no_contracts__refused(network: Network, proxy: Proxy, url: str) -> None:
    proxy.height = None
    elsewhere = network.deployment.__class__(31337, BlockNumber(0), *(bytes([i]) * 20 for i in range(1, 11)))  # type: ignore[arg-type]
    with pytest.raises(RpcError, match="no contract at 0x0303"):
        await Chain.connect(url, elsewhere)


@pytest.mark.parametrize("name", ["token", "registry", "distributor"])
async def test_connect__another_contract_than_the_coordinator_works_with__named(
    network: Network, url: str, name: str
) -> None:
    changes: dict[str, Any] = {name: network.deployment.timelock}
    wrong = replace(network.deployment, **changes)
    said, true = (getattr(deployment, name).hex() for deployment in (wrong, network.deployment))
    with pytest.raises(
        ConfigError, match=f"deployment.{name}: 0x{said}, but the coordinator works with 0x{true}"
    ):
        await Chain.connect(url, wrong)


async def test_connect__nothing_there__refused_at_once(network: Network) -> None:
    for address in ("ws://127.0.0.1:1", "ws://localhost:1", "http://127.0.0.1:1"):
        with pytest.raises(
            RpcError, match=f"^{address}: nothing answers at this address; is the chain's node"
        ):
            await Chain.connect(address, network.deployment)
    with pytest.raises(ConfigError, match="expected an address with ws://"):
        await Chain.connect("ftp://127.0.0.1", network.deployment)


async def test_node__hangs_for_a_while__read_answered_afterwards(
    network: Network, proxy: Proxy, url: str
) -> None:
    async with stakes(network) as made, await connected(network, url) as chain:
        proxy.hangs = True
        reading = asyncio.create_task(Registry(chain).minimum_stake(chain.head().number))
        await asyncio.sleep(3 * LIMIT)
        assert not reading.done()
        proxy.hangs = False
        assert await asyncio.wait_for(reading, SECONDS) == 10**18
        found: list[Event | Reorg] = []
        await made.add(2)
        await follow(made, chain, [1, 2], found)


async def test_node__hangs_for_good__error_when_patience_ends(
    network: Network, proxy: Proxy, url: str
) -> None:
    async with await connected(network, url, patience=1.0) as chain:
        proxy.hangs = True
        started = asyncio.get_running_loop().time()
        with pytest.raises(RpcError):
            await chain.request("eth_blockNumber")
        assert asyncio.get_running_loop().time() - started < 5
        proxy.hangs = False


async def test_node__throttles__retried_with_pauses(network: Network, proxy: Proxy, url: str) -> None:
    async with await connected(network, url) as chain:
        proxy.throttled = 4
        before = proxy.asked["eth_getBalance"]
        assert int(await chain.request("eth_getBalance", "0x" + "00" * 20, "latest"), 16) >= 0
        assert proxy.throttled == 0
        assert proxy.asked["eth_getBalance"] - before <= 5


@pytest.mark.parametrize("rubbish", ["[" * 500_000, '{"id": ' * 500_000, "", "[1]", "no JSON"])
async def test_node__answers_rubbish__asked_again(
    network: Network, proxy: Proxy, url: str, rubbish: str
) -> None:
    async with await connected(network, url) as chain:
        proxy.rubbish = [rubbish]
        assert await chain.request("eth_chainId") == hex(31337)
        assert not proxy.rubbish


async def test_node__throttles_while_sending__sent_once(network: Network, proxy: Proxy, url: str) -> None:
    signer = Signer.ephemeral()
    async with await connected(network, url) as chain, network.sender(chain, signer) as sender:
        for number in range(1, 4):
            proxy.throttled = 2
            await sender.send(Token(chain).approve(network.deployment.token, Wei(number)), limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 3


async def test_node__loses_the_answer_to_a_broadcast__sent_once(
    network: Network, proxy: Proxy, url: str
) -> None:
    """It was done, and nobody said so: the same bytes are sent again, which changes nothing."""
    signer = Signer.ephemeral()
    async with await connected(network, url) as chain, network.sender(chain, signer) as sender:
        for number in range(1, 3):
            proxy.lost["eth_sendRawTransaction"] = 1
            await sender.send(Token(chain).approve(network.deployment.token, Wei(number)), limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 2


async def test_node__becomes_another_chain__nothing_read_or_written_until_it_is_ours(
    network: Network, proxy: Proxy, url: str
) -> None:
    signer = Signer.ephemeral()
    async with await connected(network, url, patience=1.0) as chain, network.sender(chain, signer) as sender:
        call = Token(chain).approve(network.deployment.token, Wei(1))
        proxy.chain_id = 5
        await proxy.drop()
        await asyncio.sleep(0.3)
        asked = proxy.asked.copy()
        with pytest.raises(RpcError, match="answers for chain 5, expected 31337"):
            await Registry(chain).minimum_stake(chain.head().number)
        with pytest.raises(RpcError):
            await sender.send(call, "key", limit=2)
        assert set((proxy.asked - asked).keys()) <= {"eth_chainId"}
        proxy.chain_id = None
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    await sender.send(call, "key")
                    break
                except RpcError:
                    await asyncio.sleep(0.1)
    assert count_sent(network.anvil, signer.address) == 1


async def test_node__stale__never_back_and_nothing_missed(network: Network, proxy: Proxy, url: str) -> None:
    async with stakes(network) as made, await connected(network, url) as chain:
        await made.add(3)
        found: list[Event | Reorg] = []
        await follow(made, chain, [1, 2, 3], found)
        top = chain.head().number
        seen = [top]
        proxy.height = top - 3
        await made.add(2)
        for _ in range(6):
            header = network.anvil.request("eth_getBlockByNumber", hex(top - 3), False)
            await proxy.push(header)
            chain.hurry()
            await asyncio.sleep(0.05)
            seen.append(chain.head().number)
        assert seen == sorted(seen)
        assert chain.reorgs == 0
        proxy.height = None
        chain.hurry()
        await made.add(1)
        events = made.cursor(chain)
        found = []
        async with asyncio.timeout(SECONDS):
            while replay(found) != [1, 2, 3, 4, 5, 6]:
                found.append(await anext(events))
        assert not any(isinstance(event, Reorg) for event in found)


async def test_connection__dropped_again_and_again__nothing_missed_nothing_twice(
    network: Network, proxy: Proxy
) -> None:
    async with stakes(network) as made, await connected(network, proxy.ws) as chain:
        found: list[Event | Reorg] = []
        following = asyncio.create_task(follow(made, chain, list(range(1, 31)), found))
        for number in itertools.count(1):
            await made.add(1)
            if number % 4 == 0:
                await proxy.drop()
            if number == 30:
                break
        await asyncio.wait_for(following, SECONDS)
        assert len(found) == 30


async def test_sending__connection_dropped__goes_on(network: Network, proxy: Proxy) -> None:
    signer = Signer.ephemeral()
    async with await connected(network, proxy.ws) as chain, network.sender(chain, signer) as sender:
        for number in range(1, 9):
            sending = asyncio.create_task(
                sender.send(Token(chain).approve(network.deployment.token, Wei(number)), limit=SECONDS)
            )
            await asyncio.sleep(0.002 * number)
            await proxy.drop()
            await sending
    assert count_sent(network.anvil, signer.address) == 8


async def test_reach__block_time_not_the_wall_clock__waits_for_the_chain(network: Network) -> None:
    """An hour passes on the chain in no time, and none passes there while we wait."""
    async with network.chain() as chain:
        hour = Timestamp(chain.head().timestamp + 3600)
        with pytest.raises(RpcError, match=f"expected block time {hour}"):
            await chain.reach(timestamp=hour, limit=0.2)
        waiting = asyncio.create_task(chain.reach(timestamp=hour, limit=SECONDS))
        await asyncio.sleep(0)
        network.anvil.request("evm_setNextBlockTimestamp", hour)
        network.anvil.request("evm_mine")
        assert (await waiting).timestamp == hour


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_node__killed_and_started_again__one_line_at_once_and_one_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.startswith("dao.")]

    async def say(count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(lines()) < count:  # noqa: ASYNC110  (of a log)
                await asyncio.sleep(0.01)

    anvil = await asyncio.to_thread(start_anvil, tmp_path)
    url = anvil.ws if scheme == "ws" else anvil.http
    try:
        async with await Chain.connect(url, limit=LIMIT, patience=SECONDS, poll=0.05):
            await asyncio.to_thread(anvil.kill)
            started = asyncio.get_running_loop().time()
            await say(1)
            assert asyncio.get_running_loop().time() - started < 3
            await asyncio.sleep(0.5)  # many more attempts
            anvil = await asyncio.to_thread(start_anvil, tmp_path, port=anvil.port)
            await say(2)
    finally:
        await asyncio.to_thread(anvil.kill)
    lost, back = lines()
    assert lost.startswith(f"the chain is lost, and asked for until it is back: {url}: ")
    assert back.startswith(f"{url}: the chain is back after ")


@pytest.mark.parametrize("has_newer", [True, False], ids=["newer-block", "no-newer-block"])
async def test_estimate__refused_at_a_block__asked_again_at_a_newer_one(
    network: Network, proxy: Proxy, has_newer: bool
) -> None:
    """As Anvil refuses a call while it mines: at the block before, with the new state."""
    signer = Signer.ephemeral()
    chain = await connected(network, proxy.ws)
    try:
        call = Token(chain).approve(signer.address, Wei(1))
        proxy.instead[ESTIMATE] = [{"code": 3, "message": "execution reverted", "data": "0x2520601d"}]
        if has_newer:
            network.anvil.request("evm_mine")  # its head is not read before this task waits
        estimating = SenderAccount(chain, signer, Wei(10**12)).estimate_gas(call)
        if has_newer:
            assert await estimating > 21_000
        else:
            with pytest.raises(Reverted, match="CheckpointUnorderedInsertion"):
                await estimating
    finally:
        await chain.close()
    assert proxy.asked[ESTIMATE] == 1 + has_newer
