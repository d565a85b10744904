"""Supernodes train on the shards of earlier rounds beside their own rows: a late one too, and without those that are missing."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from safetensors.numpy import load_file

from dao.audit.auditor import CHECKS
from dao.core.formats.manifest import Manifest
from dao.core.types import RoundId
from dao.store.disk import DiskStore
from node.journal import Step
from node.round_auditor import HOLDS
from tests.faults.world import ROWS, Supernode, World, open_node, open_world
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def young(living_network: Network, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A running network of its own, which begins with its first round."""
    folder = tmp_path_factory.mktemp("young")
    async with open_world(living_network, folder, challenge_period=600) as world:
        await world.start()
        yield world
        world.show()


def sum_rows(world: World, node: Supernode, *rounds: Manifest) -> float:
    """The sum of all values of a node's rows and of the shards that these rounds drew, from the Superlink's own files."""
    shards = [world.folder / "shards" / f"{one.shard.index:03}.safetensors" for one in rounds]
    files = [node.home / "data" / "rows.safetensors", *shards]
    return float(np.concatenate([load_file(path)["x"] for path in files]).sum(dtype=np.float64))


async def learned(world: World, node: Supernode, round_id: RoundId, *rounds: Manifest) -> None:
    """In a round, a node trained on its rows and on the shards of these rounds, and on nothing else."""
    await node.steps(round_id, Step.SIGNED)
    facts = next(row for row in (await node.status()).rounds if row.round == round_id).facts
    left_out = [line for line in node.running.lines if "no public shard" in line]
    assert facts["public_shards"] == len(rounds), (facts, left_out)
    metrics = facts["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["rows"] == ROWS * (1 + len(rounds))
    assert metrics["sum"] == pytest.approx(sum_rows(world, node, *rounds), rel=1e-12)


async def test_rounds__one_after_the_other__each_is_trained_on_the_shards_before_it(young: World) -> None:
    first, one = await young.play()
    second, two = await young.play()
    for node in young.nodes:
        await learned(young, node, first)
        await learned(young, node, second, one)

    late = await open_node(young.network, young.folder, young.task, young.address, 2)
    await late.start()
    third, three = await young.play()  # it was open before the late one joined
    young.nodes.append(late)
    fourth, waiting = await young.begin(third)
    for training in waiting:
        training.begin()
    await young.counted(fourth, *young.nodes)
    for node in young.nodes:
        await learned(young, node, fourth, one, two, three)


async def test_shard__nobody_has_any_more__the_round_is_trained_without_it(young: World) -> None:
    last, manifest = await young.play()
    known = [await young.posted(RoundId(number)) for number in range(1, last)]
    node = young.nodes[1]
    await node.kill()
    for store in (young.superlink.home / "store", node.home / "content"):
        DiskStore(store).path_of(manifest.shard.cid).unlink(missing_ok=True)
    await node.start()
    following, waiting = await young.begin(last)
    between = [await young.posted(RoundId(number)) for number in range(last + 1, following)]
    for training in waiting:
        training.begin()
    await young.counted(following, node)
    await learned(young, node, following, *known, *between)
    assert await node.running.says("no public shard", manifest.shard.cid)


async def test_owner__sets_no_bytes_for_it_and_audits_all__own_rows_alone_and_what_was_found(
    young: World,
) -> None:
    node = young.nodes[0]
    await node.kill()
    config = node.home / "config.toml"
    config.write_text(f"public_bytes = 0\naudit = 1.0\n{config.read_text()}")
    await node.start()
    round_id, _ = await young.play()
    await learned(young, node, round_id)
    await node.running.says("event='audited'", "round=1 ", HOLDS.format(len(CHECKS)))  # the oldest first
    assert HOLDS.format(len(CHECKS)) in (await node.ends(1)).reason
