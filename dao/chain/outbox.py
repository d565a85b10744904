"""Transactions of an account, on disk before they are broadcast: a restart neither forgets nor repeats one."""

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dao.chain.contracts import Call
from dao.chain.fees import Fees
from dao.core.types import Address, Digest, Wei
from dao.errors import ConfigError
from dao.runtime.sqlite import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (
    id INTEGER PRIMARY KEY, chain BLOB NOT NULL, account BLOB NOT NULL, key TEXT, label TEXT NOT NULL,
    nonce INTEGER NOT NULL, target BLOB, data BLOB NOT NULL, value TEXT NOT NULL, gas INTEGER NOT NULL,
    state TEXT NOT NULL, receipt TEXT, UNIQUE (chain, account, key)
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (
    sent INTEGER NOT NULL REFERENCES sent ON DELETE CASCADE, number INTEGER NOT NULL, hash BLOB NOT NULL,
    raw BLOB NOT NULL, max_fee INTEGER NOT NULL, tip INTEGER NOT NULL, PRIMARY KEY (sent, number)
) STRICT;
CREATE INDEX IF NOT EXISTS nonces ON sent (chain, account, nonce);
"""
KEPT = 1000  # entries that are settled: far more than a reorg takes back, or an interrupted command repeats
_COLUMNS = "id, key, label, nonce, target, data, value, gas, state, receipt"


class TxState(StrEnum):
    """The state of a transaction."""

    PENDING = "pending"
    MINED = "mined"
    FAILED = "failed"  # mined, and refused by the contract


@dataclass(frozen=True, slots=True)
class TxAttempt:
    """A signed transaction: all attempts of one entry differ in their fees only."""

    hash: Digest
    raw: bytes
    fees: Fees


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A transaction; `receipt` is the node's JSON, once mined; `attempts` oldest first."""

    id: int
    key: str | None
    call: Call
    nonce: int
    gas: int
    state: TxState
    receipt: dict[str, Any] | None
    attempts: tuple[TxAttempt, ...]


class Outbox:
    """One account's transactions on one chain (named by its first block's hash) in a file that others may share."""

    def __init__(self, path: Path, chain: Digest, account: Address) -> None:
        """Open or create the file; ConfigError when it cannot be."""
        self._scope = (chain, account)
        self._log = path.with_name(path.name + "-wal")
        self._db = Database(path, _SCHEMA, synchronous="NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def sync(self) -> None:
        """Bring all that was written to the disk. Slow, and safe in another thread.

        It outlives this process anyway; this is for the machine's end. ConfigError when it fails.
        """
        try:
            with self._log.open("rb") as log:
                os.fsync(log.fileno())
        except OSError as error:
            raise ConfigError(f"{self._log}: not written ({error.strerror}); check the disk") from error

    def remember(self, key: str | None, call: Call, nonce: int, gas: int, attempt: TxAttempt) -> OutboxEntry:
        """Write an entry and its first attempt. It takes a failed entry's key."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE sent SET key = NULL WHERE chain = ? AND account = ? AND key = ? AND state = ?",
                (*self._scope, key, TxState.FAILED),
            )
            row = self._db.execute(
                "INSERT INTO sent (chain, account, key, label, nonce, target, data, value, gas, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(*self._scope, key, call.label, nonce, call.to, call.data),
                    *(str(call.value), gas, TxState.PENDING),
                ),
            ).lastrowid
            assert row is not None  # noqa: S101  (an INSERT has one)
            self._add(row, attempt)
        return OutboxEntry(row, key, call, nonce, gas, TxState.PENDING, None, (attempt,))

    def add_attempt(self, entry: OutboxEntry, attempt: TxAttempt, nonce: int | None = None) -> OutboxEntry:
        """Write another attempt; with `nonce`, the earlier ones can no longer be mined and go."""
        with self._db.transaction():
            if nonce is not None:
                self._db.execute("DELETE FROM attempts WHERE sent = ?", (entry.id,))
                self._db.execute("UPDATE sent SET nonce = ? WHERE id = ?", (nonce, entry.id))
            self._add(entry.id, attempt)
        return self._entry(entry.id)

    def settle(self, entry: OutboxEntry, state: TxState, receipt: dict[str, Any] | None) -> OutboxEntry:
        """Write the outcome of an entry, and remove entries that were settled long before it."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE sent SET state = ?, receipt = ? WHERE id = ?",
                (state, json.dumps(receipt) if receipt is not None else None, entry.id),
            )
            old = (*self._scope, TxState.PENDING, entry.id - KEPT)
            self._db.execute(
                "DELETE FROM sent WHERE chain = ? AND account = ? AND state != ? AND id <= ?", old
            )
        return self._entry(entry.id)

    def forget(self, entry: OutboxEntry) -> None:
        """Remove an entry that no node has taken."""
        self._db.execute("DELETE FROM sent WHERE id = ?", (entry.id,))

    def find(self, key: str) -> OutboxEntry | None:
        """Return the entry with this key, unless it failed."""
        entries = self._select("key = ? AND state != 'failed'", key)
        return entries[0] if entries else None

    def at_nonce(self, nonce: int) -> OutboxEntry | None:
        """Return the newest entry with this nonce."""
        entries = self._select("nonce = ?", nonce)
        return entries[-1] if entries else None

    def pending(self) -> list[OutboxEntry]:
        """Return the entries that are not known to be mined, by nonce."""
        return self._select("state = ?", TxState.PENDING)

    def mined(self, count: int) -> list[OutboxEntry]:
        """Return the last `count` entries that succeeded, by nonce."""
        return self._select("state = ? ORDER BY nonce DESC LIMIT ?", TxState.MINED, count)[::-1]

    def next_nonce(self) -> int:
        """Return one more than the highest nonce used."""
        query = "SELECT MAX(nonce) FROM sent WHERE chain = ? AND account = ?"
        (highest,) = self._db.execute(query, self._scope).fetchone()
        return 0 if highest is None else int(highest) + 1

    def _add(self, row: int, attempt: TxAttempt) -> None:
        """Write an attempt under the number that follows the entry's highest: the earlier ones may have gone."""
        fees = attempt.fees
        self._db.execute(
            "INSERT INTO attempts SELECT ?, COALESCE(MAX(number) + 1, 0), ?, ?, ?, ? FROM attempts WHERE sent = ?",
            (row, attempt.hash, attempt.raw, fees.max_fee, fees.tip, row),
        )

    def _entry(self, row: int) -> OutboxEntry:
        return self._select("id = ?", row)[0]

    def _select(self, where: str, *values: object) -> list[OutboxEntry]:
        order = "" if "ORDER BY" in where else "ORDER BY nonce, id"
        query = f"SELECT {_COLUMNS} FROM sent WHERE chain = ? AND account = ? AND {where} {order}"  # noqa: S608
        return [self._read(*row) for row in self._db.execute(query, (*self._scope, *values))]

    def _read(self, row: int, key: str | None, label: str, nonce: int, *rest: Any) -> OutboxEntry:
        target, data, value, gas, state, receipt = rest
        query = "SELECT hash, raw, max_fee, tip FROM attempts WHERE sent = ? ORDER BY number"
        attempts = tuple(
            TxAttempt(Digest(digest), raw, Fees(Wei(max_fee), Wei(tip)))
            for digest, raw, max_fee, tip in self._db.execute(query, (row,))
        )
        call = Call(None if target is None else Address(target), data, label, int(value))
        return OutboxEntry(
            row, key, call, nonce, gas, TxState(state), json.loads(receipt) if receipt else None, attempts
        )
