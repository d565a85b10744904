"""A round whose content its Superlink keeps no longer: the audit says so, check by check, and blames nobody."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from aggregator import daemon
from dao.app.gradient_client import GradientClient
from dao.audit import Outcome, exit_code
from dao.core.types import Phase, RoundId
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.audit.stage import audit_of, failed, unchecked
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def test_audit__content_of_an_old_round_was_dropped__says_so_and_newer_rounds_hold(
    network: Network,
    assignment: Assignment,
    evaluator: GradientClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon, "JOURNALLED", 0)
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator)
    async with world.superlink(keep_rounds=1) as running:
        await world.play(running, 3)
        finalizing = asyncio.create_task(running.finalizer.run())
        world.skip(world.rules.challenge_period)
        await running.finalizer.wait_idle()
        finalizing.cancel()
        with suppress(asyncio.CancelledError):
            await finalizing
        assert (await world.state(3)).phase is Phase.FINALIZED
        assert await running.sweep() == 2
        journal, opened = running.superlink._deps.journal, [await world.state(number) for number in (1, 2, 3)]
        left = [
            len(journal.read_commits(world.task, RoundId(number), state.opening))
            for number, state in enumerate(opened, 1)
        ]
        assert left == [0, 0, 3]
    old = await audit_of(world, 1, tmp_path / "old")
    assert (failed(old), exit_code([*old.values()])) == (set(), 2)
    assert unchecked(old) >= {"updates", "gate gradient", "weights", "scores"}
    assert "name one who kept more, by --store, --ipfs or --gateway" in old["updates"].detail
    assert old["shard"].outcome is Outcome.OK  # members train on it
    new = await audit_of(world, 3, tmp_path / "new")
    assert {check.outcome for check in new.values()} == {Outcome.OK}, unchecked(new)
