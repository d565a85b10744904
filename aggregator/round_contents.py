"""Records which contents each round of a Superlink's needs, in `contents.db`: a content goes when no round needs it."""

from collections.abc import Collection
from pathlib import Path

from dao.core.types import Digest, RoundId, TaskId
from dao.runtime.sqlite import Database

FOR_GOOD = RoundId(0)  # what stands here is never dropped
_SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (
    task INTEGER, round INTEGER, digest BLOB, PRIMARY KEY (task, round, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contents_by_digest ON contents (digest);
"""


class RoundContents:
    """One SQLite file, for all tasks of a store. It may only lack what the store has too: that is never dropped."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = Database(path, _SCHEMA, synchronous="NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, task: TaskId, round_id: RoundId, digests: Collection[Digest]) -> None:
        """Record that a round needs these."""
        with self._db.transaction():
            for digest in digests:
                self._db.execute("INSERT OR IGNORE INTO contents VALUES (?, ?, ?)", (task, round_id, digest))

    def remove(self, task: TaskId, round_id: RoundId, digest: Digest) -> None:
        """Record that a round needs a content no longer."""
        place = (task, round_id, digest)
        self._db.execute("DELETE FROM contents WHERE task = ? AND round = ? AND digest = ?", place)

    def count(self, digest: Digest) -> int:
        """Return how many rounds, of all tasks, need a content."""
        row = self._db.execute("SELECT count(*) FROM contents WHERE digest = ?", (digest,)).fetchone()
        return int(row[0])

    def rounds(self, task: TaskId) -> list[RoundId]:
        """Return the rounds of a task that need anything, rising, without FOR_GOOD."""
        rows = self._db.execute(
            "SELECT DISTINCT round FROM contents WHERE task = ? AND round > ? ORDER BY round",
            (task, FOR_GOOD),
        )
        return [RoundId(number) for (number,) in rows]

    def contents_of(self, task: TaskId, round_id: RoundId) -> list[Digest]:
        """Return what a round needs."""
        rows = self._db.execute("SELECT digest FROM contents WHERE task = ? AND round = ?", (task, round_id))
        return [Digest(digest) for (digest,) in rows]
