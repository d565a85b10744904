"""What the chain records of a round is read from its own blocks, however many came since."""

from collections.abc import AsyncIterator

import pytest

from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.core.types import Phase, RoundId, Timestamp
from tests.chain.proxy import Proxy
from tests.chain.test_faults import connected
from tests.support import RULES, Network


@pytest.fixture
async def proxy(own_network: Network) -> AsyncIterator[Proxy]:
    async with Proxy(own_network.anvil).running() as running:
        yield running


async def test_events_of__a_round_of_long_ago__by_one_request_for_logs(
    own_network: Network, proxy: Proxy
) -> None:
    anvil, round_id = own_network.anvil, RoundId(1)
    task, _, (member,) = await own_network.new_round_ready()
    async with own_network.chain() as chain, own_network.sender(chain, member.owner) as sender:
        coordinator = Coordinator(chain)
        opened = await sender.send(coordinator.open_round(task))
        late = Timestamp(chain.head().timestamp + RULES.commit_period + RULES.result_period + 1)
        anvil.request("anvil_setNextBlockTimestamp", late)
        anvil.request("evm_mine")
        await chain.reach(timestamp=late, limit=30)
        await sender.send(coordinator.abort(task, round_id))
    anvil.request("anvil_mine", hex(1_500))
    async with await connected(own_network, proxy.ws) as chain:
        state = await Coordinator(chain).round_of(task, round_id, chain.final())
        assert state.phase is Phase.ABORTED
        proxy.asked.clear()
        events = await RoundReader(chain, task).events_of(round_id, chain.final())
        assert (events.opened.block, events.closed, events.posted) == (opened.block, None, None)
        assert proxy.asked["eth_getLogs"] == 1
        assert proxy.asked.total() < 8


async def test_read_undecided__rounds_one_after_the_other__the_one_that_has_not_ended(
    own_network: Network,
) -> None:
    anvil = own_network.anvil
    task, _, (member,) = await own_network.new_round_ready()
    async with own_network.chain() as chain, own_network.sender(chain, member.owner) as sender:
        coordinator, reader = Coordinator(chain), RoundReader(chain, task)
        assert await reader.read_undecided(chain.final()) == {}
        for round_id in (RoundId(1), RoundId(2)):
            opened = await sender.send(coordinator.open_round(task))
            at = await chain.reach(opened.block, limit=30)
            state = await coordinator.round_of(task, round_id, at)
            assert state.phase is Phase.OPEN
            assert await reader.read_undecided(at) == {round_id: state}
            late = Timestamp(chain.head().timestamp + RULES.commit_period + RULES.result_period + 1)
            anvil.request("anvil_setNextBlockTimestamp", late)
            anvil.request("evm_mine")
            await chain.reach(timestamp=late, limit=30)
            aborted = await sender.send(coordinator.abort(task, round_id))
            at = await chain.reach(aborted.block, limit=30)
            assert await reader.read_undecided(at) == {}
