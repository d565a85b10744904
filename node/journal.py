"""What a Supernode has signed and how each of its rounds went, on disk before anything of it leaves the machine.

A round has at most one signed commit, whoever asks and however often the process dies: the row is written and synced
first, and its primary key is the round. A daemon that starts again reads here what is left to do. Only signatures are
synced: a power failure may take the last steps back, which are then done again.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from dao.core.commits import compute_commitment
from dao.core.errors import ConfigError, RuleError
from dao.core.formats.cid import Cid
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.types import Address, Digest, Domain, RoundId, TaskId, hex_of
from dao.runtime.failpoint import failpoint

_PATIENCE = 30.0  # seconds to wait for another process's transaction
# `pins`: what is pinned, or about to be, and not yet unpinned everywhere; `idle`: what of it no open round has signed
_SCHEMA = """
CREATE TABLE whose (chain INTEGER NOT NULL, coordinator BLOB NOT NULL, node BLOB NOT NULL) STRICT;
CREATE TABLE commits (
    task INTEGER NOT NULL, round INTEGER NOT NULL, cid TEXT NOT NULL, body_root BLOB NOT NULL, salt BLOB NOT NULL,
    commitment BLOB NOT NULL, signature BLOB NOT NULL, receipt BLOB, PRIMARY KEY (task, round)
) STRICT, WITHOUT ROWID;
CREATE TABLE rounds (
    task INTEGER NOT NULL, round INTEGER NOT NULL, block INTEGER NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL,
    facts TEXT NOT NULL, PRIMARY KEY (task, round)
) STRICT, WITHOUT ROWID;
CREATE TABLE pins (
    task INTEGER NOT NULL, round INTEGER NOT NULL, cid TEXT NOT NULL, PRIMARY KEY (task, round, cid)
) STRICT, WITHOUT ROWID;
CREATE VIEW idle AS SELECT DISTINCT cid FROM pins WHERE cid NOT IN (
    SELECT cid FROM pins JOIN commits USING (task, round, cid) LEFT JOIN rounds USING (task, round)
    WHERE step IS NOT 'ended'
);
"""
_NOTES = "SELECT task, round, block, step, reason, facts FROM rounds"


class Step(StrEnum):
    """How far a node has come in a round, in order."""

    SEEN = "seen"  # the round is open
    SIGNED = "signed"  # a commit is signed; it may or may not have left
    RECEIVED = "received"  # the Superlink has signed for it
    COUNTED = "counted"  # in the tree of commits, or forced on chain
    REVEALED = "revealed"
    ENDED = "ended"  # nothing is left to do; `reason` and `facts` say what came of it


FAILPOINTS = tuple(f"{when}-{step}" for step in Step for when in ("before", "during", "after"))


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A commit whose signature may have left; `receipt` is the Superlink's signature for it."""

    task: TaskId
    round: RoundId
    cid: Cid
    body_root: Digest
    salt: Digest
    commitment: Digest
    signature: bytes
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class RoundNote:
    """What the journal has on a round: the block it opened in, the step, why it ended, and facts for people (JSON)."""

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
        self._one = threading.RLock()  # a connection has one transaction
        self._db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        whose = (domain.chain_id, domain.coordinator, node)
        with self._transaction():
            if not self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'whose'").fetchone():
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute("INSERT INTO whose VALUES (?, ?, ?)", whose)
            found = self._db.execute("SELECT * FROM whose").fetchone()
        if found != whose:
            self._db.close()
            chain, coordinator, owner = found
            raise ConfigError(
                f"journal {path}: belongs to node {hex_of(owner)} on coordinator {hex_of(coordinator)} of chain {chain}; "
                "use another home folder"
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def sign(
        self,
        task: TaskId,
        round_: RoundId,
        cid: Cid,
        body_root: Digest,
        salt: Digest,
        sign: Callable[[Digest], bytes],
    ) -> SignedCommit:
        """Sign the commit of a round, recorded before it is returned; the same again gives the recorded one.

        RuleError when another commit of this round is signed already: two would cost the stake.
        """
        bound = compute_commitment(cid.digest, body_root, salt)
        failpoint("before-signed")
        with self._transaction(synced=True):
            known = self.commit_of(task, round_)
            if known is None:
                signature = sign(compute_commit_digest(self._domain, task, round_, self._node, bound))
                self._db.execute(
                    "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                    (task, round_, str(cid), body_root, salt, bound, signature),
                )
                self._step(task, round_, Step.SIGNED)
                failpoint("during-signed")
                known = SignedCommit(task, round_, cid, body_root, salt, bound, signature, None)
        failpoint("after-signed")
        if known.commitment != bound:
            raise RuleError(
                f"task {task} round {round_}: another commit is signed already; it stays the only one"
            )
        return known

    def commit_of(self, task: TaskId, round_: RoundId) -> SignedCommit | None:
        """Return the round's signed commit, or None."""
        row = self._db.execute(
            "SELECT cid, body_root, salt, commitment, signature, receipt FROM commits WHERE task = ? AND round = ?",
            (task, round_),
        ).fetchone()
        return row and SignedCommit(task, round_, Cid.parse(row[0]), *row[1:])

    def see(self, task: TaskId, round_: RoundId, block: int) -> RoundNote:
        """Note that a round opened in this block, once; return what is known of it."""
        failpoint("before-seen")
        with self._transaction():
            self._db.execute(
                "INSERT INTO rounds VALUES (?, ?, ?, ?, '', '{}') ON CONFLICT DO UPDATE SET block = excluded.block",
                (task, round_, block, Step.SEEN),
            )
            failpoint("during-seen")
        failpoint("after-seen")
        return self.note_of(task, round_)

    def receive(self, task: TaskId, round_: RoundId, receipt: bytes) -> None:
        """Keep the Superlink's receipt: with it, leaving the commit out is a proven fault."""
        with self._stepping(task, round_, Step.RECEIVED):
            self._db.execute(
                "UPDATE commits SET receipt = ? WHERE task = ? AND round = ?", (receipt, task, round_)
            )

    def reach(
        self,
        task: TaskId,
        round_: RoundId,
        step: Step,
        reason: str = "",
        facts: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Note a step of a round that was seen, and add facts (JSON values) for people."""
        with self._stepping(task, round_, step):
            known = self.note_of(task, round_)
            self._db.execute(
                "UPDATE rounds SET reason = ?, facts = ? WHERE task = ? AND round = ?",
                (reason or known.reason, json.dumps({**known.facts, **facts}), task, round_),
            )

    def pin(self, task: TaskId, round_: RoundId, cid: Cid) -> None:
        """Note that a round's update is about to be pinned, so that it is unpinned whatever becomes of the round."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO pins VALUES (?, ?, ?)", (task, round_, str(cid)))

    def idle_pins(self) -> list[Cid]:
        """Return the updates that may be unpinned, of all tasks: no round that has not ended has signed them."""
        return [Cid.parse(cid) for (cid,) in self._db.execute("SELECT cid FROM idle")]

    def unpinned(self, cid: Cid) -> None:
        """Note that an update is pinned nowhere; nothing happens where a round has signed it meanwhile."""
        with self._transaction():
            self._db.execute("DELETE FROM pins WHERE cid = ? AND cid IN (SELECT cid FROM idle)", (str(cid),))

    def note_of(self, task: TaskId, round_: RoundId) -> RoundNote:
        """Return what is known of a round; RuleError when it was never seen."""
        row = self._db.execute(f"{_NOTES} WHERE task = ? AND round = ?", (task, round_)).fetchone()
        if row is None:
            raise RuleError(f"task {task} round {round_}: not in the journal; expected a round that was seen")
        return _note(row)

    def notes(self, task: TaskId | None = None, last: int = 1000) -> list[RoundNote]:
        """Return the last rounds of a task, or of all tasks, the newest first."""
        where = "" if task is None else "WHERE task = ?"
        values = (last,) if task is None else (task, last)
        rows = self._db.execute(f"{_NOTES} {where} ORDER BY block DESC, round DESC LIMIT ?", values)
        return [_note(row) for row in rows]

    @contextmanager
    def _stepping(self, task: TaskId, round_: RoundId, step: Step) -> Iterator[None]:
        failpoint(f"before-{step}")
        with self._transaction():
            self._step(task, round_, step)
            yield
            failpoint(f"during-{step}")
        failpoint(f"after-{step}")

    def _step(self, task: TaskId, round_: RoundId, step: Step) -> None:
        self._db.execute("UPDATE rounds SET step = ? WHERE task = ? AND round = ?", (step, task, round_))

    @contextmanager
    def _transaction(self, synced: bool = False) -> Iterator[None]:
        with self._one:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _note(row: tuple[int, int, int, str, str, str]) -> RoundNote:
    task, round_, block, step, reason, facts = row
    return RoundNote(TaskId(task), RoundId(round_), block, Step(step), reason, json.loads(facts))
