"""Rounds as they should go: real chain, real wire, real gradients."""

from pathlib import Path

import pytest

from dao.core.types import Status
from dao.evaluator import Evaluator
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_rounds__honest_nodes__are_posted_one_upon_the_other(
    network: Network, assignment: Assignment, evaluator: Evaluator, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator)
    async with world.superlink() as running:
        await world.play(running, 3)
    first, second, third = [await world.manifest(number) for number in (1, 2, 3)]
    assert {node.status for node in first.nodes} <= {Status.OK, Status.CLIPPED}
    assert [second.parent, third.parent] == [1, 2]
    assert (second.base_model, third.base_model) == (first.model, second.model)
    assert third.loss_after < third.loss_before < first.loss_before
    assert len(third.used_shards) == 3
    assert sum(node.reward_wei for node in third.nodes) + third.refunded_wei == third.budget_wei
