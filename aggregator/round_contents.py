"""Records which contents each round of a Superlink's needs, in `contents.db`: a content goes when no round needs it."""

from collections.abc import Collection
from enum import IntEnum
from pathlib import Path

from dao.core.types import Digest, RoundId, TaskId
from dao.runtime.sqlite import Database

FOR_GOOD = RoundId(0)  # what stands here is never dropped
_SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (
    task INTEGER, use INTEGER, round INTEGER, digest BLOB, PRIMARY KEY (task, use, round, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contents_by_digest ON contents (digest);
"""


class Use(IntEnum):
    """What a content of a round's is needed for."""

    AUDIT = 0  # of the round, or to play it
    TRAINING = 1  # in the rounds after it: the shard that it showed


class RoundContents:
    """One SQLite file, for all tasks of a store. It may only lack what the store has too: that is never dropped."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = Database(path, _SCHEMA, synchronous="NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, task: TaskId, round_id: RoundId, digests: Collection[Digest], use: Use = Use.AUDIT) -> None:
        """Record that these of a round's are needed."""
        with self._db.transaction():
            for digest in digests:
                place = (task, use, round_id, digest)
                self._db.execute("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?)", place)

    def remove(self, task: TaskId, round_id: RoundId, digest: Digest, use: Use = Use.AUDIT) -> None:
        """Record that a content of a round's is needed no longer."""
        self._db.execute(
            "DELETE FROM contents WHERE task = ? AND use = ? AND round = ? AND digest = ?",
            (task, use, round_id, digest),
        )

    def count(self, digest: Digest) -> int:
        """Return for how many uses of rounds, of all tasks, a content is needed."""
        row = self._db.execute("SELECT count(*) FROM contents WHERE digest = ?", (digest,)).fetchone()
        return int(row[0])

    def rounds(self, task: TaskId, use: Use = Use.AUDIT) -> list[RoundId]:
        """Return the rounds of a task of which anything is needed, rising, without FOR_GOOD."""
        rows = self._db.execute(
            "SELECT DISTINCT round FROM contents WHERE task = ? AND use = ? AND round > ? ORDER BY round",
            (task, use, FOR_GOOD),
        )
        return [RoundId(number) for (number,) in rows]

    def contents_of(self, task: TaskId, round_id: RoundId, use: Use = Use.AUDIT) -> list[Digest]:
        """Return what of a round's is needed."""
        rows = self._db.execute(
            "SELECT digest FROM contents WHERE task = ? AND use = ? AND round = ?", (task, use, round_id)
        )
        return [Digest(digest) for (digest,) in rows]
