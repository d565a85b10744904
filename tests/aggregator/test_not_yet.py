"""A chain whose newest block is behind a deadline that has passed by the clock: the Superlink waits, and reports no trouble."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aggregator.finalizer import Finalizer
from aggregator.superlink import Superlink
from dao.app.gradient_client import GradientClient
from dao.chain.reverts import NOT_YET
from dao.core.types import Phase, hex_of
from dao.errors import Reverted
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Refusals:
    """Notes a part's reports, and when a call of its was refused as too early."""

    def __init__(self, part: Superlink | Finalizer, sender: Any) -> None:
        self.reported: dict[str, dict[str, object]] = {}
        self.came = asyncio.Event()
        self._send = sender.send
        sender.send = self._note
        report: Callable[..., None] = part._report

        def collect(event: str, **fields: object) -> None:
            self.reported[event] = fields
            report(event, **fields)

        part._report = collect

    async def _note(self, *given: Any, **named: Any) -> Any:
        try:
            return await self._send(*given, **named)
        except Reverted as error:
            if error.error in NOT_YET:
                self.came.set()
            raise


async def test_finalize__the_newest_block_is_before_the_deadline__waits_and_reports_no_trouble(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, challenge_period=1)
    async with world.superlink() as running:
        await world.play(running)
        refusals = Refusals(running.finalizer, running.finalizer._sender)
        finalizing = asyncio.create_task(running.finalizer.run())
        await asyncio.wait_for(refusals.came.wait(), 30)
        world.skip(5)
        await world.reaches(1, Phase.FINALIZED)
        finalizing.cancel()
    assert "trouble" not in refusals.reported


async def test_abort__the_newest_block_is_before_the_deadline__waits_and_names_who_is_missing(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, members=2, quorum=2, commit_period=2)
    async with world.superlink() as running:
        refusals = Refusals(running.superlink, running.superlink._deps.sender)
        playing = asyncio.create_task(running.superlink.run(1))
        await asyncio.wait_for(refusals.came.wait(), 30)
        world.skip(world.rules.commit_period)
        await world.reaches(1, Phase.ABORTED)
        async with asyncio.timeout(30):
            while "aborted" not in refusals.reported:  # noqa: ASYNC110  (it follows the chain's event)
                await asyncio.sleep(0.01)
        playing.cancel()
    assert "trouble" not in refusals.reported
    missing = " ".join(sorted(hex_of(member.operator.address) for member in world.members))
    reason = refusals.reported["aborted"]["reason"]
    assert reason == f"fewer commits than the quorum of 2; not heard: {missing}"
