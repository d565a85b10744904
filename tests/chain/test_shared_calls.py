"""What several parts of a daemon read at one block is asked of the chain's node once."""

import asyncio
from dataclasses import replace

import pytest

from dao.chain.client import Chain
from dao.chain.contracts import Registry
from dao.chain.shared_calls import MOST, Answer, SharedCalls
from dao.core.types import Address, Digest
from dao.errors import Reorged, RpcError
from tests.chain.proxy import Proxy
from tests.support import Network

NODE = Address(bytes(19) + b"\1")


class Asked:
    """A question that is answered once it may be, and counts how often it was asked."""

    def __init__(self) -> None:
        self.times, self.may = 0, asyncio.Event()
        self.error: Exception | None = None

    async def ask(self) -> Answer:
        self.times += 1
        await self.may.wait()
        if self.error is not None:
            raise self.error
        return (self.times,)


async def test_get__two_ask_and_one_goes__the_other_has_the_one_answer() -> None:
    shared, asked = SharedCalls(), Asked()
    first, second = (asyncio.create_task(shared.get("key", asked.ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    asked.may.set()
    assert (await second, await shared.get("key", asked.ask)) == ((1,), (1,))
    assert first.cancelled()


async def test_get__failed__asked_anew() -> None:
    shared, asked = SharedCalls(), Asked()
    asked.may.set()
    asked.error = RpcError("away")
    with pytest.raises(RpcError, match="away"):
        await shared.get("key", asked.ask)
    asked.error = None
    assert await shared.get("key", asked.ask) == (2,)


async def test_get__more_than_are_kept__the_oldest_is_asked_anew() -> None:
    shared, asked = SharedCalls(), Asked()
    asked.may.set()
    for number in range(MOST + 1):
        await shared.get(number, asked.ask)
    await shared.get(MOST, asked.ask)
    assert asked.times == MOST + 1
    await shared.get(0, asked.ask)
    assert asked.times == MOST + 2


async def test_join__two_ask_at_once__one_answer_and_later_anew() -> None:
    shared, asked = SharedCalls(), Asked()
    first, second = (asyncio.create_task(shared.join("key", asked.ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    asked.may.set()
    assert (await second, await shared.join("key", asked.ask)) == ((1,), (2,))
    assert first.cancelled()


async def test_join__failed_and_nobody_waits__asked_anew() -> None:
    shared, asked = SharedCalls(), Asked()
    asked.error = RpcError("away")
    asking = asyncio.create_task(shared.join("key", asked.ask))
    await asyncio.sleep(0)
    asking.cancel()
    asked.may.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(RpcError, match="away"):
        await shared.join("key", asked.ask)
    asked.error = None
    assert await shared.join("key", asked.ask) == (asked.times,)


async def test_call__at_a_block__asked_once_and_at_the_next_anew(network: Network) -> None:
    async with (
        Proxy(network.anvil).running() as proxy,
        await Chain.connect(proxy.ws, network.deployment) as chain,
    ):
        registry, block = Registry(chain), chain.head()
        before = proxy.asked["eth_call"]
        assert len({*await asyncio.gather(*(registry.stake_of(NODE, block) for _ in range(5)))}) == 1
        assert proxy.asked["eth_call"] == before + 1
        network.anvil.request("evm_mine")
        async with asyncio.timeout(20):
            while chain.head() == block:
                await chain.changed(20)
        await registry.stake_of(NODE, chain.head())
        assert proxy.asked["eth_call"] == before + 2
        with pytest.raises(Reorged):  # another block of the same number
            await registry.stake_of(NODE, replace(block, hash=Digest(bytes(32))))
