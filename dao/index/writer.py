"""Writes blocks into the database and takes them back, each time in one transaction with the index's position."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, delete, func, insert, select, tuple_, update

from dao.chain.deployment import Deployment
from dao.chain.event_types import Event
from dao.core.types import BlockNumber, Digest, Timestamp
from dao.errors import ConfigError
from dao.index import rows, schema
from dao.index.database import WRITE
from dao.index.reducer import apply, list_keys
from dao.index.rows import Key, S, SettingsRow, list_fields, parse_row
from dao.index.unit_of_work import UnitOfWork
from dao.runtime.failpoint import failpoint

HASHED_BLOCKS = 1024  # newest blocks whose hashes are stored, so that a reorg is seen after a restart
_KEYS = 200  # of one query

TABLES: dict[type, Table] = {
    rows.TaskRow: schema.task_states,
    rows.RoundRow: schema.rounds,
    rows.CaseRow: schema.cases,
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
    """A block's place in the chain; `timestamp` in Unix seconds, 0 below the network's first block."""

    number: BlockNumber
    hash: Digest
    timestamp: Timestamp


class MovedError(Exception):
    """Another process has moved the index on or back."""


class Writer:
    """The index's only writer. Blocking; not thread-safe."""

    def __init__(self, engine: Engine, network: Deployment) -> None:
        self._engine = engine.execution_options(**WRITE)
        self._network = network

    def begin(self) -> Block:
        """Read the index's position, at first below the network's first block; ConfigError for another network's database."""
        with self._engine.begin() as connection:
            row = connection.execute(select(schema.position)).mappings().first()
            if row is not None:
                if (row["chain_id"], row["coordinator"]) != (
                    self._network.chain_id,
                    self._network.coordinator,
                ):
                    raise ConfigError("database: contains another network's index; name another database")
                return Block(row["block"], row["hash"], row["timestamp"])
            block = self.get_genesis()
            connection.execute(
                insert(schema.position).values(
                    id=1,
                    chain_id=self._network.chain_id,
                    coordinator=self._network.coordinator,
                    **_dump_block(block),
                )
            )
            return block

    def add(self, before: Block, events: Sequence[Event], last: Block) -> None:
        """Write all events after `before` up to `last`; MovedError where the index is not at `before`."""
        with self._engine.begin() as connection:
            self._take_turn(connection, before)
            stored = _DatabaseRows(connection)
            keys = {key for event in events for key in list_keys(event, self._network)}
            uow = UnitOfWork(self._network, stored, stored.read(keys))
            for event in events:
                apply(event, uow)
            self._write(connection, uow)
            failpoint("index-before-position")
            hashed = {event.block: Block(event.block, event.block_hash, event.timestamp) for event in events}
            hashed[last.number] = last
            newest = [block for block in hashed.values() if block.number > last.number - HASHED_BLOCKS]
            connection.execute(insert(schema.blocks), [_dump_block(block) for block in newest])
            if last.number // HASHED_BLOCKS != before.number // HASHED_BLOCKS:
                old = schema.blocks.c.block < last.number - HASHED_BLOCKS
                connection.execute(delete(schema.blocks).where(old))
            connection.execute(update(schema.position).values(**_dump_block(last)))

    def take_back(self, before: Block, to: Block) -> None:
        """Delete all rows above `to`; MovedError where the index is not at `before`."""
        with self._engine.begin() as connection:
            self._take_turn(connection, before)
            for table in schema.BOUND:
                if table is schema.events:
                    above = table.c.place >= (to.number + 1) * schema.PLACES
                else:
                    above = table.c.block > to.number
                connection.execute(delete(table).where(above))
            connection.execute(update(schema.position).values(**_dump_block(to)))

    def list_hashed_below(self, number: BlockNumber) -> list[Block]:
        """List the blocks below a number whose hashes are stored, the newest first."""
        table = schema.blocks
        query = select(table).where(table.c.block < number).order_by(table.c.block.desc())
        with self._engine.connect() as connection:
            return [Block(row.block, row.hash, row.timestamp) for row in connection.execute(query)]

    def get_genesis(self) -> Block:
        """Get the place below all blocks of the network."""
        return Block(BlockNumber(self._network.block - 1), Digest(bytes(32)), Timestamp(0))

    @staticmethod
    def _take_turn(connection: Connection, before: Block) -> None:
        row = connection.execute(select(schema.position).with_for_update()).one()
        if (row.block, row.hash) != (before.number, before.hash):
            raise MovedError

    @staticmethod
    def _write(connection: Connection, uow: UnitOfWork) -> None:
        inserts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for kind, key, block, timestamp, value in uow.list_versions():
            table = TABLES[kind]
            row = {name: getattr(value, name) for name in list_fields(kind)}
            row |= zip(_list_keys(table), key, strict=True)
            row["block"] = block
            if "timestamp" in table.c:
                row["timestamp"] = timestamp
            inserts[table.name].append(row)
        for name, fact in uow.list_facts():
            inserts[name].append(fact)
        for name, values in inserts.items():
            connection.execute(insert(schema.metadata.tables[name]), values)


class _DatabaseRows:
    """The StoredRows of a database, read within the writer's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_newest(self, kind: type[S], key: Key) -> S | None:
        row: S | None = self.read([(kind, key)])[kind, key]
        return row

    def get_settings_at(self, when: Timestamp) -> SettingsRow:
        table = schema.settings
        query = select(table).where(table.c.timestamp <= when).order_by(table.c.block.desc()).limit(1)
        row = self._connection.execute(query).mappings().first()
        return parse_row(SettingsRow, row) if row is not None else SettingsRow()

    def read(self, keys: Iterable[tuple[type, Key]]) -> dict[tuple[type, Key], Any]:
        """Read the newest row for each key, None where there is none."""
        newest: dict[tuple[type, Key], Any] = dict.fromkeys(keys)
        for kind, table in TABLES.items():
            of_kind = [key for other, key in newest if other is kind]
            for start in range(0, len(of_kind), _KEYS):
                query = _select_newest(kind, of_kind[start : start + _KEYS])
                for row in self._connection.execute(query).mappings():
                    key = tuple(row[name] for name in _list_keys(table))
                    newest[kind, key] = parse_row(kind, row)
        return newest


def _select_newest(kind: type, keys: Sequence[Key]) -> Any:
    table, names = TABLES[kind], _list_keys(TABLES[kind])
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
def _list_keys(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key if column.name != "block")


def _dump_block(block: Block) -> dict[str, Any]:
    return {"block": block.number, "hash": block.hash, "timestamp": block.timestamp}
