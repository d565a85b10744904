"""Rounds and demands whose time is over are ended by members where nobody else is there, one after the other and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dao.chain.block_clock import BlockClock
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.demanding import demand_leaf, encode_leaf_place
from dao.chain.disputes import Disputes
from dao.chain.events import Aborted, Expired, Finalized, RoundOpened
from dao.core.types import Address, Phase, RoundId, RoundState, TaskId
from dao.proofs.leaf_places import parse_place
from node.round_ender import ABORT, FINALIZE, GRACE, TURN, VOID, RoundEnder, find_end
from node.turns import compute_turn
from tests.chain.bare_round import ROUND, accuser, post
from tests.support import RULES, Member, Network, count_sent, digest

GAS = 1_000_000
STATE = RoundState(  # posted at 1,000
    *(1, 900, 930, 1000, RoundId(0), 1, 1, Phase.POSTED, digest(9), digest(0), digest(7))  # type: ignore[arg-type]
)


def test_find_end__each_phase__by_the_rules_and_after_its_parent() -> None:
    opened = replace(STATE, phase=Phase.OPEN)
    assert find_end(RULES, opened, Phase.POSTED) == (ABORT, 900 + 60 + 120)
    assert find_end(RULES, replace(STATE, phase=Phase.CLOSED), Phase.POSTED) == (ABORT, 930 + 30 + 120 + 1)
    assert find_end(RULES, STATE, Phase.FINALIZED) == (FINALIZE, 1600)
    assert find_end(RULES, STATE, Phase.POSTED) is None
    assert find_end(RULES, replace(STATE, phase=Phase.FROZEN), Phase.POSTED) == (VOID, 2000)
    assert find_end(RULES, opened, Phase.VOID) == (ABORT, None)
    assert find_end(RULES, STATE, Phase.VOID) == (VOID, None)


def test_turn__of_a_thousand__twice_as_many_each_time_and_another_order_for_each_round() -> None:
    members = [Address(number.to_bytes(20, "big")) for number in range(1000)]
    turns = [compute_turn(digest(1), members, member) for member in members]
    assert [turns.count(turn) for turn in range(11)] == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 488]
    assert compute_turn(digest(1), members, Address(b"s" * 20)) <= 10
    first = {members[[compute_turn(digest(seed), members, m) for m in members].index(0)] for seed in range(5)}
    assert len(first) > 1


class Bystanders:
    """Members who are there, in the order of their turns of a round, each with its own account and clock."""

    def __init__(self, network: Network, chain: Chain, task: TaskId, members: list[Member]) -> None:
        self.network, self.chain, self.task, self.members = network, chain, task, members
        self.enders: list[RoundEnder] = []

    async def sent(self) -> list[int]:
        """How many transactions each has sent."""
        return [count_sent(self.network.anvil, member.operator.address) for member in self.members]

    async def look(self) -> None:
        await asyncio.gather(*(ender.look() for ender in self.enders))


@asynccontextmanager
async def bystanders(
    network: Network, chain: Chain, task: TaskId, members: list[Member]
) -> AsyncIterator[Bystanders]:
    opening = (await Coordinator(chain).round_of(task, ROUND, chain.head())).opening
    addresses = [member.operator.address for member in members]
    order = sorted(members, key=lambda m: compute_turn(opening, addresses, m.operator.address))
    async with AsyncExitStack() as stack:
        made = Bystanders(network, chain, task, order)
        clock = BlockClock(chain)
        for member in order:
            sender = await stack.enter_async_context(network.sender(chain, member.operator))
            made.enders.append(RoundEnder(chain, sender, clock, task, member.operator.address, GAS))
        yield made


async def skip(network: Network, chain: Chain, seconds: int) -> None:
    """Let block time pass, and have the chain's readers know of it."""
    at = chain.head().number
    network.anvil.request("evm_increaseTime", seconds)
    network.anvil.request("evm_mine")
    await chain.reach(type(at)(at + 1), limit=10)


@pytest.mark.asyncio
async def test_ender__superlink_gone_after_its_result__one_member_finalizes_it_and_after_its_grace(
    network: Network,
) -> None:
    async with network.chain() as chain:
        task, superlink, members = await network.new_round_ready(3)
        await post(network, chain, task, superlink, passes=2)
        async with bystanders(network, chain, task, members) as there:
            await skip(network, chain, RULES.challenge_period)
            await there.look()
            assert await there.sent() == [0, 0, 0]  # it is the Superlink's part
            await skip(network, chain, GRACE)
            await there.look()
            assert await there.sent() == [1, 0, 0]
            assert [one.round for one in await chain.past(Finalized, task=task)] == [ROUND]
            await skip(network, chain, 10 * TURN)
            await there.look()
            assert await there.sent() == [1, 0, 0]


@pytest.mark.asyncio
async def test_ender__the_first_is_not_there_either__the_next_does_it_in_its_turn(network: Network) -> None:
    async with network.chain() as chain:
        task, superlink, members = await network.new_round_ready(3)
        await post(network, chain, task, superlink, passes=2)
        async with bystanders(network, chain, task, members) as there:
            del there.enders[0]
            await skip(network, chain, RULES.challenge_period + GRACE)
            await there.look()
            assert await there.sent() == [0, 0, 0]
            await skip(network, chain, TURN)
            await there.look()
            assert await there.sent() == [0, 1, 0]


@pytest.mark.asyncio
async def test_ender__round_that_nobody_closes__aborted_by_a_daemon_that_runs(network: Network) -> None:
    async with network.chain() as chain, accuser(network, chain) as anyone:
        task, _, members = await network.new_round_ready(1)
        await anyone.send(Coordinator(chain).open_round(task))
        async with bystanders(network, chain, task, members) as there:
            running = asyncio.create_task(there.enders[0].run())
            await skip(network, chain, RULES.commit_period + RULES.result_period + GRACE + TURN)
            async with asyncio.timeout(30):
                while not await chain.past(Aborted, task=task):
                    await chain.changed(1)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            assert await there.sent() == [1]


@pytest.mark.asyncio
async def test_ender__void_parent__its_child_goes_at_once_after_the_grace(network: Network) -> None:
    async with network.chain() as chain, accuser(network, chain) as anyone:
        task, superlink, members = await network.new_round_ready(1)
        await post(network, chain, task, superlink)
        await anyone.send(Coordinator(chain).open_round(task))
        async with network.sender(chain, superlink.operator) as sender:
            await sender.send(Coordinator(chain).concede(task, ROUND))
        async with bystanders(network, chain, task, members) as there:
            await there.look()
            assert await there.sent() == [0]
            await skip(network, chain, GRACE + 1)
            await there.look()
            assert [one.round for one in await chain.past(Aborted, task=task)] == [2]


@pytest.mark.asyncio
async def test_ender__demand_of_one_who_is_gone__ends_it_and_the_round_is_void(network: Network) -> None:
    place = parse_place("rows:0")
    async with network.chain() as chain, accuser(network, chain) as demander:
        task, superlink, members = await network.new_round_ready(1)
        await post(network, chain, task, superlink)
        await demand_leaf(chain, demander, task, ROUND, place)
        async with bystanders(network, chain, task, members) as there:
            await skip(network, chain, RULES.challenge_period // 8)
            await there.look()
            assert await there.sent() == [0]
            await skip(network, chain, GRACE)
            await there.look()
        (ended,) = await chain.past(Expired, task=task)
        assert (ended.demander, ended.convicted) == (demander.address, True)
        assert not (
            await Disputes(chain).demand_of(task, ROUND, encode_leaf_place(place), chain.head())
        ).is_open
        assert (await Coordinator(chain).round_of(task, ROUND, chain.head())).phase is Phase.VOID


@pytest.mark.asyncio
async def test_ender__killed_once_it_was_sent__is_not_sent_again(
    own_network: Network, tmp_path: Path
) -> None:
    """The chain takes the end back while the daemon is down: it is sent again, with the same content."""
    async with own_network.chain() as chain:
        task, superlink, (member,) = await own_network.new_round_ready(1)
        await post(own_network, chain, task, superlink)
        await skip(own_network, chain, RULES.challenge_period + GRACE)
        for _ in range(2):
            async with own_network.sender(chain, member.operator, tmp_path / "outbox.db") as sender:
                clock, node = BlockClock(chain), member.operator.address
                await RoundEnder(chain, sender, clock, task, node, GAS).look()
            own_network.anvil.request("anvil_reorg", 1, [])
        async with own_network.sender(chain, member.operator, tmp_path / "outbox.db") as sender:
            await RoundEnder(chain, sender, BlockClock(chain), task, member.operator.address, GAS).look()
        assert count_sent(own_network.anvil, member.operator.address) == 1
        assert len(await chain.past(Finalized, task=task)) == 1


@pytest.mark.asyncio
async def test_ender__more_gas_than_its_owner_gives__nothing_is_sent(network: Network) -> None:
    async with network.chain() as chain:
        task, superlink, (member,) = await network.new_round_ready(1)
        await post(network, chain, task, superlink)
        await skip(network, chain, RULES.challenge_period + GRACE)
        async with network.sender(chain, member.operator) as sender:
            clock, node = BlockClock(chain), member.operator.address
            await RoundEnder(chain, sender, clock, task, node, 30_000).look()
        assert not await chain.past(Finalized, task=task)
        assert len(await chain.past(RoundOpened, task=task)) == 1


@pytest.mark.asyncio
async def test_run__told_to_end_in_the_moment_of_a_block__ends(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that loses its one cancellation goes on for ever."""

    class Clock:
        def __init__(self) -> None:
            self.block, self.awaited = asyncio.Event(), asyncio.Event()

        def now(self) -> float:
            return 0.0

        async def next_block(self) -> None:
            self.awaited.set()
            await self.block.wait()
            self.block.clear()

    async def look(_: RoundEnder) -> float:
        return 1000.0

    monkeypatch.setattr(RoundEnder, "look", look)
    async with network.chain() as chain:
        for steps in range(6):  # from the block until the daemon's work goes on
            clock: Any = Clock()
            sender: Any = None
            running = asyncio.create_task(
                RoundEnder(chain, sender, clock, TaskId(1), Address(bytes(20)), GAS).run()
            )
            await clock.awaited.wait()
            clock.block.set()
            for _ in range(steps):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait([running], timeout=5)
            assert running.cancelled(), steps
