"""What an outbox keeps of transactions that are long settled."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dao.chain import outbox
from dao.chain.contracts import Call
from dao.chain.fees import Fees
from dao.chain.outbox import Outbox, OutboxEntry, TxAttempt, TxState
from dao.core.types import Address, Digest, Wei


def write(box: Outbox, number: int) -> OutboxEntry:
    attempt = TxAttempt(Digest(bytes([number]) * 32), b"raw", Fees(Wei(2), Wei(1)))
    return box.remember(f"call {number}", Call(Address(bytes(20)), b"data", "call"), number, 21_000, attempt)


def test_settle__many_more__the_oldest_settled_go_and_what_is_pending_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "KEPT", 3)
    path = tmp_path / "outbox.db"
    with closing(Outbox(path, Digest(bytes(32)), Address(bytes(20)))) as box:
        write(box, 0)
        for number in range(1, 7):
            box.settle(write(box, number), TxState.MINED if number % 2 else TxState.FAILED, {"status": "0x1"})
        assert [entry.nonce for entry in box.pending()] == [0]
        assert [entry.nonce for entry in box.mined(9)] == [5]
        assert box.find("call 3") is None
        assert box.next_nonce() == 7
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT nonce FROM sent ORDER BY nonce").fetchall() == [
            (0,),
            (4,),
            (5,),
            (6,),
        ]
        assert database.execute("SELECT COUNT(*) FROM attempts").fetchone() == (4,)
