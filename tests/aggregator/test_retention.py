"""Content of rounds that nobody needs goes, on the disk and at the IPFS node; what anybody needs stays."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aggregator.publisher import Publisher
from aggregator.retention import Retention, explain_retention, find_spent, measure_kept
from aggregator.round_contents import RoundContents
from dao.core.constants import PUBLIC_ROUNDS
from dao.core.formats.cid import Cid
from dao.core.types import Digest, Phase, RoundId, TaskId
from dao.devnet.kubo_daemon import start_kubo
from dao.errors import ContentError
from dao.runtime.failpoint import VARIABLE
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from dao.store.layered import LayeredStore
from dao.store.source import Store

TASK, SIZE = TaskId(1), 3 << 19  # bytes of a model: a tree of two blocks


def _report(event: str, **fields: object) -> None:
    del event, fields


@dataclass
class Keeper:
    """A Superlink's content: publisher, retention, and rounds whose phases the test sets."""

    folder: Path
    keep: int | None
    replicas: Sequence[Store] = ()
    phases: dict[RoundId, Phase] = field(default_factory=dict)
    models: list[Cid] = field(default_factory=list)
    others: list[list[Cid]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.disk = DiskStore(self.folder / "store", sync=False)
        self.contents = RoundContents(self.folder / "contents.db")
        self.reopen()

    def reopen(self, task: TaskId = TASK) -> None:
        """Begin as a new process does."""
        self.store = LayeredStore(self.disk, replicas=self.replicas)
        self.retention = Retention(task, self.contents, self.store, self.keep, _report)
        self.publisher = Publisher(self.store, self.retention)

    async def play(self, size: int = SIZE) -> RoundId:
        """Publish what a round of this size leaves, as the Superlink does, and let it become final."""
        round_id = RoundId(len(self.others) + 1)
        self.publisher.begin(round_id, *self.models[-2:])
        update = await self.reveal(round_id, os.urandom(size // 4))
        self.publisher.publish(update)
        others = [update]
        for name in ("model", "gradient", "shard"):
            path = self.folder / name
            path.write_bytes(os.urandom(size))
            others.append(await self.publisher.put_file(path))
        self.models.append(others.pop(1))
        others.append(await self.publisher.put_for_good(b"manifest %d" % round_id))
        await self.publisher.wait_settled(60)
        self.others.append(others)
        self.phases[round_id] = Phase.FINALIZED
        return round_id

    async def reveal(self, round_id: RoundId, update: bytes) -> Cid:
        """Take an update as the intake does."""
        cid = cid_of_bytes(update)
        self.retention.note_arriving(round_id, cid)
        await self.disk.put_bytes(update)
        return cid

    async def show(self, shard: bytes) -> Cid:
        """Publish the shard of the round that began last."""
        path = self.folder / "drawn"
        path.write_bytes(shard)
        cid = await self.publisher.put_shard(path)
        await self.publisher.wait_settled(60)
        return cid

    def size(self, cid: Cid) -> int:
        """Measure a content."""
        return self.disk.path_of(cid).stat().st_size

    async def sweep(self) -> int:
        async def read(rounds: Sequence[RoundId]) -> dict[RoundId, Phase]:
            return {number: self.phases.get(number, Phase.NONE) for number in rounds}

        return await self.retention.sweep(max(self.phases), read)

    async def has(self, cid: Cid) -> set[bool]:
        """Where a content is: everywhere, nowhere, or (both) only somewhere."""
        return {await store.has(cid) for store in (self.disk, *self.replicas)}


@pytest.mark.parametrize(
    ("phases", "head", "keep", "spent"),
    [
        ("FFFFF", 5, 2, "123"),
        ("FFFFF", 5, 0, "1234"),  # the newest model and the one before are a newcomer's
        ("FFFPZ", 5, 0, "12"),  # posted and frozen ones may yet be proven wrong
        ("FFFPV", 4, 0, "125"),
        ("FFVVV", 2, 1, "134"),  # the head stays, however many came to nothing after it
        ("FFAAC", 2, 9, "34"),  # of aborted ones there is nothing to audit
        ("NF", 2, 0, ""),  # a reorg took it back: it may open again
        ("FFFFF", 5, None, ""),
    ],
)
def test_spent__phases_of_rounds__only_what_nobody_needs(
    phases: str, head: int, keep: int | None, spent: str
) -> None:
    letters = {
        "F": Phase.FINALIZED,
        "P": Phase.POSTED,
        "Z": Phase.FROZEN,
        "V": Phase.VOID,
        "A": Phase.ABORTED,
        "C": Phase.CLOSED,
        "N": Phase.NONE,
    }
    known = {RoundId(number): letters[letter] for number, letter in enumerate(phases, 1)}
    assert find_spent(known, RoundId(head), keep) == [RoundId(int(number)) for number in spent]


async def test_sweep__rounds_long_final__only_what_audits_of_the_kept_need_stays(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, keep=2)
    for _ in range(6):
        await keeper.play()
        await keeper.sweep()
    assert keeper.contents.rounds(TASK) == [5, 6]
    for cid in [*keeper.others[4], *keeper.others[5], *keeper.models[2:]]:  # round 5 began from 3 and 4
        assert await keeper.has(cid) == {True}
    for cid in [*keeper.models[:2], *(cid for contents in keeper.others[:4] for cid in contents[:-1])]:
        assert await keeper.has(cid) == {False}
    manifests = [contents[-1] for contents in keeper.others]
    assert all([await keeper.disk.has(manifest) for manifest in manifests])
    files = set((keeper.disk.root / "objects").glob("*/*"))
    kept = measure_kept(TASK, keeper.contents, keeper.disk.path_of)
    assert kept.round_bytes + kept.good_bytes == sum(path.stat().st_size for path in files)
    assert kept.shard_bytes == 0
    assert {path.name for path in (keeper.disk.root / "pins").iterdir()} == {path.name for path in files}


async def test_sweep__shards_shown__those_stay_that_members_train_on_or_an_audit_needs(
    tmp_path: Path,
) -> None:
    """In the round that is open members train on those of PUBLIC_ROUNDS rounds; an audit of a kept round needs its own."""
    replica = Away(tmp_path / "replica", sync=False)
    replica.away = False
    keeper, shards = Keeper(tmp_path, 0, [replica]), []
    for _ in range(PUBLIC_ROUNDS + 8):
        round_id = await keeper.play(100)
        shards.append(await keeper.show(b"shard of round %d" % round_id))
        await keeper.sweep()
    gone, trained_on = shards[: -PUBLIC_ROUNDS - 1], shards[-PUBLIC_ROUNDS - 1 :]
    assert [await keeper.has(cid) for cid in gone] == [{False}] * len(gone)
    assert [await keeper.has(cid) for cid in trained_on] == [{True}] * len(trained_on)
    kept = measure_kept(TASK, keeper.contents, keeper.disk.path_of)
    assert (kept.rounds, kept.shard_bytes) == ([round_id], sum(map(keeper.size, trained_on[:-1])))
    keeper.keep = PUBLIC_ROUNDS + 4
    keeper.reopen()
    for _ in range(8):  # round 72 is the oldest whose audit is possible, and it stays for that
        await keeper.play(100)
        await keeper.show(b"shard of round %d" % len(keeper.others))
        await keeper.sweep()
    assert await keeper.has(trained_on[-1]) == {True}
    assert keeper.contents.rounds(TASK) == list(range(round_id, round_id + 9))


async def test_sweep__content_of_others_in_the_store__stays(tmp_path: Path) -> None:
    """An app, another task's round, and what a member names as its update although it is another's."""
    keeper = Keeper(tmp_path, keep=0)
    app, foreign, manifest = [await keeper.disk.put_bytes(data) for data in (b"app", b"foreign", b"manifest")]
    keeper.retention.note_for_good(app)
    for stolen in (b"app", b"foreign", b"manifest"):
        await keeper.reveal(RoundId(1), stolen)
    await keeper.play()
    keeper.contents.add(TaskId(2), RoundId(1), [keeper.models[0].digest])
    for _ in range(4):
        await keeper.play()
    assert await keeper.sweep() == 4
    for cid in (app, foreign, manifest, keeper.models[0]):
        assert await keeper.has(cid) == {True}
    keeper.reopen(TaskId(2))
    keeper.phases = {RoundId(1): Phase.ABORTED}
    assert await keeper.sweep() == 1
    assert await keeper.has(keeper.models[0]) == {False}


async def test_sweep__the_same_content_comes_again__stays(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, keep=0)
    again = await keeper.reveal(RoundId(1), b"the same update")
    for _ in range(3):
        await keeper.play()
    await keeper.reveal(RoundId(3), b"the same update")
    await keeper.sweep()
    assert await keeper.has(again) == {True}


class Away(DiskStore):
    """An IPFS node that does not answer when it is to let go."""

    away = True

    async def unpin(self, content: Cid | Digest) -> None:
        if self.away:
            raise ContentError("no answer")
        await self.discard(content)


async def test_sweep__ipfs_node_away_or_killed_meanwhile__taken_up_again(tmp_path: Path) -> None:
    replica = Away(tmp_path / "replica", sync=False)
    keeper = Keeper(tmp_path, 0, [replica])
    for _ in range(4):
        await keeper.play()
    await keeper.sweep()
    assert await keeper.has(keeper.models[0]) == {False, True}
    replica.away = False
    keeper.reopen()
    await keeper.sweep()
    assert await keeper.has(keeper.models[0]) == {False}
    assert keeper.contents.rounds(TASK) == [4]


KILLED = """
import asyncio, sys
from pathlib import Path
from aggregator.retention import Retention
from aggregator.round_contents import RoundContents
from dao.core.types import Phase, RoundId, TaskId
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore

async def read(rounds):
    return {number: Phase.FINALIZED for number in rounds}

folder = Path(sys.argv[1])
store = LayeredStore(DiskStore(folder / "store", sync=False))
contents = RoundContents(folder / "contents.db")
asyncio.run(Retention(TaskId(1), contents, store, 0, lambda *_, **__: None).sweep(RoundId(4), read))
"""


SWEEP_FAILPOINTS = ("superlink-dropping", "superlink-dropped")


@pytest.mark.parametrize("where", [*SWEEP_FAILPOINTS, ""])
async def test_sweep__killed_at_any_step__loses_nothing_and_is_taken_up_again(
    tmp_path: Path, where: str
) -> None:
    keeper = Keeper(tmp_path, 0)
    for _ in range(4):
        await keeper.play(1000)
    sweeping = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, tmp_path), env=os.environ | {VARIABLE: where}
    )
    assert await sweeping.wait() == (-signal.SIGKILL if where else 0)
    needed = [*keeper.models[1:], *keeper.others[3]]
    assert all([await keeper.disk.has(cid) for cid in needed])
    keeper.reopen()
    assert await keeper.sweep() == (3 if where else 0)
    assert all([await keeper.disk.has(cid) for cid in needed])
    assert len([*(keeper.disk.root / "objects").glob("*/*")]) == len(needed) + 3  # manifests
    assert keeper.contents.rounds(TASK) == [4]


@pytest.mark.kubo
async def test_sweep__ipfs_node_shared_with_another__frees_its_disk_and_leaves_theirs(tmp_path: Path) -> None:
    kubo = await start_kubo(tmp_path / "kubo")
    ours, theirs = [
        KuboStore(kubo.api, DiskStore(tmp_path / f"cache-{owner}", sync=False), owner=owner)
        for owner in ("a", "b")
    ]
    try:
        keeper = Keeper(tmp_path, 1, [ours])
        await keeper.play()
        await theirs.pin(keeper.models[0])
        held = await asyncio.to_thread(_size_of, kubo.repo)
        for _ in range(12):
            await keeper.play()
            await keeper.sweep()
        assert await asyncio.to_thread(_size_of, kubo.repo) < held + 12 * SIZE  # of 3.25 a round
        assert await keeper.has(keeper.models[0]) == {False, True}
        assert await keeper.has(keeper.models[5]) == {False}
        assert await ours.has(keeper.others[3][-1])
        await theirs.unpin(keeper.models[0])
        assert await keeper.has(keeper.models[0]) == {False}
    finally:
        ours.close()
        theirs.close()
        await kubo.stop()


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_explained__before_anything_grows__the_figures_of_a_round_and_of_all() -> None:
    said = explain_retention(3_100_000, 250_000, 4, 20, replicas=1)
    assert said == (
        "a round with 4 members adds 3.1 MB, and as much in the IPFS node; "
        "kept: 20 rounds with a result beside those that are not final, at most 0.07 GB; "
        "the shards of 64 rounds, on which members train, at most 0.02 GB; all manifests"
    )
    assert explain_retention(3_100_000, 250_000, 4, None, 0).endswith("kept: all rounds, without a limit")


async def test_sweep__keeps_all__asks_the_chain_for_nothing(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, None)
    await keeper.play()

    async def read(_: Sequence[RoundId]) -> dict[RoundId, Phase]:
        raise AssertionError

    assert await keeper.retention.sweep(RoundId(1), read) == 0
