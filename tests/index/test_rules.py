"""Rules that changed between rounds: what the index shows of each round is by its own."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from dao.chain.contracts import Coordinator
from dao.chain.deploy import TOKEN, timelock_execute
from dao.core.round_machine import compute_earliest_abort
from dao.core.types import RoundId, Timestamp, Wei
from dao.devnet.anvil import Anvil
from tests.index.world import indexing
from tests.support import Network, deploy_network


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"))


async def test_rules__changed_while_a_round_is_open__each_round_has_its_own(
    network: Network, database: Engine
) -> None:
    task, superlink, _ = await network.new_round_ready(1)
    async with indexing(network, database) as indexed, network.dao(indexed.chain) as dao:
        chain, reads, coordinator = indexed.chain, indexed.reads, Coordinator(indexed.chain)
        async with network.sender(chain, superlink.operator) as sender:
            await sender.send(coordinator.open_round(task))
            before = await coordinator.rules_of(task, chain.head())
            after = replace(before, commit_period=45, reveal_period=20, round_budget=Wei(12 * TOKEN))
            await timelock_execute(chain, dao, [coordinator.change_rules(task, after)])
            await indexed.caught_up()
            shown = reads.find_task(task)
            assert shown is not None
            assert shown.rules == after
            opened = await coordinator.round_of(task, RoundId(1), chain.head())
            await indexed.pass_time(
                network, compute_earliest_abort(before, opened) - chain.head().timestamp + 1
            )
            await sender.send(coordinator.abort(task, RoundId(1)))
            await timelock_execute(
                chain,
                dao,
                [
                    coordinator.set_superlink(task, dao.address),
                    coordinator.set_superlink(task, superlink.operator.address),
                ],
            )
            await sender.send(coordinator.open_round(task))
        await indexed.caught_up()
        first, second = reads.find_round(task, RoundId(1)), reads.find_round(task, RoundId(2))
        assert first is not None
        assert second is not None
        assert first.deadlines.commit == Timestamp(first.opened_at + 60)
        assert second.deadlines.commit == Timestamp(second.opened_at + 45)
        assert [item.round for item in reads.list_rounds(task).items] == [2, 1]
        assert first.superlink == second.superlink == superlink.operator.address
        shown = reads.find_task(task)
        assert shown is not None
        assert shown.rules == await coordinator.rules_of(task, chain.head()) == after
