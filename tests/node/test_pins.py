"""Updates are pinned until their round has ended, in whatever way, and no longer: at IPFS nodes too."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.chain.signer import Signer
from dao.core.commits import Reveal
from dao.core.formats import reasons
from dao.core.formats.cid import Cid
from dao.core.types import Address, Digest, Domain, Phase, RoundId, TaskId
from dao.errors import ContentError, NotFound, RpcError
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.check.site_data import SiteData
from node.journal import Step, SupernodeJournal
from node.model_keeper import ModelKeeper
from node.outcomes import Outcomes
from node.public_shards import PublicShards
from node.supernode import Supernode
from node.trainer import Trained
from node.update_maker import UpdateMaker
from node.uses import UseLog

pytestmark = pytest.mark.asyncio

SIGNER = Signer(b"k" * 32)
TASK, ROUND, ROOT = TaskId(1), RoundId(2), Digest(b"r" * 32)


class Replica(DiskStore):
    """An IPFS node that may be away, or hold an answer back."""

    away = False

    def __init__(self, root: Path) -> None:
        super().__init__(root, sync=False)
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self.answers.set()

    async def unpin(self, content: Cid | Digest) -> None:
        self.asked.set()
        await self.answers.wait()
        if self.away:
            raise ContentError("no answer")
        await super().unpin(content)


@dataclass
class Node:
    """What a Supernode keeps, and `base`, a model that is pinned beside it."""

    journal: SupernodeJournal
    disk: DiskStore
    replica: Replica
    store: LayeredStore
    outcomes: Outcomes
    base: Cid

    async def signs(self, round_id: RoundId, update: bytes, *, signed: bool = True) -> Cid:
        """What the daemon does with a trained update, and at the reveal by IPFS; a kill may come before it is signed."""
        cid = await self.disk.put_bytes(update)
        self.journal.see(TASK, round_id, 10)
        self.journal.pin(TASK, round_id, cid)
        if signed:
            self.journal.sign(TASK, round_id, ROOT, Reveal(cid, ROOT, ROOT), SIGNER.sign)
        await self.store.pin(cid)
        return cid

    async def released(self) -> None:
        """Release, and wait for it."""
        self.outcomes.release()
        await asyncio.gather(*self.outcomes._releasing)

    async def held(self, cid: Cid) -> tuple[bool, bool]:
        """Whether pinned content is kept here and at the IPFS node, once all else is dropped."""
        await self.disk.prune(0)
        await self.replica.prune(0)
        assert await self.disk.has(self.base)
        assert await self.replica.has(self.base)
        return await self.disk.has(cid), await self.replica.has(cid)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SupernodeJournal]:
    journal = SupernodeJournal(tmp_path / "journal", Domain(1, Address(bytes(20))), SIGNER.address)
    yield journal
    journal.close()


@pytest.fixture
async def node(journal: SupernodeJournal, tmp_path: Path) -> AsyncIterator[Node]:
    disk, replica = DiskStore(tmp_path / "own", sync=False), Replica(tmp_path / "ipfs")
    store, nobody = LayeredStore(disk, replicas=[replica]), cast("Any", None)
    outcomes = Outcomes(TASK, SIGNER.address, nobody, journal, store, nobody, 1 << 20, nobody)
    base = await disk.put_bytes(b"base model")
    await store.pin(base)
    yield Node(journal, disk, replica, store, outcomes, base)
    await outcomes.close()


class Reader:
    """A round that has come to its end without a result."""

    def __init__(self, phase: Phase) -> None:
        self._state = SimpleNamespace(phase=phase, opening=ROOT, open_block=10, closed_at=0)

    async def read_state(self, _: object) -> SimpleNamespace:
        return self._state

    async def read_result(self, _: object) -> object:
        raise NotFound("manifest: nobody has it", "nobody has it")

    async def wait_leaving(self, *_: object) -> SimpleNamespace:
        return self._state

    async def read_rules_of(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(quorum=2, challenge_period=3600)


@pytest.mark.parametrize("phase", [Phase.ABORTED, Phase.VOID])
async def test_take_part__round_ends_without_a_result__its_update_is_unpinned(
    node: Node, phase: Phase
) -> None:
    cid = await node.signs(ROUND, b"update")
    deps = SimpleNamespace(reader=Reader(phase), journal=node.journal, outcomes=node.outcomes)
    await Supernode(TASK, cast("Any", deps)).take_part(ROUND)
    await asyncio.gather(*node.outcomes._releasing)
    assert node.journal.note_of(TASK, ROUND).step is Step.ENDED
    assert await node.held(cid) == (False, False)


async def test_conclude__round_is_aborted_meanwhile__its_update_is_unpinned(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a reorg took the result back, and none was posted again."""
    cid = await node.signs(ROUND, b"update")
    node.journal.reach(TASK, ROUND, Step.REVEALED)
    entry = node.journal.commit_of(TASK, ROUND, ROOT)
    assert entry is not None
    monkeypatch.setattr(node.outcomes, "_reader", Reader(Phase.ABORTED))
    node.outcomes.conclude(ROUND, entry)
    await node.outcomes._running[ROUND]
    assert node.journal.note_of(TASK, ROUND).step is Step.ENDED
    assert await node.held(cid) == (False, False)


async def test_conclude__chain_gives_no_answer__the_reason_is_kept_and_a_later_process_asks_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(Phase.ABORTED)

    async def fail(_: object) -> SimpleNamespace:
        raise RpcError("ws://chain.example: nobody answers")

    monkeypatch.setattr(reader, "read_state", fail)
    cid = await node.signs(ROUND, b"update")
    node.journal.reach(TASK, ROUND, Step.REVEALED)
    entry = node.journal.commit_of(TASK, ROUND, ROOT)
    assert entry is not None
    monkeypatch.setattr(node.outcomes, "_reader", reader)
    node.outcomes.conclude(ROUND, entry)
    await node.outcomes._running[ROUND]
    note = node.journal.note_of(TASK, ROUND)
    assert (note.step, note.reason) == (Step.REVEALED, reasons.NO_RESULT)
    assert await node.held(cid) == (True, True)


@pytest.mark.parametrize(("phase", "is_held"), [(Phase.FINALIZED, False), (Phase.POSTED, True)])
async def test_conclude__manifest_cannot_be_had__its_update_is_unpinned_once_the_round_is_final(
    node: Node, phase: Phase, is_held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def demand(_: object) -> str:
        return "it is too late"

    cid = await node.signs(ROUND, b"update")
    node.journal.reach(TASK, ROUND, Step.REVEALED)
    entry = node.journal.commit_of(TASK, ROUND, ROOT)
    assert entry is not None
    monkeypatch.setattr(node.outcomes, "_reader", Reader(phase))
    monkeypatch.setattr(node.outcomes, "_defence", SimpleNamespace(demand=demand))
    monkeypatch.setattr("node.outcomes.PATIENCE", 0.01)
    node.outcomes.conclude(ROUND, entry)
    await node.outcomes._running[ROUND]
    note = node.journal.note_of(TASK, ROUND)
    assert note.reason == "the round's manifest could not be had within 0 s; it is too late"
    assert (await node.held(cid))[0] is is_held


async def test_conclude__manifest_comes_after_a_demand_for_it__is_read(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def read(_: object) -> str:
        if not done:
            await asyncio.Event().wait()
        return "manifest"

    async def demand(_: object) -> str:
        done.append("demanded")
        return "it is too late"

    monkeypatch.setattr(node.outcomes, "_reader", Reader(Phase.POSTED))
    monkeypatch.setattr(node.outcomes, "_defence", SimpleNamespace(demand=demand))
    monkeypatch.setattr(node.outcomes, "_read_manifest", read)
    monkeypatch.setattr("node.outcomes.DEMAND_PART", 0)
    monkeypatch.setattr("node.outcomes.LEAST_PATIENCE", 0.01)
    found: object = await node.outcomes._get_manifest(ROUND)
    assert found == "manifest"
    assert done == ["demanded"]


async def test_release__round_not_ended__its_update_stays_pinned(node: Node) -> None:
    cid = await node.signs(ROUND, b"update")
    node.journal.reach(TASK, ROUND, Step.REVEALED)
    await node.released()
    assert await node.held(cid) == (True, True)


async def test_release__killed_before_it_was_signed__is_unpinned(node: Node) -> None:
    lost = await node.signs(ROUND, b"lost", signed=False)
    kept = await node.signs(ROUND, b"trained again")
    await node.released()
    assert await node.held(lost) == (False, False)
    assert await node.held(kept) == (True, True)


async def test_train_and_sign__ends_before_it_has_signed__its_update_is_unpinned(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def train(*_: object, **__: object) -> Trained:
        return Trained({}, 0.0, 0.0, 0.0, 0, "", None, ())

    def write(*given: Any) -> Digest:
        given[4].write_bytes(b"update")
        return ROOT

    def fail(_: object) -> bytes:
        assert (node.disk.root / "pins" / lost.digest.hex()).exists()
        raise OSError("no room on the disk")

    monkeypatch.setattr("node.update_maker.write_update", write)
    lost = cid_of_bytes(b"update")

    async def trainer(_: object) -> SimpleNamespace:
        return SimpleNamespace(train=train)

    async def origin() -> str:
        return "account 0x00"

    async def read_base(*_: object) -> Digest:
        return node.base.digest

    signer, clock, readiness, reader = (
        cast("Any", one)
        for one in (
            SimpleNamespace(address=SIGNER.address, sign=fail),
            SimpleNamespace(now=lambda: 0.0),
            SimpleNamespace(get_trainer=trainer, data=SiteData(tmp_path, TASK)),
            SimpleNamespace(read_base=read_base),
        )
    )
    maker = UpdateMaker(
        *(TASK, signer, Domain(1, Address(bytes(20))), reader, clock),
        *(node.journal, node.store, readiness, ModelKeeper(TASK, reader, node.store), tmp_path),
        uses=UseLog(tmp_path, TASK, origin),
        public=PublicShards(TASK, reader, node.store, 0),
    )
    rules = SimpleNamespace(
        app_hash=bytes(32),
        card=bytes(32),
        base_model=node.base.digest,
        commit_period=60,
        codec=None,
        body_depth=3,
    )
    node.journal.see(TASK, ROUND, 10)
    with pytest.raises(OSError, match="no room"):
        await maker.train_and_sign(
            ROUND, cast("Any", SimpleNamespace(parent=0, opening=ROOT)), cast("Any", rules), 60
        )
    await node.released()
    assert (await node.held(lost))[0] is False


async def test_release__killed_between_the_end_and_unpinning__is_unpinned_at_the_next_start(
    node: Node,
) -> None:
    cid = await node.signs(ROUND, b"update")
    node.journal.reach(TASK, ROUND, Step.ENDED)
    await node.disk.unpin(cid)  # and killed before the IPFS node heard
    nothing = SimpleNamespace(stop=lambda: asyncio.sleep(0))
    deps = SimpleNamespace(reader=None, journal=node.journal, readiness=nothing, outcomes=node.outcomes)
    with pytest.raises(AttributeError):  # it has no chain
        await Supernode(TASK, cast("Any", deps)).run()
    await asyncio.gather(*node.outcomes._releasing)
    assert await node.held(cid) == (False, False)


async def test_release__ipfs_node_away__is_unpinned_here_at_once_and_there_the_next_time(node: Node) -> None:
    cids = [await node.signs(RoundId(number), b"%d" % number) for number in (2, 3)]
    for number in (2, 3):
        node.journal.reach(TASK, RoundId(number), Step.ENDED)
    node.replica.away = True
    await node.released()
    assert [await node.held(cid) for cid in cids] == [(False, True)] * 2
    node.replica.away = False
    await node.released()
    assert [await node.held(cid) for cid in cids] == [(False, False)] * 2
    assert node.journal.idle_pins() == []


async def test_release__next_round_signs_the_same_meanwhile__stays_pinned(node: Node) -> None:
    cid = await node.signs(ROUND, b"update")
    node.journal.reach(TASK, ROUND, Step.ENDED)
    node.replica.answers.clear()
    node.outcomes.release()
    await node.replica.asked.wait()
    following = RoundId(ROUND + 1)
    node.journal.see(TASK, following, 20)
    node.journal.pin(TASK, following, cid)
    await node.disk.pin(cid)
    node.journal.sign(TASK, following, ROOT, Reveal(cid, ROOT, ROOT), SIGNER.sign)
    node.replica.answers.set()
    await asyncio.gather(*node.outcomes._releasing)
    assert (await node.held(cid))[0]
    await node.store.pin(cid)  # as it reveals
    node.journal.reach(TASK, following, Step.ENDED)
    await node.released()
    assert await node.held(cid) == (False, False)
