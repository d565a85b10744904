"""Opens SQLite files in one way: WAL mode, whole transactions, one owner, errors of one line."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dao.errors import ConfigError

PATIENCE = 5.0  # seconds to wait for another process's transaction
_OWNER = "whose"  # the table, of one row, that names whose a file is
Owner = Mapping[str, int | bytes]  # whose a file is, by column
_TYPES: Mapping[type, str] = {int: "INTEGER", bytes: "BLOB"}
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process has it; end that one first",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "check its disk, and make room on it",
    sqlite3.SQLITE_CANTOPEN: "check that its folder is there and yours",
    sqlite3.SQLITE_READONLY: "check that the file and its folder are yours to write to",
    sqlite3.SQLITE_CORRUPT: "it is damaged; bring back a copy, or move it away to begin anew",
    sqlite3.SQLITE_NOTADB: "it is no database; bring back a copy, or move it away to begin anew",
}


class Database(sqlite3.Connection):
    """A file in WAL mode without implicit transactions, which threads may share.

    Every statement raises ConfigError, which names the file and what to do, where that cannot be read or written;
    sqlite3.Error where the statement itself is wrong.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        synchronous: str = "FULL",
        patience: float = PATIENCE,
        owner: Owner | None = None,
    ) -> None:
        """Open or create a file with a schema (statements that may be repeated, each ended by `;` and a line's end).

        `synchronous`: FULL when each transaction must outlive a power failure, else NORMAL. `owner`: whose the file
        is, by column; ConfigError when it is another's.
        """
        self.path = path
        self._turn = threading.RLock()  # a connection has one transaction
        try:
            super().__init__(path, timeout=patience, isolation_level=None, check_same_thread=False)
        except sqlite3.DatabaseError as error:
            raise _explained(path, error) from error
        try:
            for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON"):
                self.execute(f"PRAGMA {pragma}")
            with self.transaction():
                for statement in schema.split(";\n"):
                    self.execute(statement)
                self._claim(owner or {})
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str, values: Any = (), /) -> sqlite3.Cursor:
        """Execute one statement, as sqlite3 does."""
        try:
            return super().execute(statement, values)
        except sqlite3.DatabaseError as error:
            raise _explained(self.path, error) from error

    @contextmanager
    def transaction(self, synchronous: str | None = None) -> Iterator[None]:
        """Write all that a block executes or, when it raises, nothing; threads wait for each other.

        `synchronous` changes the setting from this transaction on.
        """
        with self._turn:
            if synchronous is not None:
                self.execute(f"PRAGMA synchronous = {synchronous}")
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self.rollback()  # nothing where the failure has ended the transaction itself
                raise

    def _claim(self, owner: Owner) -> None:
        """Write whose the file is into a new one; ConfigError when it is another's."""
        if not owner:
            return
        columns = ", ".join(f"{name} {_TYPES[type(value)]} NOT NULL" for name, value in owner.items())
        self.execute(f"CREATE TABLE IF NOT EXISTS {_OWNER} ({columns}) STRICT")
        row = self.execute(f"SELECT * FROM {_OWNER}").fetchone()  # noqa: S608  (its name only)
        if row is None:
            marks = ", ".join("?" * len(owner))
            self.execute(f"INSERT INTO {_OWNER} VALUES ({marks})", tuple(owner.values()))  # noqa: S608
        elif row != tuple(owner.values()):
            raise ConfigError(
                f"{self.path}: belongs to {_listed(dict(zip(owner, row, strict=True)))}, not to {_listed(owner)}; "
                "use another home folder"
            )


def _listed(owner: Owner) -> str:
    shown = {name: f"0x{value.hex()}" if isinstance(value, bytes) else value for name, value in owner.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _explained(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """Return the error to raise: one line of the tree where the file is at fault, else the error itself."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extension
    remedy = _REMEDIES.get(code)
    return error if remedy is None else ConfigError(f"{path}: {error}; {remedy}")
