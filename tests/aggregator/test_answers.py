"""The Superlink shows what is demanded of its results, by itself."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aggregator.answerer import Answerer
from dao.app.gradient_client import GradientClient
from dao.chain.demanding import demand_leaf, list_open_demands
from dao.chain.events import Answered
from dao.chain.signer import Signer
from dao.core.types import Phase, RoundId, TaskId
from dao.errors import Unreachable
from dao.proofs.leaf_places import DemandTree, parse_place
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.faults.process import until
from tests.support import Network

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_answerer__leaves_are_demanded__shown_before_the_deadline(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world, stranger = await World.make(network, assignment, tmp_path, evaluator), Signer.ephemeral()
    network.anvil.fund(stranger.address, 10**20)  # type: ignore[arg-type]
    async with (
        world.superlink() as running,
        network.chain() as chain,
        network.sender(chain, stranger) as sender,
    ):
        await world.play(running)
        await world.reaches(1, Phase.POSTED)
        answering = asyncio.create_task(running.answerer.run())
        demanded = [
            await demand_leaf(chain, sender, world.task, RoundId(1), parse_place(text))
            for text in ("rows:0", "aggregate:0", "medians")
        ]
        status = world.home / "status.jsonl"
        try:
            await until(
                lambda: status.read_text(encoding="utf-8").count('"event": "answered"') == len(demanded)
            )
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        assert not await list_open_demands(chain, world.task)
        answered = await chain.past(Answered, task=world.task)
    assert {one.place for one in answered} == {one.place for one in demanded}
    assert {one.answerer for one in answered} == {world.bonded.operator.address}


async def test_answerer__cannot_answer_again_and_again__waits_longer_each_time(tmp_path: Path) -> None:
    waits: list[int] = []

    async def wait(until: int) -> None:
        waits.append(until)
        if len(waits) == 7:
            raise asyncio.CancelledError

    def fail() -> Any:
        raise Unreachable("no chain")

    follower = cast("Any", SimpleNamespace(now=lambda: 0, wait=wait))
    chain, nobody = cast("Any", SimpleNamespace(final=fail)), cast("Any", None)
    answerer = Answerer(chain, TaskId(1), nobody, nobody, tmp_path, 10**6, follower, lambda *_, **__: None)
    demanded = cast("Any", SimpleNamespace(round=1, place=(DemandTree.ROWS, 0, 0), deadline=0))
    with pytest.raises(asyncio.CancelledError):
        await answerer._answer(demanded)
    assert waits[:4] == sorted(waits[:4])
    assert waits[0] <= 3
    assert waits[-1] >= 40
