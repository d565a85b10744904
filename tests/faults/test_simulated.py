"""A simulated round is the deployed one: the same updates give the same manifest, to the byte."""

import json
import sys
from pathlib import Path

import pytest

from dao.app.gradient_client import GradientClient
from dao.app.shards import read_shards
from dao.audit.findings import Missing
from dao.audit.provenance import BEST, describe, trace_rounds
from dao.audit.replay import build_inputs
from dao.content.tensor_files import compute_cid
from dao.core.commits import CommitRecord
from dao.core.formats.manifest import Manifest, MeasuredMetric, dump_manifest
from dao.core.transition import get_post_state
from dao.core.types import Phase
from dao.demo.simulation import Committed, Simulation
from dao.store.disk import DiskStore
from tests.faults.process import LIMIT, Process
from tests.faults.world import APP, CARD, World, open_world
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def play_again(world: World, manifests: list[Manifest], folder: Path) -> list[bytes]:
    """Simulate rounds with the updates that the daemons sent; return the manifests."""
    store = DiskStore(world.superlink.home / "store")
    evaluator = GradientClient(APP, Path(sys.executable), folder / "evaluator", limit=LIMIT)
    shards = read_shards(world.folder / "shards")
    where, metric = folder / "superlink", CARD.metric.name if CARD.metric else None
    simulation = Simulation(evaluator, shards, where, world.rules.round_budget, metric=metric)
    played, previous = [], None
    try:
        await simulation.begin(await store.get(manifests[0].base_model))
        for manifest in manifests:
            inputs = build_inputs(manifest, world.rules, get_post_state(previous), ())
            for record in inputs.commits:
                await simulation.keep(Committed(record, await read_update(store, record)))
            previous = (await simulation.play(inputs)).manifest
            played.append(dump_manifest(previous))
    finally:
        await evaluator.stop()
    return played


async def read_update(store: DiskStore, record: CommitRecord) -> bytes:
    assert record.reveal is not None
    return (await store.get(record.reveal.cid)).read_bytes()


async def get_by_command(world: World, last: Manifest) -> None:
    """`dao model get` writes the newest model and where it comes from."""
    out, home = world.folder / "got", world.superlink.home
    network = ("--rpc", world.network.anvil.ws, "--deployment", home / "deployment.json")
    arguments = ("model", "get", world.task, "--out", out, "--verify", "--store", home / "store", *network)
    process = await Process.start("dao", arguments, {"HOME": str(world.folder)})
    assert await process.ended() == 0, process.lines
    assert compute_cid(out / "model.safetensors") == last.model
    told = json.loads((out / "provenance.json").read_text())
    assert (told["round"], told["model"], told["verified"]) == (last.round, str(last.model), "statements")


async def check_provenance(world: World, manifests: list[Manifest]) -> None:
    """A model's rounds are traced back to the first model, and the best one is that of the least distance, the card's metric."""
    chain, task, store = world.chain, world.task, DiskStore(world.superlink.home / "store")
    await world.reaches(manifests[-1].round, Phase.FINALIZED)
    traced = await trace_rounds(chain, store, task, str(manifests[-1].round), verifies=True)
    assert [one.manifest for one in traced] == manifests
    told = describe(traced, verified=True)
    assert told["first_model"] == str(manifests[0].base_model)
    assert [one["model"] for one in told["rounds"]] == [str(manifest.model) for manifest in manifests]
    assert sum(int(share["earned_wei"]) for share in told["shares"]) == manifests[-1].reward_total_wei
    best = await trace_rounds(chain, store, task, BEST, verifies=False)
    stated = [manifest.metric for manifest in manifests if manifest.metric is not None]
    assert [metric.name for metric in stated] == ["distance"] * len(manifests)
    least = min(metric.value for metric in stated)
    assert best[-1].manifest.metric == MeasuredMetric("distance", least)
    await get_by_command(world, manifests[-1])
    with pytest.raises(Missing, match=f"task {task} round {manifests[-1].round}: manifest: "):
        await trace_rounds(chain, DiskStore(world.folder / "empty"), task, None, verifies=False)


async def test_simulation__updates_of_deployed_rounds__the_same_manifests_to_the_byte(
    living_network: Network, tmp_path: Path
) -> None:
    async with open_world(living_network, tmp_path / "world") as world:
        await world.start()
        manifests = [(await world.play())[1] for _ in range(3)]
        world.show()
        await check_provenance(world, manifests)
        played = await play_again(world, manifests, tmp_path / "again")
    assert played == [dump_manifest(manifest) for manifest in manifests]
    assert len({manifest.model for manifest in manifests}) == 3
