"""Databases of both kinds, each new for its test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from dao.index.database import migrate, open_database
from tests.postgres import postgres

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL that this worker started."""
    with postgres() as uri:
        yield uri


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database is, or will be once it is migrated."""
    if request.param == "sqlite":
        return str(tmp_path / "index.db")
    uri: str = request.getfixturevalue("postgresql")
    name = f"index_{next(_numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # a name cannot be a parameter
    return uri.replace("/postgres?", f"/{name}?")


@pytest.fixture
def database(place: str) -> Iterator[Engine]:
    """An empty database, up to date."""
    engine = open_database(place)
    migrate(engine)
    yield engine
    engine.dispose()
