"""The relayer's jobs and their outcomes, in a file: so that nothing is paid twice, or beyond the budget."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from dao.chain.contracts import Call
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, Wei, hex_of
from dao.runtime.sqlite import Database

DAY = 86_400
_STORED = 30 * DAY  # seconds, of jobs that are done
_SCHEMA = """
CREATE TABLE IF NOT EXISTS relay_jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, act TEXT NOT NULL, space TEXT NOT NULL, signer BLOB NOT NULL, nonce TEXT NOT NULL,
    target BLOB NOT NULL, data BLOB NOT NULL, label TEXT NOT NULL,
    state TEXT NOT NULL, told TEXT, mined TEXT, block INTEGER,
    detail TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', args TEXT NOT NULL DEFAULT '{}',
    cost TEXT NOT NULL, gas INTEGER NOT NULL, created REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS once ON relay_jobs (space, signer, nonce) WHERE state != 'failed';
CREATE INDEX IF NOT EXISTS by_id ON relay_jobs (id);
CREATE INDEX IF NOT EXISTS by_time ON relay_jobs (created);
"""
_FIELDS = (
    "number, id, act, space, signer, nonce, target, data, label, state, told, mined, block, detail, error, args, "
    "cost, gas, created"
)


class Act(StrEnum):
    """What a member has the relayer send."""

    DELEGATE = "delegate"
    VOTE = "vote"
    PROPOSE = "propose"
    QUEUE = "queue"
    EXECUTE = "execute"

    @property
    def is_signed(self) -> bool:
        """Whether it takes a signature; the others anyone may do, once for each accepted proposal."""
        return self not in (Act.QUEUE, Act.EXECUTE)


class NonceSpace(StrEnum):
    """The contract or act that counts nonces, one sequence for each signer; for queuing and executing they are proposals."""

    TOKEN = "token"  # noqa: S105  (no secret)
    REGISTRY = "registry"
    GOVERNOR = "governor"
    QUEUE = "queue"
    EXECUTE = "execute"

    @property
    def is_open(self) -> bool:
        """Whether anyone may act: no signature is needed, and nonces come in no order."""
        return self in (NonceSpace.QUEUE, NonceSpace.EXECUTE)


class JobState(StrEnum):
    """The state of a job."""

    PENDING = "pending"
    MINED = "mined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RelayJob:
    """One transaction for one signer: `id` names its content, `number` this attempt at it.

    `first_hash` is the hash that the caller got, `mined_hash` the one in the chain. `cost` in wei and `gas` are upper
    bounds until it is mined.
    """

    id: str
    act: Act
    space: NonceSpace
    signer: Address
    nonce: int
    call: Call
    cost: Wei
    gas: int
    created: float
    number: int = 0
    state: JobState = JobState.PENDING
    first_hash: str | None = None
    mined_hash: str | None = None
    block: int | None = None
    detail: str = ""
    error: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, act: Act, space: NonceSpace, signer: Address, nonce: int, call: Call) -> "RelayJob":
        """Make a new job, whose gas and cost are not known yet."""
        content = f"{space} {hex_of(signer)} {nonce} ".encode() + (call.to or b"") + call.data
        return cls(hex_of(keccak256(content)), act, space, signer, nonce, call, Wei(0), 0, time.time())

    @property
    def tx_hash(self) -> str | None:
        """The hash of its transaction; None until it is sent."""
        return self.mined_hash or self.first_hash


@dataclass(frozen=True, slots=True)
class Expense:
    """What one job took, or may take while it is pending."""

    act: Act
    signer: Address
    cost: Wei
    gas: int


class RelayJobs:
    """The file of jobs, for one process; every write is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, job: RelayJob) -> RelayJob:
        """Add a job; IntegrityError where one that did not fail has its (space, signer, nonce). Old ones that are done go."""
        self._file.execute(
            "DELETE FROM relay_jobs WHERE state != 'pending' AND created < ?", (time.time() - _STORED,)
        )
        cursor = self._file.execute(
            "INSERT INTO relay_jobs (id, act, space, signer, nonce, target, data, label, state, cost, gas, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(job.id, job.act, job.space, job.signer, str(job.nonce), job.call.to, job.call.data),
                *(job.call.label, job.state, str(job.cost), job.gas, job.created),
            ),
        )
        return replace(job, number=cursor.lastrowid or 0)

    def record_hash(self, job: RelayJob, tx_hash: str) -> None:
        """Record the first hash of a job's transaction, which its caller gets."""
        self._file.execute(
            "UPDATE relay_jobs SET told = ? WHERE number = ? AND told IS NULL", (tx_hash, job.number)
        )

    def settle(self, job: RelayJob) -> None:
        """Record the outcome of a job."""
        self._file.execute(
            "UPDATE relay_jobs SET state = ?, mined = ?, block = ?, detail = ?, error = ?, args = ?, cost = ?, "
            "gas = ? WHERE number = ?",
            (
                *(job.state, job.mined_hash, job.block, job.detail, job.error),
                *(json.dumps(dict(job.args)), str(job.cost), job.gas, job.number),
            ),
        )

    def find(self, name: str) -> RelayJob | None:
        """Find the newest job with this id or transaction hash."""
        return self._find("id = ?1 OR told = ?1 OR mined = ?1", name)

    def find_active(self, space: NonceSpace, signer: Address, nonce: int) -> RelayJob | None:
        """Find the job of a nonce, unless it failed; where no signature is needed, any signer's."""
        if space.is_open:
            return self._find("space = ? AND nonce = ? AND state != 'failed'", space, str(nonce))
        return self._find(
            "space = ? AND signer = ? AND nonce = ? AND state != 'failed'", space, signer, str(nonce)
        )

    def list_pending_nonces(self, space: NonceSpace, signer: Address) -> list[int]:
        """List the nonces of a signer's pending jobs."""
        rows = self._file.execute(
            "SELECT nonce FROM relay_jobs WHERE space = ? AND signer = ? AND state = 'pending'",
            (space, signer),
        )
        return sorted(int(nonce) for (nonce,) in rows)

    def list_pending(self) -> list[RelayJob]:
        """List the pending jobs, the oldest first."""
        rows = self._file.execute(f"SELECT {_FIELDS} FROM relay_jobs WHERE state = 'pending' ORDER BY number")  # noqa: S608
        return [_parse_job(row) for row in rows]

    def list_expenses(self, since: float) -> list[Expense]:
        """List what was spent since a time, failed jobs too, and what is reserved for pending ones."""
        rows = self._file.execute(
            "SELECT act, signer, cost, gas FROM relay_jobs WHERE created >= ?", (since,)
        )
        return [Expense(Act(act), Address(signer), Wei(int(cost)), gas) for act, signer, cost, gas in rows]

    def list_proposals(self, signer: Address) -> list[RelayJob]:
        """List a signer's proposals that did not fail, as far back as jobs are stored."""
        rows = self._file.execute(
            f"SELECT {_FIELDS} FROM relay_jobs WHERE signer = ? AND act = ? AND state != 'failed'",  # noqa: S608
            (signer, Act.PROPOSE),
        )
        return [_parse_job(row) for row in rows]

    def _find(self, where: str, *values: object) -> RelayJob | None:
        query = f"SELECT {_FIELDS} FROM relay_jobs WHERE {where} ORDER BY number DESC LIMIT 1"  # noqa: S608
        row = self._file.execute(query, values).fetchone()
        return None if row is None else _parse_job(row)


def _parse_job(row: tuple[object, ...]) -> RelayJob:
    number, name, act, space, signer, nonce, target, data, label, state, first_hash, mined_hash, *rest = row
    block, detail, error, args, cost, gas, created = rest
    return RelayJob(
        str(name),
        Act(str(act)),
        NonceSpace(str(space)),
        Address(bytes(signer)),  # type: ignore[call-overload]
        int(str(nonce)),
        Call(Address(bytes(target)), bytes(data), str(label)),  # type: ignore[call-overload]
        Wei(int(str(cost))),
        int(gas),  # type: ignore[call-overload]
        float(created),  # type: ignore[arg-type]
        int(number),  # type: ignore[call-overload]
        JobState(str(state)),
        None if first_hash is None else str(first_hash),
        None if mined_hash is None else str(mined_hash),
        None if block is None else int(block),  # type: ignore[call-overload]
        str(detail),
        str(error),
        json.loads(str(args)),
    )
