"""Opens SQLite files in one way: WAL mode, whole transactions, one owner, errors of one line."""

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from dao.errors import ConfigError

PATIENCE = 5.0  # seconds to wait for another process's transaction
_OWNER = "whose"  # the table, of one row, that names whose a file is
Owner = Mapping[str, int | bytes]  # whose a file is, by column
_TYPES: Mapping[type, str] = {int: "INTEGER", bytes: "BLOB"}
_DAMAGED = "it is damaged; bring back a copy, or move it away to begin anew"
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process has it; end that one first",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "check its disk, and make room on it",
    sqlite3.SQLITE_CANTOPEN: "check that its folder is there and yours",
    sqlite3.SQLITE_READONLY: "check that the file and its folder are yours to write to",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "it is no database; bring back a copy, or move it away to begin anew",
}


class _Cursor(sqlite3.Cursor):
    """A cursor whose rows, which are read as they are fetched, raise what a statement raises."""

    connection: "Database"

    def __next__(self) -> Any:
        with _explaining(self.connection.path):
            return super().__next__()

    def fetchone(self) -> Any:
        with _explaining(self.connection.path):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _explaining(self.connection.path):
            return super().fetchall()

    def __iter__(self) -> Self:
        return self


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
        if not path.exists():
            _create(path)
        elif (
            not path.stat().st_size
        ):  # SQLite would take it for a new one, and forget what was signed or sent
            raise ConfigError(f"{path}: is empty, but was written before; {_DAMAGED}")
        with _explaining(path):
            super().__init__(path, timeout=patience, isolation_level=None, check_same_thread=False)
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
        with _explaining(self.path):
            return self.cursor(_Cursor).execute(statement, values)

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


def _create(path: Path) -> None:
    """Create a database that is empty and no empty file, in one step; nothing where the folder or its disk allows none."""
    with (
        suppress(OSError, sqlite3.Error),
        tempfile.TemporaryDirectory(dir=path.parent, prefix="new-") as folder,
    ):
        new = Path(folder) / path.name
        database = sqlite3.connect(new)
        database.execute("PRAGMA journal_mode = WAL")
        database.close()
        os.link(new, path)  # fails where another process was faster


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Raise one line of the tree of errors where the file is at fault, else the error itself."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {error}; {_DAMAGED}") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extension
        is_text = str(error).startswith("Could not decode")  # which has no code of its own
        remedy = _DAMAGED if is_text else _REMEDIES.get(code)
        if remedy is None:
            raise
        raise ConfigError(f"{path}: {error}; {remedy}") from error
