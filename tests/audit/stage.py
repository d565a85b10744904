"""A round that is about to be settled: a cheating Superlink may post what it likes, is audited, and it is undone."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from dao.app.gradient_client import GradientClient
from dao.audit import Check, Outcome, audit
from dao.audit.auditor import CHECKS
from dao.audit.replay import build_inputs, build_outcome
from dao.chain.client import Chain
from dao.chain.interface import load
from dao.chain.rounds import RoundReader
from dao.core.commits import NodeCommitment
from dao.core.constants import MAX_MANIFEST
from dao.core.formats.canonical import read_json, write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.layout import Model
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.formats.update import encode_update_prefix
from dao.core.settle import settle_round
from dao.core.statement import compute_result as result_of
from dao.core.transition import get_post_state
from dao.core.types import Codec, PassReason, Phase, Result, RoundId, hex_of
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.store.source import Source
from tests.aggregator.assignment import Assignment
from tests.aggregator.cut_off import CutOff
from tests.aggregator.world import Node, World
from tests.support import RULES, Network

TAMPERED = 2  # the round


async def audit_of(
    world: World, round_: int, cache: Path, *sources: Path | Source, chain: Chain | None = None
) -> dict[str, Check]:
    """All checks by name; content from the Superlink's store and the proposer's, or from `sources`."""
    if chain is None:
        async with world.network.chain() as own:
            return await audit_of(world, round_, cache, *sources, chain=own)
    given = sources or (world.home / "store", world.assignment.store)
    stores = [DiskStore(source) if isinstance(source, Path) else source for source in given]
    source = LayeredStore(DiskStore(cache), stores, attempts=1)
    python = Path(sys.executable)
    checks = [c async for c in audit(chain, source, world.task, RoundId(round_), python, 60, world.evaluator)]
    assert sorted(check.name for check in checks) == sorted(CHECKS)
    return {check.name: check for check in checks}


def failed(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if check.outcome is Outcome.FAILED}


def unchecked(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if check.outcome is Outcome.UNCHECKED}


def opposed(node: Node, base: Model) -> bytes:
    """The honest update backwards."""
    honest = Node.honest(node, base)
    prefix = len(encode_update_prefix(base.layout, Codec.INT8))
    content = bytearray(honest)
    for place in range(prefix, len(content)):
        if (place - prefix) % 260 < 256:
            content[place] = -content[place] % 256
    return bytes(content)


def out_of_range(node: Node, base: Model) -> bytes:
    """An update with a value that int8 does not have."""
    content = bytearray(Node.honest(node, base))
    content[len(encode_update_prefix(base.layout, Codec.INT8))] = 0x80
    return bytes(content)


@dataclass
class Stage:
    """A world whose second round is closed and revealed, and what was posted of it before that was undone."""

    world: World
    manifest: Manifest
    previous: Manifest
    honest: Result
    forced: Sequence[NodeCommitment]
    folder: Path  # content of the cheat, beside what the Superlink stored
    cache: Path  # of the auditor

    @classmethod
    async def make(
        cls, network: Network, assignment: Assignment, evaluator: GradientClient, folder: Path
    ) -> "Stage":
        """Play two rounds, the second with a node of each kind, and take its result back."""
        world = await World.make(
            network, assignment, folder / "superlink", evaluator, 10, reveal_period=600, result_period=100_000
        )
        async with world.superlink() as running:
            await world.play(running)
            gated, forcing, absent, withheld, invalid, passing = world.nodes[3:9]
            world.nodes[9] = CutOff(world, world.members[9], 9)  # and nobody has its content
            gated.content, invalid.content = opposed, out_of_range
            forcing.forces, absent.commits, withheld.reveals = True, False, False
            passing.passes = PassReason.NO_TIME
            async with asyncio.TaskGroup() as group:
                group.create_task(world.play(running))
                group.create_task(world.hasten(running, TAMPERED, 9, 6, 1))
        manifest, honest = await world.manifest(TAMPERED), await world.result(TAMPERED)
        async with network.chain() as chain:
            events = (await RoundReader(chain, world.task).events_of(RoundId(TAMPERED), chain.head())).forced
        network.anvil.request("anvil_rollback", 1)
        assert (await world.state(TAMPERED)).phase is Phase.CLOSED
        network.anvil.request("anvil_impersonateAccount", hex_of(world.bonded.operator.address))
        shutil.copytree(world.home / "store", folder / "cheat")
        return cls(
            world, manifest, await world.manifest(1), honest, events, folder / "cheat", folder / "audit"
        )

    async def put(self, content: bytes | bytearray) -> Cid:
        """Publish content; return its CID."""
        return await DiskStore(self.folder).put_bytes(bytes(content))

    async def content(self, cid: Cid | None) -> bytearray:
        """Bytes that the honest Superlink published."""
        assert cid is not None
        return bytearray((await DiskStore(self.folder).get(cid)).read_bytes())

    def stated(self, manifest: Manifest, **changes: Any) -> Result:
        """The result that goes with a manifest."""
        model = manifest.model.digest
        made = result_of(manifest, self.forced, model, cid_of_bytes(dump_manifest(manifest)).digest)
        return replace(made, **changes)

    def resettled(self, manifest: Manifest) -> Manifest:
        """A manifest whose payouts, accounts and roots follow from the weights and scores that it states."""
        inputs = build_inputs(
            manifest,
            RULES,
            get_post_state(self.previous),
            self.forced,
        )
        return settle_round(inputs, build_outcome(manifest))

    @asynccontextmanager
    async def posted(self, result: Result, manifest: bytes) -> AsyncIterator[None]:
        """The round with this result and manifest; closed again afterwards."""
        anvil, world = self.world.network.anvil, self.world
        await self.put(manifest)
        before = anvil.request("evm_snapshot")
        post = load("TrainingCoordinator").functions["postResult"]
        call = {
            "from": hex_of(world.bonded.operator.address),
            "to": hex_of(world.network.deployment.coordinator),
            "data": hex_of(post.encode(world.task, TAMPERED, astuple(result))),
        }
        try:
            anvil.request("eth_sendTransactionSync", call)
            yield
        finally:
            anvil.request("evm_revert", before)

    async def audit(
        self, manifest: Manifest | dict[str, Any] | bytes, result: Result | None = None
    ) -> dict[str, Check]:
        """Post this manifest, with the result that states it or the one given, and audit the round."""
        if isinstance(manifest, Manifest):
            content = dump_manifest(manifest)
            stated = result or self.stated(manifest)
        else:
            content = manifest if isinstance(manifest, bytes) else write_canonical(manifest)
            stated = result or self.honest
        stated = replace(stated, manifest_digest=cid_of_bytes(content).digest)
        async with self.posted(stated, content):
            return await audit_of(self.world, TAMPERED, self.cache, self.folder, self.world.assignment.store)

    def as_json(self) -> dict[str, Any]:
        """The honest manifest as anyone reads it."""
        return read_json(dump_manifest(self.manifest), "manifest", MAX_MANIFEST)
