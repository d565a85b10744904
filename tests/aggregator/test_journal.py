"""What the Superlink's journal forgets, and what it never does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.journal import StoredReveal, SuperlinkJournal
from dao.core.commits import Reveal, SignedCommit, SignedPass
from dao.core.types import Address, Digest, PassReason, RoundId, Signature, TaskId
from dao.store.cid import cid_of_bytes

TASK, OPENING = TaskId(1), Digest(b"o" * 32)
HONEST, TWOFOLD, PASSING = (Address(bytes([number]) * 20) for number in (1, 2, 3))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SuperlinkJournal]:
    journal = SuperlinkJournal(tmp_path / "journal.db")
    yield journal
    await journal.close()


def commit_of(round_id: int, node: Address, commitment: bytes = b"1") -> SignedCommit:
    signature = Signature(b"s" * 65)
    return SignedCommit(TASK, RoundId(round_id), OPENING, node, Digest(commitment * 32), signature)


async def play(journal: SuperlinkJournal, round_id: int) -> None:
    """Record a round with a reveal, a second commit, and a pass."""
    reveal = Reveal(cid_of_bytes(b"update"), Digest(b"r" * 32), Digest(b"s" * 32))
    for node in (HONEST, TWOFOLD):
        await journal.add_commit(commit_of(round_id, node))
    await journal.add_equivocation(commit_of(round_id, TWOFOLD, b"2"))
    node_pass = SignedPass(
        TASK, RoundId(round_id), OPENING, PASSING, Signature(b"p" * 65), PassReason.NOT_READY
    )
    await journal.add_pass(node_pass)
    await journal.set_closing(TASK, RoundId(round_id), OPENING, [HONEST, TWOFOLD, PASSING])
    await journal.add_reveal(commit_of(round_id, HONEST), StoredReveal(reveal, None))


def count(journal: SuperlinkJournal, round_id: int) -> list[int]:
    """Count what is recorded of a round: commits, passes, nodes it was closed with, reveals; and whether it was closed."""
    place = (TASK, RoundId(round_id), OPENING)
    reads = (journal.read_commits, journal.read_passes, journal.read_closing, journal.read_reveals)
    return [*(len(read(*place)) for read in reads), journal.is_closing(*place)]


async def test_forget_before__rounds_long_decided__only_what_proves_a_fault_stays(
    journal: SuperlinkJournal,
) -> None:
    for round_id in (1, 2, 3):
        await play(journal, round_id)
    await journal.forget_before(TASK, RoundId(3))
    assert [count(journal, round_id) for round_id in (1, 2, 3)] == [[1, 0, 0, 0, 0]] * 2 + [[2, 1, 3, 1, 1]]
    pairs = [(commit_of(number, TWOFOLD), commit_of(number, TWOFOLD, b"2")) for number in (1, 2, 3)]
    assert journal.list_equivocations(TASK) == pairs
    await journal.forget_before(TaskId(2), RoundId(9))
    assert count(journal, 3) == [2, 1, 3, 1, 1]


async def test_add_equivocation__a_node_signs_commit_after_commit__two_are_recorded(
    journal: SuperlinkJournal,
) -> None:
    first = commit_of(1, TWOFOLD)
    await journal.add_commit(first)
    for letter in (b"2", b"3", b"4"):
        await journal.add_equivocation(replace(first, commitment=Digest(letter * 32)))
    assert journal.list_equivocations(TASK) == [(first, commit_of(1, TWOFOLD, b"2"))]
