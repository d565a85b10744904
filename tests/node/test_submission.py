"""A commit goes to the chain when no receipt comes, but not round after round into rounds that never close."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.chain.signer import Signer
from dao.core.commits import Reveal, SignedCommit
from dao.core.types import Address, Digest, Domain, RoundId, TaskId, Timestamp
from dao.errors import NotFound, Unreachable
from dao.store.cid import cid_of_bytes
from node.journal import Step, SupernodeJournal
from node.submission import FUTILE, Submission

TASK, SIGNER = TaskId(1), Signer(b"s" * 32)
DOMAIN, OPENING = Domain(1, Address(bytes(20))), Digest(b"o" * 32)
RULES = cast("Any", SimpleNamespace(commit_period=100, superlink=Address(bytes(20))))
OPENED = cast("Any", SimpleNamespace(opened_at=0))


class Deaf:
    """A Superlink that answers nobody."""

    async def commit(self, _: SignedCommit) -> None:
        raise Unreachable("nobody there")

    async def inclusion(self, *_: object, **__: object) -> None:
        raise NotFound("its commit is not in the tree")


class Handed:
    """A Supernode's submissions near the end of the commit period, and the rounds that it sent to the chain."""

    def __init__(self, folder: Path) -> None:
        self.journal = SupernodeJournal(folder / "journal.db", DOMAIN, SIGNER.address)
        self.forced: list[RoundId] = []
        nobody = cast("Any", None)
        clock = cast("Any", SimpleNamespace(now=lambda: Timestamp(99)))
        parts = (nobody, clock, self.journal, nobody, cast("Any", Deaf()), self._force, False)
        self.submission = Submission(TASK, DOMAIN, *parts)

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


async def test_hand_in__rounds_that_never_close__stop_costing_gas_until_one_does(handed: Handed) -> None:
    for number in range(1, FUTILE + 3):
        await handed.hand_in(number)
    assert handed.forced == [*range(1, FUTILE + 1)]
    handed.journal.reach(TASK, RoundId(FUTILE + 2), Step.COUNTED, facts={"counted": "in the tree"})
    await handed.hand_in(FUTILE + 3)
    assert handed.forced[-1] == FUTILE + 3
