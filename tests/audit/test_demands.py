"""Demands: each leaf of a posted round is shown on chain by its content alone, and what nobody shows convicts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from dao.audit.answering import build_answer
from dao.audit.findings import Missing
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.demanding import demand_leaf, encode_leaf_place, end_demand, list_open_demands, read_demand
from dao.chain.disputes import Disputes
from dao.chain.events import Answered, Convicted
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.formats.manifest import dump_manifest
from dao.core.types import Phase, RoundId, Timestamp
from dao.errors import Reverted
from dao.proofs.leaf_places import NESTED, DemandTree, LeafPlace, parse_place
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.self_defence import SelfDefence
from tests.aggregator.world import holds
from tests.audit.stage import TAMPERED, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROUND = RoundId(TAMPERED)
PLACES = [
    LeafPlace(tree, outer, 0) for tree in DemandTree for outer in (range(5) if tree in NESTED else (0,))
]


@asynccontextmanager
async def honest(stage: Stage) -> AsyncIterator[tuple[Chain, Sender]]:
    """The honest result is posted, and somebody with coins looks at it."""
    signer = Signer.ephemeral()
    async with (
        stage.posted(stage.stated(stage.manifest), dump_manifest(stage.manifest)),
        stage.world.network.chain() as chain,
        stage.world.network.sender(chain, signer) as sender,
    ):
        stage.world.network.anvil.fund(signer.address, 10**20)  # type: ignore[arg-type]
        yield chain, sender


def _is_past(time: Timestamp) -> Callable[[BlockRef], Awaitable[bool]]:
    async def is_past(at: BlockRef) -> bool:
        return at.timestamp >= time

    return is_past


def source_of(stage: Stage) -> LayeredStore:
    stores = [DiskStore(stage.folder), DiskStore(stage.world.assignment.store)]
    return LayeredStore(DiskStore(stage.cache), stores, attempts=1)


async def test_answer__each_tree__the_chain_takes_it_and_pays(stage: Stage) -> None:
    task = stage.world.task
    async with honest(stage) as (chain, sender):
        for place in PLACES:
            demanded = await demand_leaf(chain, sender, task, ROUND, place)
            assert [one.place for one in await list_open_demands(chain, task)] == [encode_leaf_place(place)]
            answer = await build_answer(chain, source_of(stage), task, ROUND, place, stage.cache)
            call = Disputes(chain).answer(
                task, ROUND, encode_leaf_place(place), answer.result, answer.statement, answer.content
            )
            receipt = await sender.send(call)
            answered = next(event for event in receipt.events if isinstance(event, Answered))
            assert answered.content == answer.content
            assert (await read_demand(chain, task, ROUND, place)).is_open is False
            assert demanded.bond > 0
        assert not await list_open_demands(chain, task)


async def test_answer__index_behind_the_last_leaf__its_absence_is_shown(stage: Stage) -> None:
    task = stage.world.task
    async with honest(stage) as (chain, sender):
        for tree in (DemandTree.ROWS, DemandTree.AGGREGATE, DemandTree.MODEL, DemandTree.GATE):
            place = LeafPlace(tree, 0, 700)
            await demand_leaf(chain, sender, task, ROUND, place)
            answer = await build_answer(chain, source_of(stage), task, ROUND, place, stage.cache)
            call = Disputes(chain).answer(
                task, ROUND, encode_leaf_place(place), answer.result, answer.statement, answer.content
            )
            await sender.send(call)


async def test_demand__nobody_answers__round_is_void_and_the_demander_paid(stage: Stage) -> None:
    task, place = stage.world.task, parse_place("rows:1")
    async with honest(stage) as (chain, sender):
        demanded = await demand_leaf(chain, sender, task, ROUND, place)
        with pytest.raises(Reverted, match="TooEarly"):
            await end_demand(chain, sender, task, ROUND, place)
        stage.world.skip(demanded.deadline - chain.head().timestamp)
        await holds(chain, _is_past(demanded.deadline))
        ended = await end_demand(chain, sender, task, ROUND, place)
        assert ended.convicted
        state = await Coordinator(chain).round_of(task, ROUND, chain.head())
        assert state.phase is Phase.VOID
        (convicted,) = await chain.past(Convicted, task=task)
        assert convicted.accuser == sender.address
        assert convicted.paid > 0


async def test_build_answer__manifest_is_kept_from_all__missing(stage: Stage) -> None:
    nothing = LayeredStore(DiskStore(stage.cache / "empty"), [], attempts=1)
    async with honest(stage) as (chain, _):
        with pytest.raises(Missing, match="manifest"):
            await build_answer(chain, nothing, stage.world.task, ROUND, parse_place("rows:0"), stage.cache)


async def test_self_defence__content_of_the_result_is_kept_from_all__demanded_and_void(stage: Stage) -> None:
    world, node = stage.world, stage.world.nodes[0].signer
    world.network.anvil.fund(node.address, 10**19)  # type: ignore[arg-type]
    nothing = LayeredStore(DiskStore(stage.cache / "empty"), [], attempts=1)
    async with (
        stage.posted(stage.stated(stage.manifest), dump_manifest(stage.manifest)),
        world.network.chain() as chain,
        world.network.sender(chain, node) as sender,
    ):
        defence = SelfDefence(chain, sender, nothing, world.task, node.address, proves=True)
        demanding = asyncio.create_task(defence.demand(ROUND))
        while not (demands := await list_open_demands(chain, world.task)):
            await chain.changed(1)
        world.skip(demands[0].deadline - chain.head().timestamp)
        assert "nobody showed it: the round is void" in await demanding
        assert (await Coordinator(chain).round_of(world.task, ROUND, chain.head())).phase is Phase.VOID


async def test_self_defence__told_not_to_prove__names_the_command(stage: Stage) -> None:
    node = stage.world.nodes[0].signer.address
    async with honest(stage) as (chain, sender):
        defence = SelfDefence(chain, sender, source_of(stage), stage.world.task, node, proves=False)
        said = await defence.demand(ROUND)
    place = sorted(each.signer.address for each in stage.world.nodes).index(node)
    assert f"dao challenge {stage.world.task} {ROUND} --demand rows:{place}" in said
