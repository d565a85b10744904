"""An audit of a round whose model carries values beside those that are scored: it computes their medians again, too."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import torch

from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.content.tensor_files import open_model
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.layout import Layout, Model, compute_model_size, write_model
from dao.core.formats.update import encode_update_prefix
from dao.core.types import Codec, Digest
from dao.store.disk import DiskStore
from tests.aggregator.assignment import APP, Assignment, samples
from tests.aggregator.world import Node, World
from tests.audit.stage import audit_of
from tests.support import RULES, Network

pytestmark = pytest.mark.asyncio(loop_scope="session")
SHAPES = {
    "0.weight": (16, 8),
    "0.bias": (16,),
    "1.weight": (16,),
    "1.bias": (16,),
    "1.running_mean": (16,),
    "1.running_var": (16,),
    "3.weight": (3, 16),
    "3.bias": (3,),
}
CARRIED = ("1.running_mean", "1.running_var")
LAYOUT = Layout.of(SHAPES, CARRIED)


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    """A task whose model has a batch normalisation, with statistics that are carried."""
    made = Assignment.make(tmp_path / "normalised")
    code = APP.replace("torch.nn.Tanh()", "torch.nn.BatchNorm1d(16), torch.nn.Tanh()")
    assert code != APP
    (made.app / "app.py").write_text(code)
    buffer = bytearray(compute_model_size(LAYOUT))
    model = write_model(LAYOUT, buffer)
    model.flat[:] = 0.3 * np.random.Generator(np.random.Philox(5)).standard_normal(LAYOUT.size)
    model.tensors["1.running_var"][...] = 1
    made.base.write_bytes(buffer)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def evaluator(
    assignment: Assignment, forked_apps: None, tmp_path: Path
) -> AsyncIterator[GradientClient]:
    made = GradientClient(assignment.app, Path(sys.executable), tmp_path / "out", limit=60, threads=1)
    yield made
    await made.stop()


def trained(node: Node, base: Model) -> bytes:
    """A few steps of gradient descent on the node's own samples, and statistics that differ by node."""
    model = torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.Tanh(), torch.nn.Linear(16, 3)
    )
    model.load_state_dict({name: torch.tensor(values) for name, values in base.tensors.items()}, strict=False)
    rows = {name: torch.from_numpy(values) for name, values in samples(node.index).items()}
    weights = [*model.parameters()]
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model(rows["x"]), rows["y"].long())
        for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.data.sub_(slope, alpha=0.1)
    after = write_model(base.layout, bytearray(compute_model_size(base.layout)))
    for name, values in after.tensors.items():
        values[...] = model.state_dict()[name].numpy()
    after.tensors["1.running_var"][...] = 1 + node.index
    return node.encode(base, after)


def root_of(update: bytes) -> Digest:
    """The root of an update's body, both chunks of it."""
    body = update[len(encode_update_prefix(LAYOUT, Codec.INT8)) :]
    return compute_body_root(np.frombuffer(body, np.uint8).reshape(LAYOUT.chunks, -1), RULES.body_depth)


async def test_audit__round_with_carried_values__holds_and_its_medians_are_in_the_next_model(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path / "superlink", evaluator, reveal_period=600)
    assert world.rules.scored_chunks < world.rules.chunks
    for node in world.nodes:
        node.content, node.declared_root = trained, root_of
    async with world.superlink() as running:
        await world.play(running, 2)
    for number in (1, 2):
        checks = await audit_of(world, number, tmp_path / "cache")
        assert exit_code([*checks.values()]) == 0, checks
    manifest = await world.manifest(1)
    path = await DiskStore(world.home / "store").get(manifest.model)
    model = open_model(path)
    assert model.layout.carried == CARRIED
    variances = {node.signer.address: 1 + node.index for node in world.nodes}
    counted = sorted((variances[row.node], row.weight) for row in manifest.nodes if row.weight)
    assert counted
    half = sum(weight for _, weight in counted) / 2
    median = next(
        variance
        for place, (variance, _) in enumerate(counted, 1)
        if sum(weight for _, weight in counted[:place]) >= half
    )
    assert (model.tensors["1.running_var"] == median).all()
