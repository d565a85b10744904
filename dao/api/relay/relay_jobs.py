"""What the relayer was asked for and what became of it, in a file: so that nothing is paid twice, or beyond the budget."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from dao.chain.contracts import Call
from dao.core.keccak import keccak256
from dao.core.types import Address, Wei, hex_of
from dao.runtime.sqlite import Database

DAY = 86_400
_KEPT = 30 * DAY  # seconds
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, space TEXT NOT NULL, signer BLOB NOT NULL, nonce TEXT NOT NULL,
    target BLOB NOT NULL, data BLOB NOT NULL, label TEXT NOT NULL,
    state TEXT NOT NULL, told TEXT, mined TEXT, block INTEGER,
    detail TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', args TEXT NOT NULL DEFAULT '{}',
    cost TEXT NOT NULL, created REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS once ON jobs (space, signer, nonce) WHERE state != 'failed';
CREATE INDEX IF NOT EXISTS by_id ON jobs (id);
CREATE INDEX IF NOT EXISTS by_time ON jobs (created);
"""
_FIELDS = "number, id, space, signer, nonce, target, data, label, state, told, mined, block, detail, error, args, cost, created"


class Space(StrEnum):
    """Whose nonces they are: a signer has one sequence in each. Queuing and executing have the proposal's number."""

    TOKEN = "token"  # noqa: S105  (no secret)
    REGISTRY = "registry"
    GOVERNOR = "governor"
    QUEUE = "queue"
    EXECUTE = "execute"

    @property
    def is_open(self) -> bool:
        """Whether anyone may do it: it needs no signature, and its nonces come in no order."""
        return self in (Space.QUEUE, Space.EXECUTE)


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    MINED = "mined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RelayJob:
    """One transaction for one signer: `id` names its content, `number` this attempt at it.

    `told` is the hash that the caller heard, `mined` the one in the chain; `cost` in wei, at most until it is mined.
    """

    id: str
    space: Space
    signer: Address
    nonce: int
    call: Call
    cost: Wei
    created: float
    number: int = 0
    state: JobState = JobState.PENDING
    told: str | None = None
    mined: str | None = None
    block: int | None = None
    detail: str = ""
    error: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, space: Space, signer: Address, nonce: int, call: Call, cost: Wei) -> "RelayJob":
        """A new job."""
        content = f"{space} {hex_of(signer)} {nonce} ".encode() + (call.to or b"") + call.data
        return cls(hex_of(keccak256(content)), space, signer, nonce, call, cost, time.time())


class RelayJobs:
    """The file. One process; every write is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA)
        self._file.execute(
            "DELETE FROM jobs WHERE state != 'pending' AND created < ?", (time.time() - _KEPT,)
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, job: RelayJob) -> RelayJob:
        """Write a job down. Its (space, signer, nonce) must not be taken by one that did not fail."""
        cursor = self._file.execute(
            "INSERT INTO jobs (id, space, signer, nonce, target, data, label, state, cost, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(job.id, job.space, job.signer, str(job.nonce), job.call.to, job.call.data),
                *(job.call.label, job.state, str(job.cost), job.created),
            ),
        )
        return replace(job, number=cursor.lastrowid or 0)

    def tell(self, job: RelayJob, tx_hash: str) -> None:
        """Note the hash that the caller hears, the first one."""
        self._file.execute(
            "UPDATE jobs SET told = ? WHERE number = ? AND told IS NULL", (tx_hash, job.number)
        )

    def settle(self, job: RelayJob) -> None:
        """Note what became of a job."""
        self._file.execute(
            "UPDATE jobs SET state = ?, mined = ?, block = ?, detail = ?, error = ?, args = ?, cost = ? "
            "WHERE number = ?",
            (
                *(job.state, job.mined, job.block, job.detail, job.error),
                *(json.dumps(dict(job.args)), str(job.cost), job.number),
            ),
        )

    def find(self, name: str) -> RelayJob | None:
        """The newest job with this id or transaction hash."""
        return self._one("id = ?1 OR told = ?1 OR mined = ?1", name)

    def active(self, space: Space, signer: Address, nonce: int) -> RelayJob | None:
        """The job of a nonce that did not fail; what needs no signature is anyone's."""
        if space.is_open:
            return self._one("space = ? AND nonce = ? AND state != 'failed'", space, str(nonce))
        return self._one(
            "space = ? AND signer = ? AND nonce = ? AND state != 'failed'", space, signer, str(nonce)
        )

    def waiting(self, space: Space, signer: Address) -> list[int]:
        """The nonces of a signer's pending jobs."""
        rows = self._file.execute(
            "SELECT nonce FROM jobs WHERE space = ? AND signer = ? AND state = 'pending'", (space, signer)
        )
        return sorted(int(nonce) for (nonce,) in rows)

    def pending(self) -> list[RelayJob]:
        """What is not done yet, oldest first."""
        rows = self._file.execute(f"SELECT {_FIELDS} FROM jobs WHERE state = 'pending' ORDER BY number")  # noqa: S608
        return [_job(row) for row in rows]

    def spent(self, since: float) -> Wei:
        """Wei spent, and set aside for what is pending, since a time."""
        rows = self._file.execute("SELECT cost FROM jobs WHERE created >= ?", (since,))
        return Wei(sum(int(cost) for (cost,) in rows))

    def count(self, signer: Address, since: float) -> int:
        """How much was relayed for a signer since a time, what failed included."""
        found = self._file.execute(
            "SELECT count(*) FROM jobs WHERE signer = ? AND created >= ?", (signer, since)
        )
        return int(found.fetchone()[0])

    def _one(self, where: str, *values: object) -> RelayJob | None:
        query = f"SELECT {_FIELDS} FROM jobs WHERE {where} ORDER BY number DESC LIMIT 1"  # noqa: S608
        row = self._file.execute(query, values).fetchone()
        return None if row is None else _job(row)


def _job(row: tuple[object, ...]) -> RelayJob:
    number, name, space, signer, nonce, target, data, label, state, told, mined, block, *rest = row
    detail, error, args, cost, created = rest
    return RelayJob(
        str(name),
        Space(str(space)),
        Address(bytes(signer)),  # type: ignore[call-overload]
        int(str(nonce)),
        Call(Address(bytes(target)), bytes(data), str(label)),  # type: ignore[call-overload]
        Wei(int(str(cost))),
        float(created),  # type: ignore[arg-type]
        int(number),  # type: ignore[call-overload]
        JobState(str(state)),
        None if told is None else str(told),
        None if mined is None else str(mined),
        None if block is None else int(block),  # type: ignore[call-overload]
        str(detail),
        str(error),
        json.loads(str(args)),
    )
