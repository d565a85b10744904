import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from dao.chain.signer import Signer, recover
from dao.core.commits import Reveal
from dao.core.formats.cid import Cid
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.types import Address, Digest, Domain, RoundId, Signature, TaskId
from dao.errors import ConfigError, RuleError
from dao.runtime.failpoint import VARIABLE
from dao.store.cid import cid_of_bytes
from node.journal import FAILPOINTS, KEPT, CommitEntry, Step, SupernodeJournal

DOMAIN = Domain(31337, Address(b"c" * 20))
TASK, ROUND = TaskId(1), RoundId(2)
KEY = b"k" * 32
ROOT = Digest(b"r" * 32)
OPENING = Digest(b"o" * 32)
RESULT, OTHER_RESULT = Digest(b"r" * 32), Digest(b"s" * 32)


def opened(path: Path) -> SupernodeJournal:
    return SupernodeJournal(path, DOMAIN, Signer(KEY).address)


def sign(
    journal: SupernodeJournal, salt: int = 0, round_id: RoundId = ROUND, opening: Digest = OPENING
) -> CommitEntry:
    reveal = Reveal(cid_of_bytes(b"update"), ROOT, Digest(bytes([salt]) * 32))
    return journal.sign(TASK, round_id, opening, reveal, Signer(KEY).sign)


def sign_in_process(path: Path, salt: int) -> bytes | None:
    journal = opened(path)
    try:
        return sign(journal, salt).commit.signature
    except RuleError:
        return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SupernodeJournal]:
    journal = opened(path)
    yield journal
    journal.close()


def test_sign__first_commit__is_recorded_with_a_signature_of_the_node(
    journal: SupernodeJournal, path: Path
) -> None:
    journal.see(TASK, ROUND, 10)
    entry = sign(journal)
    digest = compute_commit_digest(DOMAIN, TASK, ROUND, OPENING, Signer(KEY).address, entry.commit.commitment)
    assert recover(digest, entry.commit.signature) == Signer(KEY).address
    again = opened(path)
    assert again.commit_of(TASK, ROUND, OPENING) == entry
    assert again.note_of(TASK, ROUND).step == Step.SIGNED
    again.close()


def test_sign__same_commit_twice__gives_the_recorded_signature(journal: SupernodeJournal) -> None:
    first = sign(journal)
    journal.receive(first.commit, Signature(b"receipt"))
    assert sign(journal).commit.signature == first.commit.signature
    assert sign(journal).receipt == b"receipt"


def test_sign__second_commit__is_refused(journal: SupernodeJournal) -> None:
    first = sign(journal)
    with pytest.raises(RuleError, match="another commit is signed already"):
        sign(journal, salt=1)
    assert journal.commit_of(TASK, ROUND, OPENING) == first
    assert sign(journal, salt=1, round_id=RoundId(3)).commit.round == 3


def test_sign__round_opened_anew__signs_for_that_opening_too(journal: SupernodeJournal) -> None:
    first, other = sign(journal), Digest(b"p" * 32)
    second = sign(journal, salt=1, opening=other)
    assert journal.commit_of(TASK, ROUND, OPENING) == first
    assert journal.commit_of(TASK, ROUND, other) == second
    assert (second.commit.opening, second.commit.round) == (other, first.commit.round)


def test_sign__signer_fails__records_nothing(journal: SupernodeJournal) -> None:
    def fails(_digest: bytes) -> bytes:
        raise KeyError("no key")

    with pytest.raises(KeyError):
        journal.sign(TASK, ROUND, OPENING, Reveal(cid_of_bytes(b"update"), ROOT, ROOT), fails)
    assert journal.commit_of(TASK, ROUND, OPENING) is None
    assert sign(journal).commit.signature


def test_sign__ten_processes_at_once__one_signature(path: Path) -> None:
    with ProcessPoolExecutor(10, mp_context=multiprocessing.get_context("forkserver")) as pool:
        signatures = list(pool.map(sign_in_process, [path] * 10, range(10)))
    assert len([signature for signature in signatures if signature]) == 1


def test_sign__ten_threads_at_once__one_signature(journal: SupernodeJournal) -> None:
    start = threading.Barrier(10)

    def attempt(salt: int) -> bytes | None:
        start.wait(10)
        try:
            return sign(journal, salt).commit.signature
        except RuleError:
            return None

    with ThreadPoolExecutor(10) as pool:
        signatures = list(pool.map(attempt, range(10)))
    assert len([signature for signature in signatures if signature]) == 1


def test_journal__another_node_or_chain__is_refused(journal: SupernodeJournal, path: Path) -> None:
    with pytest.raises(ConfigError, match="use another home folder"):
        SupernodeJournal(path, DOMAIN, Address(b"x" * 20))
    with pytest.raises(ConfigError, match=r"belongs to chain 31337, coordinator 0x6363.* not to chain 1,"):
        SupernodeJournal(path, Domain(1, DOMAIN.coordinator), Signer(KEY).address)


def test_reach__facts_of_several_steps__add_up_and_the_last_reason_stays(journal: SupernodeJournal) -> None:
    journal.see(TASK, ROUND, 10)
    journal.reach(TASK, ROUND, Step.REVEALED, facts={"seconds": 1.5})
    journal.reach(TASK, ROUND, Step.ENDED, "gated: no use", {"score": -3})
    journal.reach(TASK, ROUND, Step.ENDED, facts={"audit": "ok"})
    note = journal.note_of(TASK, ROUND)
    assert (note.step, note.reason) == (Step.ENDED, "gated: no use")
    assert note.facts == {"seconds": 1.5, "score": -3, "audit": "ok"}


def test_see__round_seen_before__keeps_its_step(journal: SupernodeJournal) -> None:
    journal.see(TASK, ROUND, 10)
    journal.reach(TASK, ROUND, Step.REVEALED)
    assert journal.see(TASK, ROUND, 12).step == Step.REVEALED
    assert journal.note_of(TASK, ROUND).block == 12


def test_notes__many_rounds__newest_first_and_bounded(journal: SupernodeJournal) -> None:
    for number in range(1, 6):
        journal.see(TASK, RoundId(number), 10 * number)
    assert [note.round for note in journal.notes(TASK, last=2)] == [5, 4]
    assert journal.notes(TaskId(9)) == []


def test_vote__another_result_of_the_round__is_another_vote(journal: SupernodeJournal) -> None:
    first = journal.vote(TASK, ROUND, RESULT, is_wrong=True)
    assert journal.vote(TASK, ROUND, RESULT, is_wrong=False) == first
    assert journal.vote_of(TASK, ROUND, OTHER_RESULT) is None
    other = journal.vote(TASK, ROUND, OTHER_RESULT, is_wrong=False)
    assert not other.is_wrong
    assert other.salt != first.salt
    assert journal.vote_of(TASK, ROUND, RESULT) == first


def test_see__rounds_that_ended_long_ago__forgotten_but_for_what_they_signed(
    journal: SupernodeJournal,
) -> None:
    """A round without an end stays, and its pin; of one that is forgotten the pin is idle, and no second commit is signed."""
    for number in (1, 2, 3):
        journal.see(TASK, RoundId(number), number)
        journal.see(TaskId(2), RoundId(number), number)
        sign(journal, round_id=RoundId(number))
        journal.vote(TASK, RoundId(number), RESULT, is_wrong=False)
        if number != 2:
            journal.reach(TASK, RoundId(number), Step.ENDED)
    update = cid_of_bytes(b"update")
    journal.pin(TASK, RoundId(1), update)
    assert journal.see(TASK, RoundId(2 + KEPT), 9).step is Step.SEEN
    assert [note.round for note in journal.notes(TASK)] == [2 + KEPT, 3, 2]
    assert len(journal.notes(TaskId(2))) == 3
    entries = [journal.commit_of(TASK, RoundId(number), OPENING) for number in (1, 2, 3)]
    votes = [journal.vote_of(TASK, RoundId(number), RESULT) for number in (1, 2, 3)]
    assert all(entries)
    assert [vote is not None for vote in votes] == [False, True, True]
    assert journal.idle_pins() == [update]


def test_journal__durability__signatures_are_synced_and_steps_are_not(
    journal: SupernodeJournal, path: Path
) -> None:
    journal.see(TASK, ROUND, 10)
    sign(journal)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)  # as the last transaction was
    journal.reach(TASK, ROUND, Step.REVEALED)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (1,)
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def idle(journal: SupernodeJournal) -> set[Cid]:
    return set(journal.idle_pins())


def test_pins__round_not_ended__are_kept_and_those_never_signed_are_not(journal: SupernodeJournal) -> None:
    signed, lost = cid_of_bytes(b"update"), cid_of_bytes(b"killed before it was signed")
    journal.see(TASK, ROUND, 10)
    journal.pin(TASK, ROUND, lost)
    journal.pin(TASK, ROUND, signed)
    assert idle(journal) == {signed, lost}
    sign(journal)
    for step in (Step.SIGNED, Step.RECEIVED, Step.COUNTED, Step.REVEALED):
        journal.reach(TASK, ROUND, step)
        assert idle(journal) == {lost}
    journal.forget_pin(signed)
    journal.forget_pin(lost)
    assert idle(journal) == set()
    journal.reach(TASK, ROUND, Step.ENDED)
    assert idle(journal) == {signed}
    journal.forget_pin(signed)
    assert idle(journal) == set()


def test_pins__next_round_signs_the_same_update__are_kept_until_it_ends(journal: SupernodeJournal) -> None:
    following, cid = RoundId(ROUND + 1), cid_of_bytes(b"update")
    for round_id in (ROUND, following):
        journal.see(TASK, round_id, 10)
        journal.pin(TASK, round_id, cid)
        sign(journal, round_id=round_id)
    journal.reach(TASK, ROUND, Step.ENDED)
    journal.forget_pin(cid)
    assert idle(journal) == set()
    journal.reach(TASK, following, Step.ENDED)
    assert idle(journal) == {cid}


CRASHER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.node.test_journal import *
journal = opened(Path({path!r}))
journal.see(TASK, ROUND, 10)
journal.reach(TASK, ROUND, Step.PASSED)
journal.receive(sign(journal, 7).commit, b"receipt")
journal.reach(TASK, ROUND, Step.FORCED)
journal.reach(TASK, ROUND, Step.COUNTED)
journal.reach(TASK, ROUND, Step.REVEALED)
journal.reach(TASK, ROUND, Step.ENDED, "done")
"""


@pytest.mark.parametrize("name", FAILPOINTS)
def test_journal__killed_at_a_step__goes_on_with_one_signature(path: Path, name: str) -> None:
    root = Path(__file__).parents[2]
    code = CRASHER.format(root=str(root), path=str(path))
    killed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, VARIABLE: f"{name}:kill"},
        cwd=root,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    journal = opened(path)
    before = journal.commit_of(TASK, ROUND, OPENING)
    journal.see(TASK, ROUND, 10)
    after = sign(journal, 7)
    assert before is None or before.commit.signature == after.commit.signature
    first = FAILPOINTS.index("after-signed")
    assert (before is None) == (FAILPOINTS.index(name) < first)
    with pytest.raises(RuleError):
        sign(journal, 8)
    journal.close()
