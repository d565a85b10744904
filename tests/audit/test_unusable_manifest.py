"""A manifest that does not go with its result: what the result binds is demanded, and jurors find it wrong for that alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from dao.audit.accusing import find_proof
from dao.audit.answering import build_answer
from dao.audit.evidence import PROVABLE, read_manifest
from dao.audit.findings import Missing
from dao.audit.gradients import judge_gradients
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.demanding import decode_leaf_place, list_open_demands
from dao.chain.disputes import Disputes
from dao.chain.event_types import Event
from dao.chain.events import Demanded
from dao.chain.final_reader import FinalReader
from dao.chain.sender import Sender
from dao.chain.vote_events import GradientAccused
from dao.core.commits import Reveal, SignedCommit
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Node, dump_manifest
from dao.core.types import Digest, Phase, Result, RoundId, Status
from dao.errors import Reverted
from dao.store.cid import cid_of_bytes, digest_of_content
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT
from node.journal import CommitEntry, Step, SupernodeJournal
from node.outcomes import Outcomes
from node.self_defence import SelfDefence
from tests.audit.cheats import node_of
from tests.audit.stage import TAMPERED, Stage
from tests.audit.test_round_auditor import auditor_of, found
from tests.support import mining

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
ROUND = RoundId(TAMPERED)
Posted = tuple[Result, bytes]


class Noting(DiskStore):
    """Notes of how many bytes each content that it is asked for may have."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.allowed: dict[Digest, int] = {}

    async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
        self.allowed[digest_of_content(content)] = max_bytes
        return await super().get(content, max_bytes)


def of_another_round(stage: Stage) -> Posted:
    other = replace(stage.manifest, round=RoundId(9))
    return stage.stated(other), dump_manifest(other)


def malformed(stage: Stage) -> Posted:
    content = b'{"format":"manifest/1"}'
    return replace(stage.honest, manifest_digest=cid_of_bytes(content).digest), content


def of_other_roots(stage: Stage) -> Posted:
    honest = dump_manifest(stage.manifest)
    return replace(stage.stated(stage.manifest), statement=Digest(b"s" * 32)), honest


def of_what_no_leaf_holds(stage: Stage) -> Posted:
    content = dump_manifest(replace(stage.manifest, gradient_along=1 << 300))
    return replace(stage.honest, manifest_digest=cid_of_bytes(content).digest), content


UNUSABLE: list[Callable[[Stage], Posted]] = [
    of_another_round,
    malformed,
    of_other_roots,
    of_what_no_leaf_holds,
]


@dataclass
class Site:
    """The part of a node's daemon that looks at results."""

    chain: Chain
    sender: Sender
    store: LayeredStore
    journal: SupernodeJournal
    outcomes: Outcomes
    stage: Stage
    row: Node

    def concludes(self) -> asyncio.Task[None]:
        """Begin to conclude the round, as after its reveal."""
        task, row = self.stage.world.task, self.row
        assert row.cid is not None and row.body_root is not None and row.salt is not None  # noqa: PT018
        opening = self.stage.manifest.opening
        self.journal.see(task, ROUND, 1)
        reveal = Reveal(row.cid, row.body_root, row.salt)
        self.journal.sign(task, ROUND, opening, reveal, lambda _: row.signature)
        commit = SignedCommit(task, ROUND, opening, row.node, row.commitment, row.signature)
        self.journal.reach(task, ROUND, Step.REVEALED)
        self.outcomes.conclude(ROUND, CommitEntry(commit, reveal))
        return self.outcomes._running[ROUND]

    async def sees(self, kind: type[Event]) -> Any:
        """Wait for the first event of a kind."""
        while not (events := await self.chain.past(kind, task=self.stage.world.task)):
            await self.chain.changed(1)
        return events[0]

    async def lets_demand_pass(self) -> None:
        """Answer no demand until its deadline is over."""
        demanded = await self.sees(Demanded)
        self.stage.world.skip(demanded.deadline - self.chain.head().timestamp)

    async def phase(self) -> Phase:
        return (await Coordinator(self.chain).round_of(self.stage.world.task, ROUND, self.chain.head())).phase


@asynccontextmanager
async def site(stage: Stage, posted: Posted, home: Path) -> AsyncIterator[Site]:
    """A node of the round, once this result and manifest are posted."""
    world, row = stage.world, node_of(stage.manifest, Status.OK)
    signer = next(node.signer for node in world.nodes if node.signer.address == row.node)
    world.network.anvil.fund(signer.address, 10**19)  # type: ignore[arg-type]
    async with (
        asyncio.timeout(100),
        stage.posted(*posted),
        world.network.chain() as chain,
        mining(world.network.anvil),
        world.network.sender(chain, signer) as sender,
    ):
        store = LayeredStore(DiskStore(home / "content"), [DiskStore(stage.folder)], attempts=1)
        journal = SupernodeJournal(home / "journal.db", chain.domain, signer.address)
        defence = SelfDefence(chain, sender, store, world.task, signer.address, proves=True)
        models = cast("Any", SimpleNamespace(begin=lambda *_: None))
        reader = FinalReader(chain, world.task)
        outcomes = Outcomes(*(world.task, signer.address, reader, journal, store, models, 1 << 30, defence))
        yield Site(chain, sender, store, journal, outcomes, stage, row)
        await outcomes.close()
        journal.close()


@pytest.mark.parametrize("post", UNUSABLE, ids=lambda post: post.__name__)
async def test_conclude__manifest_is_unusable__row_is_demanded_and_the_round_void(
    stage: Stage, post: Callable[[Stage], Posted], tmp_path: Path
) -> None:
    async with site(stage, post(stage), tmp_path) as node:
        concluding = node.concludes()
        await node.lets_demand_pass()
        await concluding
        assert await node.phase() is Phase.VOID
        note = node.journal.note_of(stage.world.task, ROUND)
        assert note.step is Step.ENDED
        assert "was demanded on chain, and nobody showed it: the round is void" in note.reason
        assert "status" not in note.facts


async def test_conclude__unusable_and_each_demand_is_answered__jurors_are_asked(
    stage: Stage, tmp_path: Path
) -> None:
    task = stage.world.task
    async with site(stage, of_another_round(stage), tmp_path) as node:
        concluding = node.concludes()
        await node.sees(Demanded)
        (demanded,) = await list_open_demands(node.chain, task)
        place = decode_leaf_place(demanded.place)
        answer = await build_answer(node.chain, node.store, task, ROUND, place, tmp_path)
        stated = answer.result, answer.statement, answer.content
        async with stage.world.network.sender(node.chain, stage.world.members[0].operator) as other:
            stage.world.network.anvil.fund(other.address, 10**19)  # type: ignore[arg-type]
            await other.send(Disputes(node.chain).answer(task, ROUND, demanded.place, *stated))
        accused = await node.sees(GradientAccused)
        await concluding
        assert accused.accuser == node.row.node
        note = node.journal.note_of(task, ROUND)
        assert note.step is Step.REVEALED  # a later process asks again
        assert "its manifest is of another one (manifest.round: stated 9, the chain says 2)" in note.reason
        assert "was demanded on chain, and shown there" in note.reason
        assert "accused on chain, where jurors vote until" in note.reason


async def test_conclude__unusable_and_nothing_can_be_demanded__jurors_are_asked(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where others, who may be the Superlink's own, have made so many demands that there is room for none."""
    full = Reverted("demand: TooManyDemands", "TooManyDemands", ())
    monkeypatch.setattr("node.self_defence.demand_leaf", AsyncMock(side_effect=full))
    async with site(stage, malformed(stage), tmp_path) as node:
        concluding = node.concludes()
        accused = await node.sees(GradientAccused)
        await concluding
        assert accused.accuser == node.row.node
        reason = node.journal.note_of(stage.world.task, ROUND).reason
        assert "its content was not demanded on chain: demand: TooManyDemands" in reason
        assert "accused on chain, where jurors vote until" in reason


@pytest.mark.parametrize("post", UNUSABLE, ids=lambda post: post.__name__)
async def test_audit__manifest_is_unusable__demanded_by_who_takes_no_part_too(
    stage: Stage, post: Callable[[Stage], Posted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, content = post(stage)
    monkeypatch.setattr(stage, "stated", lambda _: result)
    monkeypatch.setattr("tests.audit.test_round_auditor.dump_manifest", lambda _: content)
    async with auditor_of(stage, stage.manifest, tmp_path) as (auditor, journal), asyncio.timeout(100):
        looking = asyncio.create_task(auditor.look(ROUND, auditor.reader.reorgs))
        while not (demands := await list_open_demands(auditor.chain, stage.world.task)):
            assert not looking.done(), found(stage, journal)
            await auditor.chain.changed(1)
        stage.world.skip(demands[0].deadline - auditor.chain.head().timestamp)
        await looking
        assert "nobody showed it: the round is void" in found(stage, journal)


@pytest.mark.parametrize("which", ["gate_gradient", "gradient"])
@pytest.mark.parametrize("opens_all", [True, False])
async def test_judge_gradients__other_bytes_are_published_than_the_result_binds__is_wrong(
    stage: Stage, which: str, opens_all: bool, tmp_path: Path
) -> None:
    content = await stage.content(getattr(stage.manifest, which))
    content[-1] += 1
    changes: dict[str, Any] = {which: await stage.put(content)}
    manifest = replace(stage.manifest, **changes)
    async with site(stage, (stage.stated(manifest), dump_manifest(manifest)), tmp_path) as node:
        place = node.chain, node.store, stage.world.task, ROUND, stage.world.evaluator, tmp_path
        judgement = await judge_gradients(*place, opens_all=opens_all)
        assert (judgement.is_wrong, judgement.is_missing) == (True, False)
        assert "the content that is published has another root than the result states" in judgement.words


@pytest.mark.parametrize("opens_all", [True, False])
async def test_judge_gradients__result_is_right__gradients_are_fetched_only_where_jurors_must_agree_on_them(
    stage: Stage, opens_all: bool, tmp_path: Path
) -> None:
    store, gradients = Noting(stage.folder), [stage.manifest.gate_gradient, stage.manifest.gradient]
    async with site(stage, (stage.stated(stage.manifest), dump_manifest(stage.manifest)), tmp_path) as node:
        place = node.chain, store, stage.world.task, ROUND, stage.world.evaluator, tmp_path
        assert not (await judge_gradients(*place, opens_all=opens_all)).is_wrong
    assert [cid.digest in store.allowed for cid in gradients if cid] == [opens_all, opens_all]


@pytest.mark.parametrize("post", UNUSABLE, ids=lambda post: post.__name__)
async def test_judge_gradients__manifest_is_unusable__is_wrong(
    stage: Stage, post: Callable[[Stage], Posted], tmp_path: Path
) -> None:
    async with site(stage, post(stage), tmp_path) as node:
        place = node.chain, node.store, stage.world.task, ROUND, stage.world.evaluator, tmp_path
        judgement = await judge_gradients(*place, opens_all=False)
        assert (judgement.is_wrong, judgement.is_missing) == (True, False)


async def test_conclude__manifest_is_kept_from_all_in_a_short_window__demanded_while_that_is_possible(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the window is short, ten minutes would be more than it has for a demand."""
    result = replace(stage.honest, manifest_digest=Digest(b"m" * 32))
    async with site(stage, (result, b"hidden"), tmp_path) as node:
        rules = replace(await FinalReader(node.chain, stage.world.task).read_rules(), challenge_period=4)
        monkeypatch.setattr(FinalReader, "read_rules_of", AsyncMock(return_value=rules))
        monkeypatch.setattr("node.outcomes.LEAST_PATIENCE", 1.0)
        concluding = node.concludes()
        await node.lets_demand_pass()
        await concluding
        assert await node.phase() is Phase.VOID
        reason = node.journal.note_of(stage.world.task, ROUND).reason
        assert "could not be had within 1 s; its rows:" in reason


async def test_read_manifest__dropped_in_the_moment_that_it_is_read__fetched_again(
    stage: Stage, tmp_path: Path
) -> None:
    digest = (await stage.put(dump_manifest(stage.manifest))).digest
    fetched: list[object] = []

    class Dropping(DiskStore):
        async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
            fetched.append(content)
            path = await super().get(content, max_bytes)
            return path if len(fetched) == drops + 1 else tmp_path / "gone"

    for drops in (0, 2):
        fetched.clear()
        assert await read_manifest(Dropping(stage.folder), digest) == stage.manifest
        assert len(fetched) == drops + 1
    drops = 9
    with pytest.raises(Missing, match="drops it again and again"):
        await read_manifest(Dropping(stage.folder), digest)


async def test_judge_gradients__model_of_any_size_is_named__no_more_is_fetched_than_a_model_has(
    stage: Stage, tmp_path: Path
) -> None:
    store = Noting(stage.folder)
    async with site(stage, (stage.stated(stage.manifest), dump_manifest(stage.manifest)), tmp_path) as node:
        place = node.chain, store, stage.world.task, ROUND, stage.world.evaluator, tmp_path
        judgement = await judge_gradients(*place, opens_all=True)
        assert not judgement.is_wrong, judgement.words
        found = await find_proof(node.chain, store, stage.world.task, ROUND)
        assert found is None
    assert store.allowed[stage.manifest.model.digest] == PROVABLE
