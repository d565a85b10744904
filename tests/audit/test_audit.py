"""Audits of rounds that went right, and of rounds where one thing was tampered with: the audit names it."""

import sys
from pathlib import Path

import pytest
import pytest_asyncio

from dao.audit import Check, Outcome, audit, exit_code
from dao.core.types import RoundId
from dao.evaluator import Evaluator
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from tests.aggregator.world import Assignment, World
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def audit_of(world: World, round_: int, cache: Path, *sources: Path) -> dict[str, Check]:
    """All checks by name; content from the Superlink's store and the proposer's, or from `sources`."""
    folders = sources or (world.home / "store", world.assignment.store)
    source = LayeredStore(DiskStore(cache), [DiskStore(folder) for folder in folders], attempts=1)
    async with world.network.chain() as chain:
        python = Path(sys.executable)
        checks = [
            c async for c in audit(chain, source, world.task, RoundId(round_), python, 60, world.evaluator)
        ]
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if check.outcome is Outcome.FAILED]


def unchecked(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if check.outcome is Outcome.UNCHECKED]


@pytest_asyncio.fixture(loop_scope="module")
async def played(network: Network, assignment: Assignment, evaluator: Evaluator, tmp_path: Path) -> World:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator)
    async with world.superlink() as running:
        await world.play(running, 2)
    return world


async def test_audit__honest_rounds__all_checks_hold(played: World, tmp_path: Path) -> None:
    for round_ in (1, 2):
        checks = await audit_of(played, round_, tmp_path / "cache")
        assert exit_code([*checks.values()]) == 0, [c for c in checks.values() if c.outcome is not Outcome.OK]
        assert len(checks) == 22
