"""A node that is cut off from the Superlink reveals by way of the chain: its update is fetched by its CID, and counts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aggregator.round_contents import RoundContents
from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.core.types import RoundId, Status
from dao.store.disk import DiskStore
from tests.aggregator.assignment import Assignment
from tests.aggregator.cut_off import CutOff
from tests.aggregator.world import World
from tests.audit.stage import audit_of
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG: dict[str, Any] = {
    "reveal_period": 600,
    "result_period": 10_000,
}  # seconds, which no machine is too slow for


async def test_forced_reveal__of_content_that_is_served__counts_without_a_wait(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator, **LONG)
    cut = world.nodes[2] = CutOff(world, world.members[2], 2)
    cut.serves = DiskStore(assignment.store)
    async with world.superlink() as running:
        await world.play(running)
    manifest = await world.manifest(1)
    (row,) = (row for row in manifest.nodes if row.node == cut.signer.address)
    assert row.status in (Status.OK, Status.CLIPPED)
    assert (await world.result(1)).revealed == len(manifest.nodes)
    assert row.cid is not None
    contents = RoundContents(world.home / "contents.db")
    assert row.cid.digest in contents.contents_of(world.task, RoundId(1))  # goes with its round
    contents.close()
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks


async def test_forced_reveal__of_content_that_nobody_has__is_unavailable(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator, **LONG)
    cut = world.nodes[2] = CutOff(world, world.members[2], 5)  # of other samples than what is served above
    async with world.superlink() as running, asyncio.TaskGroup() as group:
        group.create_task(world.play(running))
        group.create_task(world.hasten(running, 1, 3, 2, 1))
    (row,) = (row for row in (await world.manifest(1)).nodes if row.node == cut.signer.address)
    assert row.status is Status.UNAVAILABLE
    assert "no source had its content" in row.reason
    assert row.cid is not None
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks
