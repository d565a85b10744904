"""One way to keep a SQLite file: whole transactions, one owner, and troubles in one line with what to do."""

import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dao.errors import ConfigError
from dao.runtime.sqlite import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY);
CREATE VIEW IF NOT EXISTS lengths AS SELECT length(word) AS n FROM words;
"""
OWNER: dict[str, int | bytes] = {"chain": 1, "node": b"n" * 20}


def words(database: Database) -> list[str]:
    return [word for (word,) in database.execute("SELECT word FROM words ORDER BY word")]


def test_database__opened_again__has_what_was_written(tmp_path: Path) -> None:
    for expected in ([], ["one"]):
        database = Database(tmp_path / "words.db", SCHEMA, owner=OWNER)
        assert words(database) == expected
        with database.transaction():
            database.execute("INSERT OR IGNORE INTO words VALUES (?)", ("one",))
        database.close()


def test_transaction__fails__writes_nothing_and_the_next_works(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.db", SCHEMA)

    def write_twice() -> None:
        with database.transaction():
            for _ in range(2):
                database.execute("INSERT INTO words VALUES ('lost')")

    with pytest.raises(sqlite3.IntegrityError):
        write_twice()
    with database.transaction():
        database.execute("INSERT INTO words VALUES ('kept')")
    assert words(database) == ["kept"]


def test_transaction__another_has_the_file__refused_after_its_patience_with_what_to_do(
    tmp_path: Path,
) -> None:
    one, other = (Database(tmp_path / "words.db", SCHEMA, patience=0.05) for _ in range(2))
    with (
        one.transaction(),
        pytest.raises(ConfigError, match=r"words\.db: database is locked; another process has it"),
        other.transaction(),
    ):
        pass
    with other.transaction():
        other.execute("INSERT INTO words VALUES ('after')")


def test_transaction__asked_to_sync__does_from_then_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.db", SCHEMA, synchronous="NORMAL")
    for setting, number in ((None, 1), ("FULL", 2), (None, 2)):
        with database.transaction(setting):
            pass
        assert database.execute("PRAGMA synchronous").fetchone() == (number,)


def test_database__of_another_owner__refused_with_both_names(tmp_path: Path) -> None:
    Database(tmp_path / "words.db", SCHEMA, owner=OWNER).close()
    with pytest.raises(ConfigError, match=r"belongs to chain 1, node 0x6e.*, not to chain 2, .*another home"):
        Database(tmp_path / "words.db", SCHEMA, owner=OWNER | {"chain": 2})


def test_database__damaged_absent_or_unreadable__one_line_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ConfigError, match=r"words\.db: file is not a database; it is no database; bring"):
        Database(path, SCHEMA)
    with pytest.raises(ConfigError, match=r"unable to open .*; check that its folder is there and yours"):
        Database(tmp_path / "nowhere" / "words.db", SCHEMA)
    with pytest.raises(ConfigError, match="check that"):
        Database(tmp_path, SCHEMA)


def test_execute__a_page_is_damaged__one_line_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    database = Database(path, SCHEMA)
    with database.transaction():
        database.execute("INSERT INTO words VALUES ('one')")
    database.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(ConfigError, match=r"words\.db: .*malformed; it is damaged; bring back a copy"):
        words(Database(path, SCHEMA))


@pytest.mark.parametrize(
    "read", [list, lambda rows: rows.fetchall(), lambda rows: rows.fetchone() and list(rows)]
)
def test_rows__a_later_page_is_damaged__one_line_with_what_to_do(
    tmp_path: Path, read: Callable[[sqlite3.Cursor], object]
) -> None:
    path = tmp_path / "words.db"
    database = Database(path, "CREATE TABLE IF NOT EXISTS texts (text TEXT)")
    with database.transaction():
        for number in range(200):
            database.execute("INSERT INTO texts VALUES (?)", (f"{number}" * 500,))
    database.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(ConfigError, match=r"words\.db: .*; it is damaged; bring back a copy"):
        read(Database(path, "").execute("SELECT text FROM texts"))


def test_rows__a_text_is_damaged__one_line_with_what_to_do(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.db", SCHEMA)
    database.execute("INSERT INTO words VALUES (CAST(x'ff41' AS TEXT))")
    with pytest.raises(ConfigError, match=r"words\.db: .*; it is damaged; bring back a copy"):
        words(database)


def test_database__emptied_after_it_was_written__refused_rather_than_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    database = Database(path, SCHEMA)
    database.execute("INSERT INTO words VALUES ('signed')")
    path.write_bytes(b"")
    with pytest.raises(
        ConfigError, match=r"words\.db: is empty, but was written before; it is damaged; bring"
    ):
        Database(path, SCHEMA)


def test_database__made_by_many_at_once__never_seen_empty_and_all_share_it(tmp_path: Path) -> None:
    path = tmp_path / "words.db"

    def write(number: int) -> None:
        Database(path, SCHEMA).execute("INSERT INTO words VALUES (?)", (str(number),))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert words(Database(path, SCHEMA)) == [str(number) for number in range(8)]
    assert {file.name.partition("-")[0] for file in tmp_path.iterdir()} == {"words.db"}


def test_execute__its_disk_is_full__one_line_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.db", SCHEMA)
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    with (
        pytest.raises(ConfigError, match=r"words\.db: .*full; make room on its disk"),
        database.transaction(),
    ):
        database.execute("INSERT INTO words VALUES (?)", ("long" * 10_000,))
    database.execute("PRAGMA max_page_count = 1000000")
    with database.transaction():
        database.execute("INSERT INTO words VALUES (?)", ("long" * 10_000,))


def test_execute__the_statement_is_wrong__is_no_fault_of_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.db", SCHEMA)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        database.execute("SELECT * FROM absent")
    database.execute("INSERT INTO words VALUES ('one')")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO words VALUES ('one')")
