"""Records what a Superlink must know after a restart: commits with a receipt, those a round was closed with, reveals.

All of it is on disk before anything is answered. Writes that wait together go to disk together, so that a thousand
commits at once do not wait for a thousand disk flushes.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from dao.core.commits import Failure, Reveal, SignedCommit, SignedPass
from dao.core.formats.cid import Cid
from dao.core.formats.fault import Fault
from dao.core.formats.update import Update
from dao.core.types import Address, Digest, PassReason, RoundId, Status, TaskId
from dao.errors import DaoError
from dao.runtime.sqlite import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS commits (
    task INTEGER, round INTEGER, opening BLOB, node BLOB, commitment BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (task, round, opening, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passes (
    task INTEGER, round INTEGER, opening BLOB, node BLOB, signature BLOB NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (task, round, opening, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS equivocations (
    task INTEGER, round INTEGER, opening BLOB, node BLOB, commitment BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (task, round, opening, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed (
    task INTEGER, round INTEGER, opening BLOB, PRIMARY KEY (task, round, opening)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closings (
    task INTEGER, round INTEGER, opening BLOB, node BLOB, PRIMARY KEY (task, round, opening, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reveals (
    task INTEGER, round INTEGER, opening BLOB, node BLOB, cid TEXT NOT NULL, body_root BLOB NOT NULL, salt BLOB NOT NULL,
    status TEXT, detail TEXT NOT NULL, chunk INTEGER, value INTEGER,
    PRIMARY KEY (task, round, opening, node)) WITHOUT ROWID;
"""

Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class StoredReveal:
    """A reveal whose content is in the store; `failure` says why it has no weight, None for a valid update."""

    reveal: Reveal
    failure: Failure | None
    update: Update | None = field(default=None, compare=False, repr=False)  # decoded; on disk it is content


class SuperlinkJournal:
    """One SQLite file. Reads block for a moment; writes are awaited until they are on disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = Database(path, SCHEMA)
        self._waiting: list[tuple[tuple[Statement, ...], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Finish what is being written and close the file."""
        if self._writer is not None:
            await self._writer
        self._db.close()

    async def add_commit(self, commit: SignedCommit) -> None:
        """Record a commit; one of the same node to the same opening that is there already stays."""
        await self._write(("INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?, ?, ?)", astuple(commit)))

    async def add_pass(self, node_pass: SignedPass) -> None:
        """Record a pass; one of the same node for the same opening that is there already stays."""
        await self._write(("INSERT OR IGNORE INTO passes VALUES (?, ?, ?, ?, ?, ?)", astuple(node_pass)))

    async def add_equivocation(self, commit: SignedCommit) -> None:
        """Record a node's second signed commit to the same opening, which with the first proves a fault; a third adds nothing."""
        await self._write(("INSERT OR IGNORE INTO equivocations VALUES (?, ?, ?, ?, ?, ?)", astuple(commit)))

    async def set_closing(
        self, task: TaskId, round_id: RoundId, opening: Digest, nodes: Iterable[Address]
    ) -> None:
        """Record whose commits and passes an opening is closed with, in place of an earlier record."""
        place = (task, round_id, opening)
        await self._write(
            ("INSERT OR IGNORE INTO closed VALUES (?, ?, ?)", place),
            ("DELETE FROM closings WHERE task = ? AND round = ? AND opening = ?", place),
            *(("INSERT INTO closings VALUES (?, ?, ?, ?)", (*place, node)) for node in nodes),
        )

    async def add_reveal(self, commit: SignedCommit, stored: StoredReveal) -> None:
        """Record the reveal of a commit, in place of one of another commit to the same opening."""
        reveal = str(stored.reveal.cid), stored.reveal.body_root, stored.reveal.salt
        failure = (stored.failure.status.value, stored.failure.detail) if stored.failure else (None, "")
        fault = stored.failure.fault if stored.failure else None
        place = (fault.chunk, fault.value) if fault else (None, None)
        await self._write(
            (
                "INSERT OR REPLACE INTO reveals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (commit.task, commit.round, commit.opening, commit.node, *reveal, *failure, *place),
            )
        )

    async def forget_before(self, task: TaskId, round_id: RoundId) -> None:
        """Remove what is recorded of the rounds before this one, but for the pairs that prove a fault."""
        place, pairs = (task, round_id), "SELECT task, round, opening, node FROM equivocations"
        unpaired = f"task = ? AND round < ? AND (task, round, opening, node) NOT IN ({pairs})"
        await self._write(
            (f"DELETE FROM commits WHERE {unpaired}", place),  # noqa: S608  (no values)
            ("DELETE FROM passes WHERE task = ? AND round < ?", place),
            ("DELETE FROM closed WHERE task = ? AND round < ?", place),
            ("DELETE FROM closings WHERE task = ? AND round < ?", place),
            ("DELETE FROM reveals WHERE task = ? AND round < ?", place),
        )

    def read_commits(self, task: TaskId, round_id: RoundId, opening: Digest) -> dict[Address, SignedCommit]:
        """Return the commits to an opening of a round, by node."""
        rows = self._db.execute(
            "SELECT * FROM commits WHERE task = ? AND round = ? AND opening = ?", (task, round_id, opening)
        )
        return {commit.node: commit for commit in (SignedCommit(*row) for row in rows)}

    def read_passes(self, task: TaskId, round_id: RoundId, opening: Digest) -> dict[Address, SignedPass]:
        """Return the passes for an opening of a round, by node."""
        rows = self._db.execute(
            "SELECT * FROM passes WHERE task = ? AND round = ? AND opening = ?", (task, round_id, opening)
        )
        passes = (SignedPass(*(*row[:-1], PassReason(row[-1]))) for row in rows)
        return {node_pass.node: node_pass for node_pass in passes}

    def read_equivocations(self, task: TaskId, round_id: RoundId) -> list[SignedCommit]:
        """Return the second commits of a round's nodes, beside those in `read_commits`."""
        rows = self._db.execute("SELECT * FROM equivocations WHERE task = ? AND round = ?", (task, round_id))
        return [SignedCommit(*row) for row in rows]

    def list_equivocations(self, task: TaskId) -> list[tuple[SignedCommit, SignedCommit]]:
        """Return each second commit of a task's nodes, behind the first one to the same opening."""
        rows = self._db.execute(
            "SELECT one.*, other.* FROM equivocations AS other JOIN commits AS one USING (task, round, opening, node) "
            "WHERE task = ? ORDER BY round",
            (task,),
        )
        return [(SignedCommit(*row[:6]), SignedCommit(*row[6:])) for row in rows]

    def read_closing(self, task: TaskId, round_id: RoundId, opening: Digest) -> frozenset[Address]:
        """Return whose commits and passes an opening is closed with; none before that."""
        rows = self._db.execute(
            "SELECT node FROM closings WHERE task = ? AND round = ? AND opening = ?",
            (task, round_id, opening),
        )
        return frozenset(Address(node) for (node,) in rows)

    def is_closing(self, task: TaskId, round_id: RoundId, opening: Digest) -> bool:
        """Return whether `set_closing` was called for the opening."""
        row = self._db.execute(
            "SELECT 1 FROM closed WHERE task = ? AND round = ? AND opening = ?", (task, round_id, opening)
        ).fetchone()
        return row is not None

    def read_reveals(
        self, task: TaskId, round_id: RoundId, opening: Digest
    ) -> Mapping[Address, StoredReveal]:
        """Return the reveals of commits to an opening of a round, by node, with no update decoded."""
        rows = self._db.execute(
            "SELECT node, cid, body_root, salt, status, detail, chunk, value FROM reveals "
            "WHERE task = ? AND round = ? AND opening = ?",
            (task, round_id, opening),
        )
        return {
            Address(node): StoredReveal(
                Reveal(Cid.parse(cid), Digest(root), Digest(salt)),
                Failure(Status(status), detail, None if chunk is None else Fault(chunk, value))
                if status
                else None,
            )
            for node, cid, root, salt, status, detail, chunk, value in rows
        }

    async def _write(self, *statements: Statement) -> None:
        """Execute these in one transaction, which may have the statements of others, too."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await written

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: Exception | None = None
            try:
                await asyncio.to_thread(self._transaction, [s for statements, _ in batch for s in statements])
            except (DaoError, sqlite3.Error) as failed:
                error = failed
            for _, written in batch:
                if not written.done():
                    written.set_exception(error) if error else written.set_result(None)

    def _transaction(self, statements: Sequence[Statement]) -> None:
        with self._db.transaction():
            for statement, row in statements:
                self._db.execute(statement, row)
