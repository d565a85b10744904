"""What all reads share: a view of one moment, the newest row of each thing, and pages by opaque cursors."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, func, select
from sqlalchemy.exc import SQLAlchemyError

from dao.core.errors import DecodeError
from dao.core.types import Timestamp
from dao.index import schema
from dao.index.database import DatabaseError, one_line
from dao.index.reads.records import RecordPage

T = TypeVar("T")
LIMIT = 50  # items of a page, unless told
MOST = 500
_PART = re.compile("[0-9a-f]{1,64}", re.ASCII)


class Reader:
    """Reads a database that an Indexer fills. Every method blocks, sees one moment, and may be called by any thread.

    Raises DatabaseError when the database is away, DecodeError for a cursor that is none of this list.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(f"database: {one_line(error)}; is it up?") from None


def newest(table: Table, *keys: Any) -> ColumnElement[bool]:
    """Whether a row is the newest of its thing.

    `keys`, in the table's order, are where the thing's key is known from: values, or another table's columns; a
    database then finds the one row by its key, instead of looking at each row of the thing.
    """
    other = table.alias()
    names = [column.name for column in table.primary_key if column.name != "block"]
    known = keys or [table.c[name] for name in names]
    same = [other.c[name] == key for name, key in zip(names, known, strict=True)]
    query = select(func.max(other.c.block)).where(*same)
    return table.c.block == query.correlate_except(other).scalar_subquery()


def now(connection: Connection) -> Timestamp:
    """The time of the last indexed block."""
    return Timestamp(connection.execute(select(schema.position.c.timestamp)).scalar() or 0)


def page(
    connection: Connection,
    query: Select[Any],
    limit: int,
    made: Callable[[Sequence[Any]], Sequence[T]],
    key: Callable[[Any], Sequence[Any]],
) -> RecordPage[T]:
    """The first rows of an ordered query, read by `made` together; `key` of the last row is where the next ones go on."""
    limit = max(1, min(limit, MOST))
    rows = connection.execute(query.limit(limit + 1)).all()
    more = len(rows) > limit
    return RecordPage(tuple(made(rows[:limit])), dump_cursor(key(rows[limit - 1])) if more else None)


def dump_cursor(key: Sequence[Any]) -> str:
    """A cursor from the key of a list's last row: numbers and bytes."""
    return "-".join(value.hex() if isinstance(value, bytes) else f"{value:x}" for value in key)


def read_cursor(cursor: str, *kinds: type) -> list[Any]:
    """The key in a cursor; DecodeError when it does not consist of these kinds (int, bytes)."""
    parts = cursor.split("-", len(kinds))
    if len(parts) != len(kinds) or not all(map(_PART.fullmatch, parts)):
        raise DecodeError("cursor: expected one that an earlier page of this list gave as next")
    return [
        bytes.fromhex(part if len(part) % 2 == 0 else "0" + part) if kind is bytes else int(part, 16)
        for kind, part in zip(kinds, parts, strict=True)
    ]
