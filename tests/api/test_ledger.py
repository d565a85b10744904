"""What the relayer was asked for survives restarts; a nonce is spent once."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dao.api.relay.relay_jobs import DAY, JobState, RelayJob, RelayJobs, Space
from dao.chain.contracts import Call
from dao.core.types import Address, Wei

SIGNER = Address(bytes([1] * 20))
CALL = Call(Address(bytes([2] * 20)), b"data", "vote")


def job(nonce: int = 0, data: bytes = b"data", cost: int = 5) -> RelayJob:
    return RelayJob.of(Space.GOVERNOR, SIGNER, nonce, replace(CALL, data=data), Wei(cost))


def test_ledger__opened_again__the_same_jobs(tmp_path: Path) -> None:
    ledger = RelayJobs(tmp_path / "relay.db")
    first, second = ledger.add(job(0)), ledger.add(job(1, b"other"))
    ledger.tell(first, "0xaa")
    ledger.tell(first, "0xbb")  # the first stays
    mined = replace(first, state=JobState.MINED, mined="0xbb", block=7, cost=Wei(3), told="0xaa")
    ledger.settle(mined)
    ledger.close()
    again = RelayJobs(tmp_path / "relay.db")
    assert again.pending() == [second]
    assert again.find(first.id) == again.find("0xaa") == again.find("0xbb") == mined
    assert again.find("0xcc") is None
    assert again.spent(0) == 3 + 5
    assert again.waiting(Space.GOVERNOR, SIGNER) == [1]
    again.close()


def test_add__a_nonce_twice__refused_unless_the_first_failed(tmp_path: Path) -> None:
    ledger = RelayJobs(tmp_path / "relay.db")
    first = ledger.add(job(0))
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add(job(0, b"other"))
    failed = replace(first, state=JobState.FAILED, detail="no", error="Nope", args={"a": "1"})
    ledger.settle(failed)
    assert ledger.active(Space.GOVERNOR, SIGNER, 0) is None
    assert ledger.find(first.id) == failed
    second = ledger.add(job(0))
    assert ledger.find(first.id) == second
    assert ledger.count(SIGNER, time.time() - DAY) == 2
    ledger.close()


def test_ledger__old_jobs__forgotten(tmp_path: Path) -> None:
    ledger = RelayJobs(tmp_path / "relay.db")
    old = ledger.add(replace(job(0), created=time.time() - 31 * DAY))
    ledger.settle(replace(old, state=JobState.MINED))
    waiting = ledger.add(replace(job(1), created=time.time() - 31 * DAY))
    ledger.close()
    again = RelayJobs(tmp_path / "relay.db")
    assert again.find(old.id) is None
    assert again.pending() == [waiting]
    again.close()
