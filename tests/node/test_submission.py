"""A commit and a reveal go to the chain when no receipt comes; no commit does round after round into rounds that never close."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.chain.signer import Signer
from dao.core.commits import Reveal, SignedCommit
from dao.core.formats.signed_messages import compute_revealed_digest
from dao.core.types import Address, Digest, Domain, RoundId, Signature, TaskId, Timestamp
from dao.errors import NotFound, Unreachable
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.messages import Ack
from node.journal import CommitEntry, Step, SupernodeJournal
from node.submission import FUTILE, Submission, compute_force_time, compute_forcing_time

TASK, SIGNER = TaskId(1), Signer(b"s" * 32)
DOMAIN, OPENING = Domain(1, Address(bytes(20))), Digest(b"o" * 32)
SUPERLINK = Signer(b"l" * 32)
RULES = cast(
    "Any",
    SimpleNamespace(
        commit_period=100, close_share=100, quorum=1, reveal_period=80, superlink=SUPERLINK.address
    ),
)
OPENED = cast("Any", SimpleNamespace(opened_at=0, eligible=10))
CLOSED = cast("Any", SimpleNamespace(closed_at=0))


class Deaf:
    """A Superlink that answers nobody."""

    async def commit(self, _: SignedCommit) -> None:
        raise Unreachable("nobody there")

    async def inclusion(self, *_: object, **__: object) -> None:
        raise NotFound("its commit is not in the tree")

    async def reveal(
        self, task: TaskId, round_id: RoundId, reveal: Reveal, content: Path | None, _: Any
    ) -> Ack:
        raise Unreachable("nobody there")


class Hearing(Deaf):
    """A Superlink that answers reveals alone, with receipts that this key signs."""

    sent = received = 0

    def __init__(self, key: Signer, accepts: bool = True) -> None:
        self.key, self.accepts = key, accepts

    async def reveal(
        self, task: TaskId, round_id: RoundId, reveal: Reveal, content: Path | None, _: Any
    ) -> Ack:
        if not self.accepts:
            return Ack(False, "not valid")
        place = (DOMAIN, task, round_id, OPENING, SIGNER.address)
        digest = compute_revealed_digest(*place, reveal.commitment, reveal.body_root)
        return Ack(True, receipt=Signature(self.key.sign(digest)))


class Stalling(Hearing):
    """A Superlink that takes a reveal and says nothing, until the time has come to force it; then it answers."""

    def __init__(self, handed: "Handed") -> None:
        super().__init__(SUPERLINK)
        self.handed = handed

    async def reveal(self, *call: Any) -> Ack:
        if not self.handed.opened:
            self.handed.now = Timestamp(51)
            await asyncio.Event().wait()
        return await super().reveal(*call)


class Handed:
    """A Supernode's submissions near the end of the commit period, and the rounds that it sent to the chain."""

    def __init__(self, folder: Path) -> None:
        self.journal = SupernodeJournal(folder / "journal.db", DOMAIN, SIGNER.address)
        self.forced: list[RoundId] = []
        self.opened: list[CommitEntry] = []
        self.now = Timestamp(99)
        self.store = LayeredStore(DiskStore(folder / "content"), [])
        self.submission = self.to(Deaf())

    def to(self, superlink: Deaf) -> Submission:
        """What it submits to a Superlink."""
        clock = cast("Any", SimpleNamespace(now=lambda: self.now))
        parts = (cast("Any", None), clock, self.journal, self.store, cast("Any", superlink), self._force)
        return Submission(TASK, DOMAIN, *parts, False, self._force_reveal)

    async def _force_reveal(self, entry: CommitEntry) -> None:
        self.opened.append(entry)

    async def signed(self) -> CommitEntry:
        """A commit to a content that is here, in a round that was seen."""
        self.journal.see(TASK, RoundId(1), 1)
        reveal = Reveal(await self.store.local.put_bytes(b"update"), OPENING, OPENING)
        return self.journal.sign(TASK, RoundId(1), OPENING, reveal, SIGNER.sign)

    def read(self) -> CommitEntry:
        """The same as the journal has it."""
        entry = self.journal.commit_of(TASK, RoundId(1), OPENING)
        assert entry is not None
        return entry

    async def _force(self, commit: SignedCommit) -> None:
        self.forced.append(commit.round)

    async def hand_in(self, number: int) -> SignedCommit:
        round_id = RoundId(number)
        self.journal.see(TASK, round_id, number)
        reveal = Reveal(cid_of_bytes(b"update"), OPENING, OPENING)
        entry = self.journal.sign(TASK, round_id, OPENING, reveal, SIGNER.sign)
        await self.submission.hand_in(entry.commit, OPENED, RULES)
        return entry.commit


@pytest.fixture
def handed(tmp_path: Path) -> Handed:
    return Handed(tmp_path)


async def test_hand_in__no_receipt__is_forced_once_and_journalled(handed: Handed) -> None:
    commit = await handed.hand_in(1)
    assert handed.forced == [1]
    assert handed.submission.is_forced(commit)
    assert handed.journal.note_of(TASK, RoundId(1)).step is Step.FORCED
    assert await handed.submission.check_counting(commit, OPENED) == ""
    assert handed.journal.note_of(TASK, RoundId(1)).facts["counted"] == "on chain"


async def test_hand_in__superlink_stalls__is_forced_while_the_chain_takes_it(handed: Handed) -> None:
    class Silent(Deaf):
        async def commit(self, _: SignedCommit) -> None:
            handed.now = Timestamp(75)
            await asyncio.Event().wait()

    handed.now, handed.submission = Timestamp(74), handed.to(Silent())
    async with asyncio.timeout(5):
        await handed.hand_in(1)
    assert handed.forced == [1]


def test_compute_force_time__some_are_enough_to_close__before_they_can() -> None:
    rules = SimpleNamespace(commit_period=100, close_after=40, close_share=100, quorum=1)
    assert compute_force_time(cast("Any", rules), OPENED) == 75
    rules.close_share = 80
    assert compute_force_time(cast("Any", rules), OPENED) == 30
    rules.close_share = 95  # for which the nine others are too few
    assert compute_force_time(cast("Any", rules), OPENED) == 75


async def test_hand_in__rounds_that_never_close__stop_costing_gas_until_one_does(handed: Handed) -> None:
    for number in range(1, FUTILE + 3):
        await handed.hand_in(number)
    assert handed.forced == [*range(1, FUTILE + 1)]
    handed.journal.reach(TASK, RoundId(FUTILE + 2), Step.COUNTED, facts={"counted": "in the tree"})
    await handed.hand_in(FUTILE + 3)
    assert handed.forced[-1] == FUTILE + 3


async def test_reveal__receipt__is_journalled_and_nothing_forced(handed: Handed) -> None:
    entry = await handed.signed()
    assert await handed.to(Hearing(SUPERLINK)).reveal(entry, CLOSED, RULES) == ""
    assert handed.read().revealed is not None
    assert handed.journal.note_of(TASK, RoundId(1)).step is Step.REVEALED
    assert handed.opened == []


@pytest.mark.parametrize("superlink", [Deaf(), Hearing(SIGNER), Hearing(SUPERLINK, accepts=False)])
async def test_reveal__no_receipt_of_the_superlink__is_forced_once(handed: Handed, superlink: Deaf) -> None:
    entry = await handed.signed()
    assert await handed.to(superlink).reveal(entry, CLOSED, RULES) == ""
    assert handed.opened == [entry]
    assert handed.read().revealed is None
    note = handed.journal.note_of(TASK, RoundId(1))
    assert (note.step, note.facts["revealed"]) == (Step.REVEALED, "on chain")


async def test_reveal__time_is_left__not_forced_yet(handed: Handed) -> None:
    entry = await handed.signed()
    handed.now = Timestamp(0)
    assert compute_forcing_time(RULES, CLOSED) == 80 - 80 // 8 - 80 / 4
    trying = asyncio.create_task(handed.to(Deaf()).reveal(entry, CLOSED, RULES))
    await asyncio.sleep(0.2)
    assert not trying.done()
    assert handed.opened == []
    handed.now = Timestamp(99)
    assert await trying == ""
    assert handed.opened == [entry]


async def test_reveal__superlink_stalls__is_forced_in_time_and_goes_on_until_the_receipt(
    handed: Handed,
) -> None:
    entry = await handed.signed()
    handed.now = Timestamp(int(compute_forcing_time(RULES, CLOSED)))
    handed.now = Timestamp(handed.now - 1)
    async with asyncio.timeout(20):
        assert await handed.to(Stalling(handed)).reveal(entry, CLOSED, RULES) == ""
    assert handed.opened == [entry]
    assert handed.read().revealed is not None
