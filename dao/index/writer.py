"""Writes blocks into the database, and takes them back: each time in one transaction with the index's position."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, delete, func, insert, select, tuple_, update

from dao.chain.deployment import Deployment
from dao.chain.event_types import Event
from dao.core.errors import ConfigError
from dao.core.types import BlockNumber, Digest, Phase, Timestamp
from dao.index import rows, schema
from dao.index.database import WRITE
from dao.index.reducer import apply, keys_of
from dao.index.rows import Key, S, SettingsRow, UnitOfWork
from dao.runtime.failpoint import failpoint

KEPT_BLOCKS = 1024  # of which the hashes are known, for a reorg to be seen after a restart
_KEYS = 200  # asked for at once

TABLES: dict[type, Table] = {
    rows.TaskRow: schema.task_states,
    rows.RoundRow: schema.rounds,
    rows.MemberRow: schema.members,
    rows.AdmissionRow: schema.admissions,
    rows.ClaimRow: schema.claims,
    rows.SupernodeRow: schema.supernodes,
    rows.AccountRow: schema.accounts,
    rows.SettingsRow: schema.settings,
    rows.ProposalRow: schema.proposal_states,
}


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the index knows it."""

    number: BlockNumber
    hash: Digest
    timestamp: Timestamp


class MovedError(Exception):
    """Another process has moved the index on, or back."""


class Writer:
    """The one who writes. Blocks; for one thread at a time."""

    def __init__(self, engine: Engine, network: Deployment) -> None:
        self._engine = engine.execution_options(**WRITE)
        self._network = network

    def begin(self) -> Block:
        """Where the index stands, begun below the network's first block; ConfigError for another network's database."""
        with self._engine.begin() as connection:
            row = connection.execute(select(schema.position)).mappings().first()
            if row is not None:
                if (row["chain_id"], row["coordinator"]) != (
                    self._network.chain_id,
                    self._network.coordinator,
                ):
                    raise ConfigError("database: holds another network's index; name another database")
                return Block(row["block"], row["hash"], row["timestamp"])
            block = Block(BlockNumber(self._network.block - 1), Digest(bytes(32)), Timestamp(0))
            connection.execute(
                insert(schema.position).values(
                    id=1,
                    chain_id=self._network.chain_id,
                    coordinator=self._network.coordinator,
                    **_columns(block),
                )
            )
            return block

    def add(self, before: Block, events: Sequence[Event], last: Block) -> None:
        """Go on from `before` to `last`, with all events between; MovedError when the index is not at `before`."""
        with self._engine.begin() as connection:
            self._take_turn(connection, before)
            stored = _Stored(connection)
            known = stored.read({key for event in events for key in keys_of(event, self._network)})
            book = UnitOfWork(self._network, stored, known)
            for event in events:
                apply(event, book)
            self._write(connection, book)
            failpoint("index-before-position")
            seen = {event.block: Block(event.block, event.block_hash, event.timestamp) for event in events}
            seen[last.number] = last
            newest = [block for block in seen.values() if block.number > last.number - KEPT_BLOCKS]
            connection.execute(insert(schema.blocks), [_columns(block) for block in newest])
            if last.number // KEPT_BLOCKS != before.number // KEPT_BLOCKS:
                old = schema.blocks.c.block < last.number - KEPT_BLOCKS
                connection.execute(delete(schema.blocks).where(old))
            connection.execute(update(schema.position).values(**_columns(last)))

    def take_back(self, before: Block, to: Block) -> None:
        """Void all blocks above `to`; MovedError when the index is not at `before`."""
        with self._engine.begin() as connection:
            self._take_turn(connection, before)
            for table in schema.BOUND:
                if table is schema.events:
                    above = table.c.place >= (to.number + 1) * schema.PLACES
                else:
                    above = table.c.block > to.number
                connection.execute(delete(table).where(above))
            connection.execute(update(schema.position).values(**_columns(to)))

    def seen_below(self, number: BlockNumber) -> list[Block]:
        """The blocks below a number whose hashes are known, the newest first."""
        known = schema.blocks
        query = select(known).where(known.c.block < number).order_by(known.c.block.desc())
        with self._engine.connect() as connection:
            return [Block(row.block, row.hash, row.timestamp) for row in connection.execute(query)]

    def genesis(self) -> Block:
        """Below all blocks of the network."""
        return Block(BlockNumber(self._network.block - 1), Digest(bytes(32)), Timestamp(0))

    @staticmethod
    def _take_turn(connection: Connection, before: Block) -> None:
        row = connection.execute(select(schema.position).with_for_update()).one()
        if (row.block, row.hash) != (before.number, before.hash):
            raise MovedError

    @staticmethod
    def _write(connection: Connection, book: UnitOfWork) -> None:
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for kind, key, block, timestamp, value in book.versions():
            table = TABLES[kind]
            row = {name: getattr(value, name) for name in _fields(kind)}
            row |= zip(_key_names(table), key, strict=True)
            row["block"] = block
            if "timestamp" in table.c:
                row["timestamp"] = timestamp
            rows[table.name].append(row)
        for name, fact in book.facts():
            rows[name].append(fact)
        for name, found in rows.items():
            connection.execute(insert(schema.metadata.tables[name]), found)


class _Stored:
    """What the database holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest(self, kind: type[S], key: Key) -> S | None:
        found: S | None = self.read([(kind, key)])[kind, key]
        return found

    def settings_at(self, when: Timestamp) -> SettingsRow:
        table = schema.settings
        query = select(table).where(table.c.timestamp <= when).order_by(table.c.block.desc()).limit(1)
        row = self._connection.execute(query).mappings().first()
        found: SettingsRow = state_of(SettingsRow, row) if row is not None else SettingsRow()
        return found

    def read(self, wanted: Iterable[tuple[type, Key]]) -> dict[tuple[type, Key], Any]:
        """The newest state for each key, None where there is none."""
        found: dict[tuple[type, Key], Any] = dict.fromkeys(wanted)
        for kind, table in TABLES.items():
            keys = [key for of, key in found if of is kind]
            for start in range(0, len(keys), _KEYS):
                for row in self._connection.execute(_newest(kind, keys[start : start + _KEYS])).mappings():
                    key = tuple(row[name] for name in _key_names(table))
                    found[kind, key] = state_of(kind, row)
        return found


def state_of(kind: Any, row: Any) -> Any:
    """Read a state from a row of its table."""
    values = {name: row[name] for name in _fields(kind)}
    if kind is rows.RoundRow:
        values["phase"] = Phase(values["phase"])
    return kind(**values)


def _newest(kind: type, keys: Sequence[Key]) -> Any:
    table, names = TABLES[kind], _key_names(TABLES[kind])
    if not names:
        return select(table).order_by(table.c.block.desc()).limit(1)
    columns = [table.c[name] for name in names]
    chosen = columns[0].in_([key[0] for key in keys]) if len(names) == 1 else tuple_(*columns).in_(keys)
    newest = (
        select(*columns, func.max(table.c.block).label("block")).where(chosen).group_by(*columns).subquery()
    )
    same = [table.c[name] == newest.c[name] for name in (*names, "block")]
    return select(table).join(newest, and_(*same))


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key if column.name != "block")


def _columns(block: Block) -> dict[str, Any]:
    return {"block": block.number, "hash": block.hash, "timestamp": block.timestamp}
