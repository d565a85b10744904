"""The index's database itself: made from nothing, by whom and where it may be opened, and what is said when it may not."""

from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from bench.synthetic_events import NETWORK
from dao.core.types import Address
from dao.errors import ConfigError
from dao.index import schema
from dao.index.database import WRITE, DatabaseError, migrate, open_database
from dao.index.reads import Reads
from dao.index.writer import Writer


def test_migrate__from_nothing__makes_the_tables_that_the_code_knows(database: Engine) -> None:
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_migrate__again__changes_nothing(database: Engine) -> None:
    Writer(database, NETWORK).begin()
    migrate(database)
    with database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM position")).scalar() == 1


def test_migrate__database_of_a_newer_release__refused(database: Engine) -> None:
    with database.execution_options(**WRITE).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9999'"))
    with pytest.raises(DatabaseError, match="newer release"):
        migrate(database)


def test_begin__database_of_another_network__refused(database: Engine) -> None:
    Writer(database, NETWORK).begin()
    other = replace(NETWORK, coordinator=Address(bytes(20)))
    with pytest.raises(ConfigError, match="another network's index"):
        Writer(database, other).begin()


@pytest.mark.parametrize("where", ["mysql://u@h/x", "://", "sqlite"])
def test_open__what_is_no_database__refused_or_a_file(
    where: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if "://" not in where:
        engine = open_database(tmp_path_factory.mktemp("new") / "folder" / where)
        migrate(engine)
        engine.dispose()
        return
    with pytest.raises(ConfigError, match="database: "):
        open_database(where)


def test_read__database_away__one_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = open_database(f"postgresql://nobody@/none?host={tmp_path_factory.mktemp('none')}")
    for touch in (lambda: migrate(engine), lambda: Reads(engine).list_tasks()):
        with pytest.raises(DatabaseError) as caught:
            touch()
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("database: ")
