"""Rules that change while a round is open: what the bindings read, and what they are told."""

from dataclasses import replace

import pytest

from dao.chain.contracts import Coordinator
from dao.chain.deploy import TOKEN, timelock_execute
from dao.chain.events import RulesChanged, SuperlinkReplaced
from dao.core.types import Address, RoundId, TaskId, Wei
from dao.errors import Reverted
from tests.support import Network, digest

ANOTHER = Address(b"\x0b" * 20)


async def test_change_rules__round_open__it_keeps_its_own(network: Network) -> None:
    task, superlink, _ = await network.new_round_ready(1)
    async with network.chain() as chain, network.dao(chain) as dao:
        coordinator = Coordinator(chain)
        async with network.sender(chain, superlink.operator) as sender:
            opened = await sender.send(coordinator.open_round(task))
        before = await coordinator.rules_of(task, opened.block)
        after = replace(before, round_budget=Wei(12 * TOKEN), quorum=2, min_stake=Wei(2 * TOKEN))
        changed = await timelock_execute(chain, dao, [coordinator.change_rules(task, after)])
        (event,) = (event for event in changed.events if isinstance(event, RulesChanged))
        assert (event.task, event.version, event.rules) == (task, 2, after)
        at = changed.block
        assert await coordinator.rules_of(task, at) == after
        assert await coordinator.rules_of_round(task, RoundId(1), at) == before
        replaced = await timelock_execute(chain, dao, [coordinator.set_superlink(task, ANOTHER)])
        events = [e for e in replaced.events if isinstance(e, RulesChanged | SuperlinkReplaced)]
        assert [type(event) for event in events] == [SuperlinkReplaced, RulesChanged]
        assert await coordinator.rules_of(task, replaced.block) == replace(after, superlink=ANOTHER)
        past = await chain.past(RulesChanged, task=task)
        assert [event.version for event in past] == [2, 3]


async def test_change_rules__what_must_stay_or_no_round__reverted_with_words(network: Network) -> None:
    task = await network.new_task()
    async with network.chain() as chain, network.dao(chain) as dao:
        coordinator = Coordinator(chain)
        rules = await coordinator.rules_of(task, chain.head())
        change = coordinator.change_rules(task, replace(rules, app_hash=digest(9)))
        with pytest.raises(Reverted, match=r"appHash: expected .* the same for the whole life of a task"):
            await timelock_execute(chain, dao, [change])
        with pytest.raises(Reverted, match="round 1"):
            await coordinator.rules_of_round(TaskId(task), RoundId(1), chain.head())
