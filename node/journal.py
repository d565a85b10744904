"""Records what a Supernode has signed and how each of its rounds went, on disk before any of it leaves the machine.

An opening of a round has at most one signed commit, however often the process dies: the row is written and synced
first, and its primary key is the round's opening. A daemon that starts again reads here what is left to do. Only signatures are synced: a power
failure may take the last steps back, which are then done again. Rounds that ended long before the newest are forgotten.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from dao.core.commits import Reveal, SignedCommit
from dao.core.formats.cid import Cid
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.types import Address, Digest, Domain, RoundId, Signature, TaskId
from dao.errors import RuleError
from dao.runtime.failpoint import failpoint
from dao.runtime.sqlite import Database, Owner

KEPT = 1000  # rounds of a task: what ended before the newest so many has been decided for long
_PATIENCE = 30.0  # seconds to wait for another process's transaction
# `pins`: contents that are pinned, or about to be, and not yet unpinned everywhere; `idle`: of no open signed round
_SCHEMA = """
CREATE TABLE IF NOT EXISTS commits (
    task INTEGER NOT NULL, round INTEGER NOT NULL, opening BLOB NOT NULL, cid TEXT NOT NULL, body_root BLOB NOT NULL,
    salt BLOB NOT NULL, commitment BLOB NOT NULL, signature BLOB NOT NULL, receipt BLOB, revealed BLOB,
    PRIMARY KEY (task, round, opening)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rounds (
    task INTEGER NOT NULL, round INTEGER NOT NULL, block INTEGER NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL,
    facts TEXT NOT NULL, PRIMARY KEY (task, round)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pins (
    task INTEGER NOT NULL, round INTEGER NOT NULL, cid TEXT NOT NULL, PRIMARY KEY (task, round, cid)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS votes (
    task INTEGER NOT NULL, round INTEGER NOT NULL, result BLOB NOT NULL, wrong INTEGER NOT NULL, salt BLOB NOT NULL,
    PRIMARY KEY (task, round, result)
) STRICT, WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS idle AS SELECT DISTINCT cid FROM pins WHERE cid NOT IN (
    SELECT cid FROM pins JOIN commits USING (task, round, cid) JOIN rounds USING (task, round) WHERE step != 'ended'
);
"""
_NOTES = "SELECT task, round, block, step, reason, facts FROM rounds"


class Step(StrEnum):
    """How far a node has come in a round, in order."""

    SEEN = "seen"  # the round is open
    PASSED = "passed"  # a pass is about to leave, or has left: the node sits this round out
    SIGNED = "signed"  # a commit is signed; it may or may not have left
    RECEIVED = "received"  # the Superlink has signed for it
    FORCED = "forced"  # it is on chain
    COUNTED = "counted"  # in the tree of commits, or on chain
    REVEALED = "revealed"
    ENDED = "ended"  # nothing is left to do; `reason` and `facts` say what came of it


FAILPOINTS = tuple(f"{when}-{step}" for step in Step for when in ("before", "during", "after"))


@dataclass(frozen=True, slots=True)
class CommitEntry:
    """A signed commit, which may have left the machine; its reveal; and the Superlink's signatures for both."""

    commit: SignedCommit
    reveal: Reveal
    receipt: Signature | None = None
    revealed: Signature | None = None  # EIP-712 `Revealed`: the Superlink has the update


@dataclass(frozen=True, slots=True)
class GradientVoteEntry:
    """A vote on the gradients of a result, and the salt that opens it."""

    is_wrong: bool
    salt: Digest


@dataclass(frozen=True, slots=True)
class RoundNote:
    """A round in the journal: the block it opened in, the step, why it ended, and facts for people (JSON)."""

    task: TaskId
    round: RoundId
    block: int
    step: Step
    reason: str
    facts: Mapping[str, object]


class SupernodeJournal:
    """One node's journal on one coordinator. Safe under any number of processes and threads."""

    def __init__(self, path: Path, domain: Domain, node: Address) -> None:
        """Open or create; ConfigError when the file is another chain's, coordinator's or node's."""
        self._domain, self._node = domain, node
        owner: Owner = {"chain": domain.chain_id, "coordinator": domain.coordinator, "node": node}
        self._db = Database(path, _SCHEMA, synchronous="NORMAL", patience=_PATIENCE, owner=owner)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def sign(
        self,
        task: TaskId,
        round_id: RoundId,
        opening: Digest,
        reveal: Reveal,
        sign: Callable[[Digest], bytes],
    ) -> CommitEntry:
        """Sign the commit that `reveal` opens, recorded before it is returned; the same again gives the recorded one.

        RuleError when another commit to this opening of the round is signed already: two would cost the stake.
        """
        commitment, place = reveal.commitment, (task, round_id, opening)
        failpoint("before-signed")
        with self._transaction(synced=True):
            entry = self.commit_of(*place)
            if entry is None:
                digest = compute_commit_digest(self._domain, *place, self._node, commitment)
                signature = Signature(sign(digest))
                self._db.execute(
                    "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                    (*place, str(reveal.cid), reveal.body_root, reveal.salt, commitment, signature),
                )
                self._step(task, round_id, Step.SIGNED)
                failpoint("during-signed")
                entry = CommitEntry(SignedCommit(*place, self._node, commitment, signature), reveal)
        failpoint("after-signed")
        if entry.commit.commitment != commitment:
            raise RuleError(
                f"task {task} round {round_id}: another commit is signed already; it stays the only one"
            )
        return entry

    def commit_of(self, task: TaskId, round_id: RoundId, opening: Digest) -> CommitEntry | None:
        """Return the signed commit to an opening of a round, or None."""
        row = self._db.execute(
            "SELECT cid, body_root, salt, commitment, signature, receipt, revealed FROM commits "
            "WHERE task = ? AND round = ? AND opening = ?",
            (task, round_id, opening),
        ).fetchone()
        if row is None:
            return None
        cid, body_root, salt, commitment, signature, receipt, revealed = row
        commit = SignedCommit(task, round_id, opening, self._node, commitment, signature)
        return CommitEntry(commit, Reveal(Cid.parse(cid), body_root, salt), receipt, revealed)

    def vote(self, task: TaskId, round_id: RoundId, result: Digest, *, is_wrong: bool) -> GradientVoteEntry:
        """Record a vote on the gradients of a result, by its hash, before it is committed to; return the first one recorded."""
        failpoint("before-voted")
        with self._transaction(synced=True):
            self._db.execute(
                "INSERT OR IGNORE INTO votes VALUES (?, ?, ?, ?, ?)",
                (task, round_id, result, is_wrong, secrets.token_bytes(32)),
            )
            failpoint("during-voted")
        failpoint("after-voted")
        entry = self.vote_of(task, round_id, result)
        assert entry is not None  # noqa: S101  (it is there now)
        return entry

    def vote_of(self, task: TaskId, round_id: RoundId, result: Digest) -> GradientVoteEntry | None:
        """Return the vote on the gradients of a result, or None: after a reorg a round may have another one."""
        where = "SELECT wrong, salt FROM votes WHERE task = ? AND round = ? AND result = ?"
        row = self._db.execute(where, (task, round_id, result)).fetchone()
        return None if row is None else GradientVoteEntry(bool(row[0]), Digest(row[1]))

    def see(self, task: TaskId, round_id: RoundId, block: int) -> RoundNote:
        """Record that a round opened in this block, once; return the round's note. Forget what ended KEPT rounds before it."""
        failpoint("before-seen")
        with self._transaction():
            self._db.execute(
                "INSERT INTO rounds VALUES (?, ?, ?, ?, '', '{}') ON CONFLICT DO UPDATE SET block = excluded.block",
                (task, round_id, block, Step.SEEN),
            )
            self._forget(task, RoundId(round_id - KEPT))
            failpoint("during-seen")
        failpoint("after-seen")
        return self.note_of(task, round_id)

    def _forget(self, task: TaskId, last: RoundId) -> None:
        """Forget the rounds up to this one that have ended, and votes in them; `pins` go by themselves.

        Commits stay: the chain's node tells which round it is, and a second one to the same opening costs stake whenever it comes.
        """
        ended = "SELECT round FROM rounds WHERE task = ?1 AND round <= ?2 AND step = 'ended'"
        for table in ("votes", "rounds"):  # the rounds last
            self._db.execute(f"DELETE FROM {table} WHERE task = ?1 AND round IN ({ended})", (task, last))  # noqa: S608

    def receive(self, commit: SignedCommit, receipt: Signature) -> None:
        """Record the Superlink's receipt of a commit: with it, leaving the commit out is a proven fault."""
        with self._stepping(commit.task, commit.round, Step.RECEIVED):
            self._db.execute(
                "UPDATE commits SET receipt = ? WHERE task = ? AND round = ? AND opening = ?",
                (receipt, commit.task, commit.round, commit.opening),
            )

    def receive_revealed(self, commit: SignedCommit, receipt: Signature) -> None:
        """Record the Superlink's receipt of an update: with it, a result that does not count it is a proven fault."""
        with self._stepping(commit.task, commit.round, Step.REVEALED):
            self._db.execute(
                "UPDATE commits SET revealed = ? WHERE task = ? AND round = ? AND opening = ?",
                (receipt, commit.task, commit.round, commit.opening),
            )

    def reach(
        self,
        task: TaskId,
        round_id: RoundId,
        step: Step,
        reason: str = "",
        facts: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Record a step of a round that was seen, and add facts (JSON values) for people."""
        with self._stepping(task, round_id, step):
            note = self.note_of(task, round_id)
            self._db.execute(
                "UPDATE rounds SET reason = ?, facts = ? WHERE task = ? AND round = ?",
                (reason or note.reason, json.dumps({**note.facts, **facts}), task, round_id),
            )

    def pin(self, task: TaskId, round_id: RoundId, cid: Cid) -> None:
        """Record that a round's update is about to be pinned, so that it is unpinned whatever becomes of the round."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO pins VALUES (?, ?, ?)", (task, round_id, str(cid)))

    def idle_pins(self) -> list[Cid]:
        """Return the updates that may be unpinned, of all tasks: no round that has not ended has signed them."""
        return [Cid.parse(cid) for (cid,) in self._db.execute("SELECT cid FROM idle")]

    def forget_pin(self, cid: Cid) -> None:
        """Record that an update is pinned nowhere; nothing happens where a round has signed it meanwhile."""
        with self._transaction():
            self._db.execute("DELETE FROM pins WHERE cid = ? AND cid IN (SELECT cid FROM idle)", (str(cid),))

    def note_of(self, task: TaskId, round_id: RoundId) -> RoundNote:
        """Return a round's note; RuleError when it was never seen."""
        row = self._db.execute(f"{_NOTES} WHERE task = ? AND round = ?", (task, round_id)).fetchone()
        if row is None:
            raise RuleError(
                f"task {task} round {round_id}: not in the journal; expected a round that was seen"
            )
        return _note(row)

    def notes(self, task: TaskId | None = None, last: int = KEPT) -> list[RoundNote]:
        """Return the last rounds of a task, or of all tasks, the newest first."""
        where = "" if task is None else "WHERE task = ?"
        values = (last,) if task is None else (task, last)
        rows = self._db.execute(f"{_NOTES} {where} ORDER BY block DESC, round DESC LIMIT ?", values)
        return [_note(row) for row in rows]

    @contextmanager
    def _stepping(self, task: TaskId, round_id: RoundId, step: Step) -> Iterator[None]:
        failpoint(f"before-{step}")
        with self._transaction():
            self._step(task, round_id, step)
            yield
            failpoint(f"during-{step}")
        failpoint(f"after-{step}")

    def _step(self, task: TaskId, round_id: RoundId, step: Step) -> None:
        self._db.execute("UPDATE rounds SET step = ? WHERE task = ? AND round = ?", (step, task, round_id))

    @contextmanager
    def _transaction(self, synced: bool = False) -> Iterator[None]:
        with self._db.transaction("FULL" if synced else "NORMAL"):
            yield


def _note(row: tuple[int, int, int, str, str, str]) -> RoundNote:
    task, round_id, block, step, reason, facts = row
    return RoundNote(TaskId(task), RoundId(round_id), block, Step(step), reason, json.loads(facts))
