"""A node audits whole rounds by itself, drawn by its own chance, and proves what is wrong of others, too."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dao.app.bundle import bundle, compute_app_digest
from dao.app.gradient_client import GradientClient
from dao.audit.auditor import CHECKS
from dao.chain.block_clock import BlockClock
from dao.chain.contracts import Coordinator
from dao.chain.final_reader import FinalReader
from dao.chain.signer import Signer
from dao.chain.vote_events import GradientAccused
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.types import Digest, MicroScore, Phase, RoundId, Status
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.approvals import Approvals
from node.journal import SupernodeJournal
from node.round_auditor import AUDIT, HOLDS, RoundAuditor
from node.self_defence import SelfDefence
from tests.audit.cheats import node_of, with_node
from tests.audit.stage import TAMPERED, Stage
from tests.support import bring_together, has_failed, mining

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
ROUND = RoundId(TAMPERED)


def evaluator_of(app: Path, scratch: Path) -> GradientClient:
    return GradientClient(app, Path(sys.executable), scratch, limit=60, threads=1, keeps_log=False)


@asynccontextmanager
async def auditor_of(
    stage: Stage, manifest: Manifest, home: Path, *, approved: bool = True, sees: bool = True
) -> AsyncIterator[tuple[RoundAuditor, SupernodeJournal]]:
    """A node's auditor of all rounds, once this manifest is posted of the second one; the node takes no part in it."""
    world, signer = stage.world, stage.world.members[0].operator
    world.network.anvil.fund(signer.address, 10**19)  # type: ignore[arg-type]
    approvals = Approvals(home)
    if approved:
        approvals.approve(world.task, compute_app_digest(bundle(world.assignment.app)), Digest(bytes(32)))
    async with (
        stage.posted(stage.stated(manifest), dump_manifest(manifest)),
        world.network.chain() as chain,
        mining(stage.world.network.anvil),
        world.network.sender(chain, signer) as sender,
    ):
        places = [DiskStore(stage.folder), DiskStore(world.assignment.store)]
        store = LayeredStore(DiskStore(home / "content"), places, attempts=1)
        journal = SupernodeJournal(home / "journal.db", chain.domain, signer.address)
        if sees:
            journal.see(world.task, ROUND, 1)
        defence = SelfDefence(chain, sender, store, world.task, signer.address, True, 6_000_000)
        reader = FinalReader(chain, world.task)
        deps = world.task, chain, reader, BlockClock(chain), journal, store, defence, signer, approvals
        yield RoundAuditor(*deps, evaluator_of, home, 1.0), journal
        journal.close()


def found(stage: Stage, journal: SupernodeJournal) -> str:
    return str(journal.note_of(stage.world.task, ROUND).facts[AUDIT])


async def test_audit__honest_round__all_checks_hold_and_are_made_once(stage: Stage, tmp_path: Path) -> None:
    async with auditor_of(stage, stage.manifest, tmp_path) as (auditor, journal):
        await auditor.look(ROUND, auditor.reader.reorgs)
        assert found(stage, journal) == HOLDS.format(len(CHECKS))
        (tmp_path / "approvals.jsonl").unlink()  # another audit would say so
        await auditor.look(ROUND, auditor.reader.reorgs)
        assert found(stage, journal) == HOLDS.format(len(CHECKS))


async def test_audit__round_that_the_node_has_not_seen_open__is_audited_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with auditor_of(stage, stage.manifest, tmp_path, sees=False) as (auditor, _):
        with capture_logs() as logs:
            await auditor.look(ROUND, auditor.reader.reorgs)
            await auditor.look(ROUND, auditor.reader.reorgs)
        audits = [line["found"] for line in logs if line["event"] == "audited"]
        assert audits == [HOLDS.format(len(CHECKS))]


async def test_audit__another_nodes_score_raised__proven_and_void(stage: Stage, tmp_path: Path) -> None:
    node = node_of(stage.manifest, Status.OK)
    lie = stage.resettled(with_node(stage.manifest, Status.OK, score=MicroScore(2 * node.score)))
    async with auditor_of(stage, lie, tmp_path) as (auditor, journal):
        await auditor.look(ROUND, auditor.reader.reorgs)
        chain = auditor.chain
        state = await Coordinator(chain).round_of(stage.world.task, ROUND, chain.head())
        assert state.phase is Phase.VOID
        said = found(stage, journal)
        assert said.startswith("audited: ")
        assert "its score does not follow from its products; proven on chain: the round is void" in said


async def test_audit__reorg_lets_the_lie_stand_again__proven_again(stage: Stage, tmp_path: Path) -> None:
    node = node_of(stage.manifest, Status.OK)
    lie = stage.resettled(with_node(stage.manifest, Status.OK, score=MicroScore(2 * node.score)))
    anvil = stage.world.network.anvil
    async with auditor_of(stage, lie, tmp_path) as (auditor, journal), asyncio.timeout(120):
        running = asyncio.create_task(auditor.run())
        while not journal.note_of(stage.world.task, ROUND).facts.get(AUDIT):
            await auditor.chain.changed(1)
        assert "proven on chain" in found(stage, journal)
        assert has_failed(anvil, bring_together(anvil, auditor.signer.address))
        await auditor.reader.wait_leaving(ROUND, {Phase.VOID})
        await auditor.reader.wait_leaving(ROUND, {Phase.POSTED})
        assert (await auditor.reader.read_state(ROUND)).phase is Phase.VOID
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_audit__app_that_the_owner_has_not_approved__is_not_run(stage: Stage, tmp_path: Path) -> None:
    async with auditor_of(stage, stage.manifest, tmp_path, approved=False) as (auditor, journal):
        await auditor.look(ROUND, auditor.reader.reorgs)
        assert "waits for its owner's approval" in found(stage, journal)
        assert not (tmp_path / f"audit-{stage.world.task}").exists()


async def test_draw__many_rounds__the_share_of_them_and_the_same_again(stage: Stage, tmp_path: Path) -> None:
    async with auditor_of(stage, stage.manifest, tmp_path) as (auditor, _):
        openings = [cast("Any", SimpleNamespace(opening=Digest(n.to_bytes(32, "big")))) for n in range(400)]
        quarter = replace(auditor, share=0.25)
        drawn = [quarter.is_drawn(opening) for opening in openings]
        assert drawn == [quarter.is_drawn(opening) for opening in openings]
        assert 60 <= sum(drawn) <= 140
        assert drawn != [replace(quarter, signer=Signer.ephemeral()).is_drawn(one) for one in openings]
        assert all(auditor.is_drawn(opening) for opening in openings)
        assert not any(replace(auditor, share=0.0).is_drawn(opening) for opening in openings)


async def test_accuse__by_a_node_that_found_a_gradient_wrong__jurors_are_asked_once(
    stage: Stage, tmp_path: Path
) -> None:
    """Where products follow from a made-up gradient, no prover holds, and an audit alone can tell."""
    async with auditor_of(stage, stage.manifest, tmp_path) as (auditor, _):
        defence = auditor.defence
        assert "accused on chain, where jurors vote until" in await defence.accuse_gradients(ROUND)
        assert "accused on chain, where jurors vote until" in await defence.accuse_gradients(ROUND)
        assert len(await auditor.chain.past(GradientAccused, task=stage.world.task)) == 1
        told = replace(defence, proves=False)
        assert f"dao challenge {stage.world.task} {ROUND} --gradients" in await told.accuse_gradients(ROUND)
