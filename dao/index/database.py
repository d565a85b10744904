"""Opens the index's database, SQLite in a file or PostgreSQL by URL, and migrates its tables."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from dao.errors import ConfigError, DaoError

MIGRATIONS = Path(__file__).with_name("migrations")
WRITE = {"dao_write": True}  # execution options of a connection that writes
_BUSY_SECONDS = 30
_CONNECTIONS = 8


class DatabaseError(DaoError):
    """The index's database cannot be read or written."""


def open_database(where: Path | str) -> Engine:
    """Open a file (SQLite) or a URL (sqlite:///… or postgresql://…); ConfigError for anything else.

    Every transaction sees one state of the database from its first to its last statement.
    """
    text = str(where)
    if "://" not in text:
        Path(text).parent.mkdir(parents=True, exist_ok=True)
        text = f"sqlite:///{text}"
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError(
            "database: expected a file, sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    match url.get_backend_name():
        case "sqlite":
            engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, pool_size=_CONNECTIONS)
            event.listen(engine, "connect", _configure)
            event.listen(engine, "begin", _begin)
        case "postgresql":
            engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                isolation_level="REPEATABLE READ",
                pool_size=_CONNECTIONS,
                pool_pre_ping=True,
            )
        case other:
            raise ConfigError(f"database: {other} is none; expected a file, sqlite:///… or postgresql://…")
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Migrate the tables to a revision; DatabaseError where the database is of a newer release or out of reach."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.connect().execution_options(**WRITE) as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except CommandError as error:
        raise DatabaseError(f"database: {error}; was it written by a newer release?") from None
    except SQLAlchemyError as error:
        raise DatabaseError(f"database: {one_line(error)}; check its address and its permissions") from None


def one_line(error: SQLAlchemyError) -> str:
    """Reduce a database's error to one line, without the statement and its values."""
    cause = error.__cause__ or getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]


def _configure(connection: Any, _: object) -> None:
    connection.isolation_level = (
        None  # transactions begin where SQLAlchemy begins them, not where sqlite3 guesses
    )
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("dao_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
