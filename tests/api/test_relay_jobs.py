"""The relayer's jobs survive restarts; a nonce is spent once."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dao.api.relay.relay_jobs import DAY, Act, Expense, JobState, NonceSpace, RelayJob, RelayJobs
from dao.chain.contracts import Call
from dao.core.types import Address, Wei

SIGNER = Address(bytes([1] * 20))
CALL = Call(Address(bytes([2] * 20)), b"data", "vote")


def job(nonce: int = 0, data: bytes = b"data", cost: int = 5) -> RelayJob:
    new = RelayJob.make(Act.VOTE, NonceSpace.GOVERNOR, SIGNER, nonce, replace(CALL, data=data))
    return replace(new, cost=Wei(cost), gas=7)


def test_relay_jobs__opened_again__the_same_jobs(tmp_path: Path) -> None:
    jobs = RelayJobs(tmp_path / "relay.db")
    first, second = jobs.add(job(0)), jobs.add(job(1, b"other"))
    jobs.record_hash(first, "0xaa")
    jobs.record_hash(first, "0xbb")  # the first stays
    mined = replace(first, state=JobState.MINED, mined_hash="0xbb", block=7, cost=Wei(3), first_hash="0xaa")
    jobs.settle(mined)
    jobs.close()
    again = RelayJobs(tmp_path / "relay.db")
    assert again.list_pending() == [second]
    assert again.find(first.id) == again.find("0xaa") == again.find("0xbb") == mined
    assert again.find("0xcc") is None
    costs = [(expense.cost, expense.gas) for expense in again.list_expenses(0)]
    assert costs == [(3, 7), (5, 7)]
    assert again.list_pending_nonces(NonceSpace.GOVERNOR, SIGNER) == [1]
    again.close()


def test_add__a_nonce_twice__refused_unless_the_first_failed(tmp_path: Path) -> None:
    jobs = RelayJobs(tmp_path / "relay.db")
    first = jobs.add(job(0))
    with pytest.raises(sqlite3.IntegrityError):
        jobs.add(job(0, b"other"))
    failed = replace(first, state=JobState.FAILED, detail="no", error="Nope", args={"a": "1"})
    jobs.settle(failed)
    assert jobs.find_active(NonceSpace.GOVERNOR, SIGNER, 0) is None
    assert jobs.find(first.id) == failed
    second = jobs.add(job(0))
    assert jobs.find(first.id) == second
    assert jobs.list_expenses(time.time() - DAY) == [Expense(Act.VOTE, SIGNER, Wei(5), 7)] * 2
    jobs.close()


def test_add__old_jobs__forgotten(tmp_path: Path) -> None:
    jobs = RelayJobs(tmp_path / "relay.db")
    old = jobs.add(replace(job(0), created=time.time() - 31 * DAY))
    jobs.settle(replace(old, state=JobState.MINED))
    waiting = jobs.add(replace(job(1), created=time.time() - 31 * DAY))
    jobs.close()
    again = RelayJobs(tmp_path / "relay.db")
    assert again.find(old.id) is None
    assert again.list_pending() == [waiting]
    again.close()
