"""A gradient that is not the app's: the members' daemons find it, vote, and take the Superlink's bond, without anybody's help."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from dao.app.gradient_client import GradientClient, GradientFile
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.deploy import TOKEN
from dao.chain.event_types import RoundEvent
from dao.chain.gradient_votes import GradientVerdict, accuse_gradients
from dao.chain.vote_events import GradientAccused, GradientJudged, JurorFined, VoteCommitted, VoteRevealed
from dao.core.formats.cid import Cid
from dao.core.formats.layout import FLOAT
from dao.core.types import Digest, Phase, RoundId, Wei
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.approvals import Approvals
from node.gradient_juror import GradientJuror
from node.journal import SupernodeJournal
from tests.aggregator.assignment import Assignment
from tests.aggregator.world import World
from tests.support import RULES, Network

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROUND = RoundId(1)
MOVE = RULES.challenge_period // 8
FINE = Wei(TOKEN // 100)


class Scaled(GradientClient):
    """Another's evaluator whose gradients along the step are a little too long, or as they are."""

    def __init__(self, made: GradientClient, scale: float, folder: Path) -> None:
        self._made, self._scale, self._folder = made, scale, folder
        folder.mkdir(parents=True, exist_ok=True)

    async def _take(self, file: GradientFile, scale: float) -> GradientFile:
        out = self._folder / "gradient"
        values = np.fromfile(file.path, FLOAT) * np.float32(scale)
        values.astype(FLOAT).tofile(out)
        return GradientFile(out, file.loss)

    async def gate_gradient(self, base: Path, shard: Path) -> GradientFile:
        async with TURN:
            return await self._take(await self._made.gate_gradient(base, shard), 1.0)

    async def reference_gradient(self, base: Path, model: Path, shard: Path) -> GradientFile:
        async with TURN:
            return await self._take(await self._made.reference_gradient(base, model, shard), self._scale)

    async def loss(self, model: Path, shard: Path) -> float:
        async with TURN:
            return await self._made.loss(model, shard)

    async def metric(self, name: str, model: Path, shard: Path, limit: float | None = None) -> float:
        async with TURN:
            return await self._made.metric(name, model, shard, limit)

    async def configure(self, settings: Mapping[str, object], base: Path | None = None) -> None:
        async with TURN:
            await self._made.configure(settings, base)

    async def stop(self) -> None:
        """The one behind it goes on."""


TURN = asyncio.Lock()
E = TypeVar("E", bound=RoundEvent)


@asynccontextmanager
async def posted(
    network: Network,
    assignment: Assignment,
    evaluator: GradientClient,
    home: Path,
    scale: float,
    members: int,
) -> AsyncIterator[World]:
    """A world whose first round is posted, by a Superlink that scales its gradients."""
    world = await World.make(
        network, assignment, home / "superlink", Scaled(evaluator, scale, home / "lies"), members
    )
    async with world.superlink() as running:
        await world.play(running)
        yield world


def make_juror(
    world: World,
    chain: Chain,
    sender: object,
    home: Path,
    index: int,
    evaluator: GradientClient,
    checkers: int,
) -> GradientJuror:
    folder = home / f"node-{index}"
    folder.mkdir(parents=True, exist_ok=True)
    approvals = Approvals(folder)
    approvals.approve(world.task, world.rules.app_hash, world.rules.card)
    stores = [DiskStore(world.home / "store"), DiskStore(world.assignment.store)]
    return GradientJuror(
        chain=chain,
        sender=sender,  # type: ignore[arg-type]
        source=LayeredStore(DiskStore(folder / "content"), stores, attempts=1),
        journal=SupernodeJournal(folder / "journal.db", chain.domain, world.nodes[index].signer.address),
        approvals=approvals,
        task=world.task,
        evaluator_of=lambda _app, scratch: Scaled(evaluator, 1.0, scratch),
        scratch=folder / "scratch",
        most_gas=2_000_000,
        checkers=checkers,
    )


@asynccontextmanager
async def jurors(
    world: World, home: Path, evaluator: GradientClient, indexes: Sequence[int], checkers: int
) -> AsyncIterator[list[GradientJuror]]:
    """The jurors' part of some members' daemons, each with a connection and transactions of its own."""
    made = []
    async with AsyncExitStack() as stack:
        for index in indexes:
            chain = await stack.enter_async_context(world.network.chain())
            path = home / f"sender-{index}.db"
            sender = await stack.enter_async_context(
                world.network.sender(chain, world.nodes[index].signer, path)
            )
            juror = make_juror(world, chain, sender, home, index, evaluator, checkers)
            stack.callback(juror.journal.close)
            stack.push_async_callback(juror.close)
            made.append(juror)
        yield made


@asynccontextmanager
async def running(made: Sequence[GradientJuror]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(juror.run()) for juror in made]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for juror in made:
            await juror.close()


async def reach(world: World, kind: type[E], count: int) -> list[E]:
    """Wait until there are so many events of a kind; blocks go on, as on any chain but this one."""
    async with asyncio.timeout(120):
        while len(events := await world.past(kind)) < count:
            world.network.anvil.request("evm_mine")
            await asyncio.sleep(0.2)
    return events


async def stake_of(world: World, index: int) -> int:
    async with world.network.chain() as chain:
        return await Registry(chain).stake_of(world.nodes[index].signer.address, chain.head())


async def test_run__gradient_is_not_the_apps__superlink_loses_its_bond_by_the_daemons_alone(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.01, 4) as world,
        jurors(world, tmp_path, evaluator, range(3), checkers=4) as made,
        running(made),
    ):
        await reach(world, GradientAccused, 1)
        await reach(world, VoteCommitted, 3)
        world.skip(MOVE)
        await reach(world, VoteRevealed, 3)
        (judged,) = await reach(world, GradientJudged, 1)
        assert judged.verdict == GradientVerdict.WRONG
        assert (await world.state(ROUND)).phase is Phase.VOID
        async with world.network.chain() as chain:
            left = await Registry(chain).stake_of(world.bonded.operator.address, chain.head())
        assert left == 0  # all of the bond
        (fined,) = await reach(world, JurorFined, 1)
        assert fined.juror == world.nodes[3].signer.address
        assert await stake_of(world, 3) == TOKEN - FINE
        assert [await stake_of(world, index) for index in range(3)] == [TOKEN] * 3


async def test_run__gradient_is_the_apps__nobody_accuses_and_a_liar_loses_its_bond(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.0, 3) as world,
        jurors(world, tmp_path, evaluator, range(3), checkers=3) as made,
    ):
        for juror in made:
            judgement = await juror.check(ROUND)
            assert judgement is not None
            assert not judgement.is_wrong, judgement.words
        assert not await world.past(GradientAccused)
        async with running(made):
            await accuse_gradients(made[0].chain, made[0].sender, world.task, ROUND)
            await reach(world, VoteCommitted, 3)
            world.skip(MOVE)
            (judged,) = await reach(world, GradientJudged, 1)
            assert judged.verdict == GradientVerdict.RIGHT
        assert (await world.state(ROUND)).phase is Phase.POSTED
        assert await stake_of(world, 0) == 0  # the least stake of a member was the bond


async def test_serve__killed_between_any_two_steps__nothing_is_sent_twice(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with posted(network, assignment, evaluator, tmp_path, 1.01, 3) as world:
        async with jurors(world, tmp_path, evaluator, range(3), checkers=3) as made, running(made):
            await reach(world, VoteCommitted, 3)
        kept = [juror.journal for juror in made]
        assert len(kept) == 3
        world.skip(MOVE)
        # other processes, with the same files
        async with jurors(world, tmp_path, evaluator, range(3), checkers=3) as again, running(again):
            await reach(world, GradientJudged, 1)
        assert len(await world.past(GradientAccused)) == 1
        assert len(await world.past(VoteCommitted)) == 3
        assert len(await world.past(VoteRevealed)) == 3
        async with world.network.chain() as chain:
            assert (await Coordinator(chain).round_of(world.task, ROUND, chain.head())).phase is Phase.VOID


async def test_serve__voted_on_a_result_that_a_reorg_took_back__judges_the_new_one(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.01, 3) as world,
        jurors(world, tmp_path, evaluator, range(3), checkers=3) as made,
    ):
        for juror in made:
            juror.journal.vote(world.task, ROUND, Digest(b"r" * 32), is_wrong=False)
        async with running(made):
            await reach(world, VoteCommitted, 3)
            world.skip(MOVE)
            (judged,) = await reach(world, GradientJudged, 1)
            assert judged.verdict == GradientVerdict.WRONG


async def hide(world: World, content: Cid | Digest | None) -> None:
    """Delete a content of the Superlink's, which nobody else has."""
    assert content is not None
    (await DiskStore(world.home / "store").get(content)).unlink()


async def accuse_of_missing(world: World, juror: GradientJuror) -> None:
    """Accuse the round, of which jurors miss a content: they wait for it, and then find it wrong."""
    await accuse_gradients(juror.chain, juror.sender, world.task, ROUND)
    await reach(world, GradientAccused, 1)
    assert not await world.past(VoteCommitted)  # it may come yet
    world.skip(MOVE - MOVE // 4)
    await reach(world, VoteCommitted, 3)
    world.skip(MOVE)
    (judged,) = await reach(world, GradientJudged, 1)
    assert judged.verdict == GradientVerdict.WRONG


async def test_check__content_is_kept_from_all__is_no_reason_to_accuse_but_one_to_vote(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.0, 3) as world,
        jurors(world, tmp_path, evaluator, range(3), checkers=3) as made,
    ):
        await hide(world, (await world.manifest(1)).gradient)
        judgement = await made[0].check(ROUND)
        assert judgement is not None
        assert not judgement.is_wrong  # by what the result binds, which is what this member computes
        assert not await world.past(GradientAccused)
        async with running([replace(juror, checkers=0) for juror in made]):
            await accuse_of_missing(world, made[0])


async def test_serve__manifest_is_kept_from_all__is_judged_without_a_statement(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.0, 3) as world,
        jurors(world, tmp_path, evaluator, range(3), checkers=0) as made,
    ):
        await hide(world, (await world.result(ROUND)).manifest_digest)
        async with running(made):
            await accuse_of_missing(world, made[0])
        assert (await world.state(ROUND)).phase is Phase.VOID


async def test_check__another_gradient_and_its_content_is_kept_from_all__is_no_reason_to_accuse(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.01, 3) as world,
        jurors(world, tmp_path, evaluator, range(1), checkers=3) as made,
    ):
        await hide(world, (await world.manifest(1)).gradient)
        judgement = await made[0].check(ROUND)
        assert judgement is not None
        assert (judgement.is_wrong, judgement.is_missing) == (True, True)
        assert not await world.past(GradientAccused)


async def test_check__store_drops_the_models_meanwhile__judged_all_the_same(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    class Dropping(Scaled):
        async def gate_gradient(self, base: Path, shard: Path) -> GradientFile:
            file = await super().gate_gradient(base, shard)
            for path in (tmp_path / "node-0" / "content" / "objects").rglob("*"):
                if path.is_file():
                    path.unlink()
            return file

    async with (
        posted(network, assignment, evaluator, tmp_path, 1.0, 3) as world,
        jurors(world, tmp_path, evaluator, range(1), checkers=3) as made,
    ):
        juror = replace(made[0], evaluator_of=lambda _app, scratch: Dropping(evaluator, 1.0, scratch))
        judgement = await juror.check(ROUND)
        await juror.close()
        assert judgement is not None
        assert not judgement.is_wrong, judgement.words


async def test_run__told_to_send_nothing__looks_at_nothing(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    async with (
        posted(network, assignment, evaluator, tmp_path, 1.01, 3) as world,
        jurors(world, tmp_path, evaluator, range(1), checkers=3) as made,
    ):
        await replace(made[0], most_gas=0).run()
        assert not await world.past(GradientAccused)
