"""What the Superlink may not forget over a restart: the commits it gave receipts for, what it closed with, the reveals.

Everything is on disk before anyone is told. Writes that wait together go to disk together, so that a thousand commits
at once do not wait for a thousand disk flushes.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.core.commits import Failure
from dao.core.errors import DaoError
from dao.core.types import Address, Digest, RoundId, Signature, Status, TaskId
from dao.runtime.sqlite import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS commits (
    task INTEGER, round INTEGER, node BLOB, commitment BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (task, round, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS equivocations (
    task INTEGER, round INTEGER, node BLOB, commitment BLOB, signature BLOB NOT NULL,
    PRIMARY KEY (task, round, node, commitment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed (task INTEGER, round INTEGER, PRIMARY KEY (task, round)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closings (
    task INTEGER, round INTEGER, node BLOB, PRIMARY KEY (task, round, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reveals (
    task INTEGER, round INTEGER, node BLOB, cid TEXT NOT NULL, body_root BLOB NOT NULL, salt BLOB NOT NULL,
    status TEXT, detail TEXT NOT NULL,
    PRIMARY KEY (task, round, node)) WITHOUT ROWID;
"""

Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class HeldCommit:
    """A commit as its node signed it."""

    commitment: Digest
    signature: Signature


@dataclass(frozen=True, slots=True)
class HeldReveal:
    """A reveal whose content arrived; `failure` says why it has no weight, None for a valid update."""

    cid: str
    body_root: Digest
    salt: Digest
    failure: Failure | None


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

    async def add_commit(self, task: TaskId, round_: RoundId, node: Address, commit: HeldCommit) -> None:
        """Keep a commit; one that is there already stays."""
        await self._write(
            (
                "INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?, ?)",
                (task, round_, node, commit.commitment, commit.signature),
            )
        )

    async def add_equivocation(
        self, task: TaskId, round_: RoundId, node: Address, commit: HeldCommit
    ) -> None:
        """Keep a node's further signed commit of the same round: together with the first it proves a fault."""
        await self._write(
            (
                "INSERT OR IGNORE INTO equivocations VALUES (?, ?, ?, ?, ?)",
                (task, round_, node, commit.commitment, commit.signature),
            )
        )

    async def set_closing(self, task: TaskId, round_: RoundId, nodes: Iterable[Address]) -> None:
        """Keep whose commits the round is closed with, in place of what was kept before."""
        await self._write(
            ("INSERT OR IGNORE INTO closed VALUES (?, ?)", (task, round_)),
            ("DELETE FROM closings WHERE task = ? AND round = ?", (task, round_)),
            *(("INSERT INTO closings VALUES (?, ?, ?)", (task, round_, node)) for node in nodes),
        )

    async def add_reveal(self, task: TaskId, round_: RoundId, node: Address, reveal: HeldReveal) -> None:
        """Keep a reveal; one that is there already stays."""
        failure = (reveal.failure.status.value, reveal.failure.detail) if reveal.failure else (None, "")
        await self._write(
            (
                "INSERT OR IGNORE INTO reveals VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (task, round_, node, reveal.cid, reveal.body_root, reveal.salt, *failure),
            )
        )

    def commits(self, task: TaskId, round_: RoundId) -> dict[Address, HeldCommit]:
        """Commits of a round."""
        rows = self._db.execute(
            "SELECT node, commitment, signature FROM commits WHERE task = ? AND round = ?", (task, round_)
        )
        return {Address(n): HeldCommit(Digest(c), Signature(s)) for n, c, s in rows}

    def equivocations(self, task: TaskId, round_: RoundId) -> list[tuple[Address, HeldCommit]]:
        """Further commits of a round's nodes, beside those in `commits`."""
        rows = self._db.execute(
            "SELECT node, commitment, signature FROM equivocations WHERE task = ? AND round = ?",
            (task, round_),
        )
        return [(Address(n), HeldCommit(Digest(c), Signature(s))) for n, c, s in rows]

    def closing(self, task: TaskId, round_: RoundId) -> frozenset[Address]:
        """Whose commits the round is closed with; none before that."""
        rows = self._db.execute("SELECT node FROM closings WHERE task = ? AND round = ?", (task, round_))
        return frozenset(Address(node) for (node,) in rows)

    def is_closing(self, task: TaskId, round_: RoundId) -> bool:
        """Whether `set_closing` was called for the round."""
        row = self._db.execute("SELECT 1 FROM closed WHERE task = ? AND round = ?", (task, round_)).fetchone()
        return row is not None

    def reveals(self, task: TaskId, round_: RoundId) -> Mapping[Address, HeldReveal]:
        """Reveals of a round."""
        rows = self._db.execute(
            "SELECT node, cid, body_root, salt, status, detail FROM reveals WHERE task = ? AND round = ?",
            (task, round_),
        )
        return {
            Address(node): HeldReveal(
                cid, Digest(root), Digest(salt), Failure(Status(status), detail) if status else None
            )
            for node, cid, root, salt, status, detail in rows
        }

    async def _write(self, *statements: Statement) -> None:
        """Execute these together, and perhaps with others'."""
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
