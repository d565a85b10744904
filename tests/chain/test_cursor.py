import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dao.chain import client, cursor
from dao.chain.contract_table import list_emitters
from dao.chain.contracts import Coordinator, Registry
from dao.chain.cursor import EventCursor
from dao.chain.event_types import Event
from dao.chain.events import (
    DisputesSet,
    Funded,
    Joined,
    Registered,
    Reorg,
    RoundOpened,
    StakeAdded,
    TaskCreated,
)
from dao.core.types import BlockNumber
from dao.devnet.anvil import start_anvil
from dao.errors import Reorged
from tests.chain.stakes import Stakes, replay, stakes
from tests.support import Network, deploy_network

SECONDS = 20.0


async def take_until(events: EventCursor, found: list[Event | Reorg], is_enough: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_enough():
            found.append(await anext(events))


async def is_quiet(events: EventCursor, seconds: float = 0.15) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await anext(events)
    except TimeoutError:
        return True
    return False


async def test_cursor__events_before_and_after_it_starts__each_once_in_order(own_network: Network) -> None:
    async with stakes(own_network) as made:
        await made.add(12)
        found: list[Event | Reorg] = []
        events = made.cursor()
        await take_until(events, found, lambda: len(found) == 12)
        await made.add(5)
        await take_until(events, found, lambda: len(found) == 17)
        assert await is_quiet(events)
        assert replay(found) == list(range(1, 18))
        assert [event.block for event in found if isinstance(event, StakeAdded)] == sorted(
            event.block for event in found if isinstance(event, StakeAdded)
        )
        block = await made.chain.block(found[0].block) if isinstance(found[0], StakeAdded) else None
        assert block is not None
        assert (block.hash, block.timestamp) == (found[0].block_hash, found[0].timestamp)  # type: ignore[union-attr]


async def test_cursor__restarted_at_its_position__goes_on(own_network: Network) -> None:
    async with stakes(own_network) as made:
        await made.add(3)
        first, found = made.cursor(), list[Event | Reorg]()
        await take_until(first, found, lambda: len(found) == 3)
        assert await is_quiet(first)
        await made.add(2)
        again, later = made.cursor(begin=first.next_block), list[Event | Reorg]()
        await take_until(again, later, lambda: len(later) == 2)
        assert replay(found + later) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("depth", range(1, 7))
async def test_cursor__reorg_at_the_head__takes_back_what_vanished(own_network: Network, depth: int) -> None:
    anvil = own_network.anvil
    async with stakes(own_network) as made:
        found: list[Event | Reorg] = []
        events = made.cursor()
        await made.add(8)
        await take_until(events, found, lambda: len(found) == 8)
        head = made.chain.head()
        anvil.request("anvil_reorg", depth, [])
        await take_until(events, found, lambda: isinstance(found[-1], Reorg))
        assert Reorg(BlockNumber(head.number - depth)) in found
        # the sender puts back what vanished, each with its own amount
        await take_until(events, found, lambda: replay(found) == list(range(1, 9)))
        assert await made.total() == sum(range(1, 9))
        assert await is_quiet(events)


@pytest.mark.parametrize("depth", [1, 3, 6])
async def test_cursor__reorg_shallower_than_the_confirmations__says_nothing_of_it(
    own_network: Network, depth: int
) -> None:
    anvil = own_network.anvil
    async with stakes(own_network) as made, own_network.chain(confirmations=6) as careful:
        events, found = made.cursor(careful), list[Event | Reorg]()
        await made.add(4)
        assert await is_quiet(events)
        anvil.request("anvil_mine", hex(7))
        await take_until(events, found, lambda: len(found) == 4)
        for block in found:
            assert isinstance(block, StakeAdded)
            assert block.block <= careful.final().number <= careful.head().number - 6
        anvil.request("anvil_reorg", depth, [])
        assert await is_quiet(events)
        await made.add()
        anvil.request("anvil_mine", hex(7))
        await take_until(events, found, lambda: len(found) == 5)
        assert replay(found) == [1, 2, 3, 4, 5]
        assert not any(isinstance(event, Reorg) for event in found)


async def test_cursor__reorg_deeper_than_the_confirmations__says_so(own_network: Network) -> None:
    async with stakes(own_network) as made, own_network.chain(confirmations=2) as careful:
        events, found = made.cursor(careful), list[Event | Reorg]()
        await made.add(5)
        await take_until(events, found, lambda: len(found) == 3)
        own_network.anvil.request("anvil_reorg", 5, [])
        await take_until(events, found, lambda: any(isinstance(event, Reorg) for event in found))


async def test_cursor__chain_rewound__tells_once_another_block_is_mined(own_network: Network) -> None:
    anvil = own_network.anvil
    async with stakes(own_network) as made:
        await made.add(2)
        snapshot = anvil.request("evm_snapshot")
        head = made.chain.head()
        events, found = made.cursor(), list[Event | Reorg]()
        await made.add(2)
        await take_until(events, found, lambda: len(found) == 4)
        anvil.request("evm_revert", snapshot)
        assert await is_quiet(events)  # a node that is merely behind looks the same
        assert made.chain.head().number == head.number + 2
        anvil.request("evm_mine")
        await take_until(events, found, lambda: isinstance(found[-1], Reorg))
        assert found[-1] == Reorg(head.number)
        await take_until(events, found, lambda: replay(found) == [1, 2, 3, 4])


async def test_cursor__far_behind__catches_up_in_bounded_ranges(
    own_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursor, "_RANGE", 40)
    monkeypatch.setattr(client, "_SPAN", 15)
    async with stakes(own_network) as made:
        await made.add(2)
        own_network.anvil.request("anvil_mine", hex(300))
        await made.add(3)
        spans: list[int] = []
        request = made.chain.request

        async def watched(method: str, *params: object, patience: float | None = None) -> object:
            if method == "eth_getLogs" and "fromBlock" in params[0]:  # type: ignore[operator]
                where: dict[str, str] = params[0]  # type: ignore[assignment]
                spans.append(int(where["toBlock"], 16) - int(where["fromBlock"], 16) + 1)
            return await request(method, *params, patience=patience)

        monkeypatch.setattr(made.chain, "request", watched)
        events, found = made.cursor(), list[Event | Reorg]()
        await take_until(events, found, lambda: len(found) == 5)
        assert replay(found) == [1, 2, 3, 4, 5]
        assert len(spans) > 20
        assert max(spans) == 15


async def test_cursor__connection_lost_for_a_while__nothing_missed_nothing_twice(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    anvil = start_anvil(tmp_path / "anvil", state=state)
    try:
        network = await asyncio.to_thread(deploy_network, anvil, tmp_path / "network")
        async with stakes(network) as made:
            events, found = made.cursor(), list[Event | Reorg]()
            await made.add(3)
            await take_until(events, found, lambda: len(found) == 3)
            await asyncio.to_thread(anvil.stop)
            anvil = await asyncio.to_thread(start_anvil, tmp_path / "anvil", anvil.port, state=state)
            again = replace(network, anvil=anvil)
            async with again.chain() as chain, again.sender(chain, made.sender._account._signer) as sender:
                other = Stakes(chain, sender, made.operator, made.begin, made.count)
                await other.add(3)
            await take_until(events, found, lambda: len(found) == 6)
            made.count = other.count
            await made.add(2)
            await take_until(events, found, lambda: len(found) == 8)
            assert await is_quiet(events)
            assert replay(found) == list(range(1, 9))
    finally:
        anvil.stop()


async def test_cursor__kinds_and_task__only_those(network: Network) -> None:
    task, _, members = await network.new_round_ready()
    other, _, _ = await network.new_round_ready()
    async with network.chain() as chain:
        joined = EventCursor(chain, network.deployment.block, (Joined, Funded), task)
        found: list[Event | Reorg] = []
        await take_until(joined, found, lambda: len(found) == 2)
        assert [type(event) for event in found] == [Funded, Joined]
        assert isinstance(found[1], Joined)
        assert (found[1].task, found[1].operator) == (task, members[0].operator.address)
        assert await is_quiet(joined)
        (coordinator,) = list_emitters((TaskCreated,))
        kinds = (*(kind for kind in coordinator.events if kind is not DisputesSet), Registered, Funded)
        mixed, seen = EventCursor(chain, network.deployment.block, kinds, other), list[Event | Reorg]()
        await take_until(mixed, seen, lambda: len(seen) >= 7)
        assert {type(event) for event in seen} == {TaskCreated, Funded, Joined, Registered}
        assert {event.task for event in seen if isinstance(event, (TaskCreated, Funded, Joined))} == {other}


async def test_past__kind_task_and_range__exactly_those(network: Network) -> None:
    task, superlink, _ = await network.new_round_ready()
    async with network.chain() as chain, network.sender(chain, superlink.operator) as sender:
        receipt = await sender.send(Coordinator(chain).open_round(task))
        (opened,) = await chain.past(RoundOpened, task=task)
        assert receipt.events == (opened,)
        assert (opened.task, opened.round, opened.parent, opened.eligible) == (task, 1, 0, 1)
        assert await chain.past(RoundOpened, task=task, round=opened.round) == [opened]
        assert await chain.past(RoundOpened, task=task, to_block=BlockNumber(receipt.block - 1)) == []
        assert await chain.past(RoundOpened, task=task, from_block=BlockNumber(receipt.block + 1)) == []
        created = await chain.past(TaskCreated)
        assert [event.task for event in created] == list(range(1, task + 1))


async def test_read__named_block__state_of_that_block(network: Network) -> None:
    async with stakes(network) as made:
        before = made.chain.head()
        receipt = await made.add()
        registry = Registry(made.chain)
        assert await registry.stake_of(made.operator, before) == 10**18
        assert await registry.stake_of(made.operator, before.number) == 10**18
        assert await registry.stake_of(made.operator, receipt.block) == 10**18 + 1


async def test_read__block_that_vanished__reorged(own_network: Network) -> None:
    async with stakes(own_network) as made:
        await made.add(3)
        gone = made.chain.head()
        own_network.anvil.request("anvil_reorg", 2, [])
        await made.chain.changed(SECONDS)
        with pytest.raises(Reorged, match=f"block {gone.number}"):
            await Registry(made.chain).stake_of(made.operator, gone)


async def test_cursor__read_while_the_chain_moves__consistent(own_network: Network) -> None:
    """Reorgs while a reader is busy: what stands at the end is what the contract has."""
    async with stakes(own_network) as made, own_network.chain() as reader:
        events, found = made.cursor(reader), list[Event | Reorg]()
        for depth in (1, 2, 1, 3, 2):
            await made.add(3)
            await asyncio.to_thread(own_network.anvil.request, "anvil_reorg", depth, [])
        await made.add(1)
        await take_until(events, found, lambda: replay(found) == list(range(1, 17)))
        assert await made.total() == sum(range(1, 17))
