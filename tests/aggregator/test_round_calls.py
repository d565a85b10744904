"""Calls of one moment are one transaction; where one of them is refused, the result goes alone."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import RunningSuperlink
from aggregator.finalizer import LONGEST
from dao.app.gradient_client import GradientClient
from dao.chain.events import Finalized, ResultPosted, RoundOpened
from dao.core.types import Phase
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.support import RULES, Network

pytestmark = pytest.mark.asyncio(loop_scope="session")


def listen(running: RunningSuperlink) -> list[dict[str, Any]]:
    """Collect what the calls of rounds report."""
    heard: list[dict[str, Any]] = []
    report: Callable[..., None] = running.superlink._deps.calls._report

    def collect(event: str, **fields: object) -> None:
        heard.append({"event": event, **fields})
        report(event, **fields)

    running.superlink._deps.calls._report = collect
    return heard


async def test_post__older_round_is_due__finalized_and_the_next_one_opened_with_the_result(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, challenge_period=30)
    async with world.superlink() as running:
        heard = listen(running)
        finalizing = asyncio.create_task(running.finalizer.run())
        playing = asyncio.create_task(world.play(running, 3))
        await world.reaches(2, Phase.OPEN)
        world.skip(world.rules.challenge_period + 1)  # less than the time for commits
        await playing
        finalizing.cancel()
    sent = [event for event in heard if event["event"] == "transaction"]
    assert [event["label"] for event in sent if event["label"] != "closeCommits"] == [
        "openRound",
        "postResult + openRound",
        "postResult + finalize + openRound",
        "postResult",
    ]
    opened, posted = await world.past(RoundOpened), await world.past(ResultPosted)
    final = next(event for event in await world.past(Finalized) if event.round == 1)
    assert final.tx_hash == posted[1].tx_hash == opened[2].tx_hash
    assert {"event": "finalized", "round": 1} in heard
    assert "alone" not in [event["event"] for event in heard]


async def test_finalizer__another_round_is_due_soon__both_are_finalized_in_one_transaction(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, challenge_period=60)
    async with world.superlink() as running:
        await world.play(running, 1)
        world.skip(LONGEST // 2)
        await world.play(running, 1)
        finalizing = asyncio.create_task(running.finalizer.run())
        world.skip(world.rules.challenge_period - LONGEST // 2 + 1)  # the first is due, the other is not yet
        await running.finalizer.list_undecided()
        world.skip(LONGEST // 2)
        await running.finalizer.wait_idle()
        finalizing.cancel()
    first, second = await world.past(Finalized)
    assert (first.round, second.round) == (1, 2)
    assert first.tx_hash == second.tx_hash


async def test_post__next_round_is_not_paid_for__result_goes_alone_and_says_why(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, funds=RULES.round_budget)
    async with world.superlink() as running:
        heard = listen(running)
        playing = asyncio.create_task(world.play(running, 2))
        await world.reaches(1, Phase.POSTED)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    (alone,) = (event for event in heard if event["event"] == "alone")
    assert "NotFunded" in alone["reason"]
    assert "postResult" in [event.get("label") for event in heard]
