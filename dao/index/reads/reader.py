"""The parts that reads share: one snapshot, the newest row of each thing, records made from rows, and pages by cursors."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select, Table, func, select
from sqlalchemy.exc import SQLAlchemyError

from dao.core.types import Timestamp
from dao.errors import DecodeError
from dao.index import schema
from dao.index.database import DatabaseError, one_line
from dao.index.reads.records import RecordPage
from dao.index.rows import SettingsRow, list_fields, parse_row

T = TypeVar("T")
LIMIT = 50  # items of a page by default
MOST = 500
_PART = re.compile("[0-9a-f]{1,64}", re.ASCII)


class Reader:
    """Reads a database that an Indexer fills. Methods block, see one snapshot each, and are thread-safe.

    They raise DatabaseError where the database is out of reach, and DecodeError for a cursor of another list.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(f"database: {one_line(error)}; is it up?") from None


def is_newest(table: Table, *keys: Any) -> ColumnElement[bool]:
    """Whether a row is the newest of its thing.

    `keys`, in the table's order, give the thing's key: values, or another table's columns. The database then finds
    the one row by its key, instead of comparing each row of the thing.
    """
    other = _get_alias(table)
    names = [column.name for column in table.primary_key if column.name != "block"]
    values = keys or [table.c[name] for name in names]
    same = [other.c[name] == value for name, value in zip(names, values, strict=True)]
    query = select(func.max(other.c.block)).where(*same)
    return table.c.block == query.correlate_except(other).scalar_subquery()


@cache
def _get_alias(table: Table) -> FromClause:
    """Get the alias of a table; making one copies all columns, which took more time than many a read."""
    return table.alias()


def read_time(connection: Connection) -> Timestamp:
    """Read the time of the last indexed block, in Unix seconds."""
    return Timestamp(connection.execute(select(schema.position.c.timestamp)).scalar() or 0)


def read_settings(connection: Connection, when: Timestamp | None = None) -> SettingsRow:
    """Read the DAO's settings at the end of a past second, or those of the last indexed block."""
    table = schema.settings
    query = select(table).order_by(table.c.block.desc()).limit(1)
    if when is not None:
        query = query.where(table.c.timestamp <= when)
    row = connection.execute(query).mappings().first()
    return SettingsRow() if row is None else parse_row(SettingsRow, row)


def make_record(kind: type[T], row: Any, **values: Any) -> T:
    """Make a record of a row's columns of the same names, but for the given values."""
    any_kind: Any = kind
    columns = {name: getattr(row, name) for name in list_fields(any_kind) if name not in values}
    return kind(**columns, **values)


def read_page(
    connection: Connection,
    query: Select[Any],
    limit: int,
    make: Callable[[Sequence[Any]], Sequence[T]],
    key: Callable[[Any], Sequence[Any]],
) -> RecordPage[T]:
    """Read the first rows of an ordered query; `make` turns them into records, `key` of the last row is the next cursor."""
    limit = max(1, min(limit, MOST))
    rows = connection.execute(query.limit(limit + 1)).all()
    has_more = len(rows) > limit
    return RecordPage(tuple(make(rows[:limit])), dump_cursor(key(rows[limit - 1])) if has_more else None)


def dump_cursor(key: Sequence[Any]) -> str:
    """Dump the key of a page's last row, numbers and bytes, as a cursor."""
    return "-".join(value.hex() if isinstance(value, bytes) else f"{value:x}" for value in key)


def read_cursor(cursor: str, *kinds: type) -> list[Any]:
    """Read the key in a cursor; DecodeError unless it consists of these kinds (int, bytes)."""
    parts = cursor.split("-", len(kinds))
    if len(parts) != len(kinds) or not all(map(_PART.fullmatch, parts)):
        raise DecodeError("cursor: expected the `next` of an earlier page of this list")
    return [
        bytes.fromhex(part if len(part) % 2 == 0 else "0" + part) if kind is bytes else int(part, 16)
        for kind, part in zip(kinds, parts, strict=True)
    ]
