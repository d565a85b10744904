"""A line that cannot make the reveal period is told: with its figure, as soon as it is known, and before the next round."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.chain.signer import Signer
from dao.core.commits import Reveal
from dao.core.formats.cid import Cid
from dao.core.formats.signed_messages import compute_revealed_digest
from dao.core.types import Address, Digest, Domain, RoundId, Signature, TaskId
from dao.errors import Unreachable
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.messages import Ack
from node import upload_watch
from node.journal import CommitEntry, SupernodeJournal
from node.status import _round_status
from node.submission import Submission
from node.upload_watch import UploadWatch, explain_shortage, foresee_shortage

pytestmark = pytest.mark.asyncio

SIGNER, TASK, ROOT = Signer(b"k" * 32), TaskId(1), Digest(b"r" * 32)
DOMAIN = Domain(1, Address(bytes(20)))


async def test_shortage__figures__named_where_time_is_too_short() -> None:
    assert explain_shortage(4_100_000, 200_000, 9) == "4.1 MB at 0.2 MB/s need 20 s, 9 s are left"
    assert explain_shortage(4_100_000, 2_000, 9) == "4.1 MB at 0.002 MB/s need 2050 s, 9 s are left"
    assert explain_shortage(4_100_000, 0, 9) == "4.1 MB: nothing gets through, 9 s are left"
    assert explain_shortage(4_100_000, 200_000, 21) == explain_shortage(0, 0, 0) == ""


async def refuse(_: CommitEntry) -> None:
    """A chain that is away, too."""
    raise Unreachable("no chain")


@dataclass
class Line:
    """A Superlink's client over a line that lets the test say how much arrives."""

    arrives: list[int]
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    received: int = 0

    async def reveal(self, *call: Any) -> Ack:
        for arrived in self.arrives:
            call[-1](arrived)
        await self.answered.wait()
        if self.arrives[-1] < 1000:
            raise Unreachable("it broke")
        _, round_id, reveal, *_ = call
        place = (DOMAIN, TASK, round_id, ROOT, SIGNER.address, reveal.commitment)
        return Ack(True, receipt=Signature(SIGNER.sign(compute_revealed_digest(*place, reveal.body_root))))


@dataclass
class Site:
    """A node with a signed update of 1,000 bytes, and 9 s until its reveal is late."""

    folder: Path
    line: Line
    now: float = 91.0

    async def open(self) -> None:
        self.journal = SupernodeJournal(self.folder / "journal.db", DOMAIN, SIGNER.address)
        disk = DiskStore(self.folder / "content", sync=False)
        self.cid: Cid = await disk.put_bytes(bytes(1000))
        nobody = cast("Any", None)
        clock = cast("Any", SimpleNamespace(now=lambda: self.now))
        self.submission = Submission(
            *(TASK, DOMAIN, nobody, clock, self.journal),
            *(LayeredStore(disk), cast("Any", self.line), nobody, False, refuse),
        )

    async def reveal(self, number: int) -> str:
        round_id = RoundId(number)
        self.journal.see(TASK, round_id, number)
        entry = self.journal.sign(TASK, round_id, ROOT, Reveal(self.cid, ROOT, ROOT), SIGNER.sign)
        closed = SimpleNamespace(closed_at=0)
        rules = SimpleNamespace(reveal_period=100, result_period=10, superlink=SIGNER.address)
        return await self.submission.reveal(entry, cast("Any", closed), cast("Any", rules))

    def why(self, number: int) -> str:
        return _round_status(self.journal.note_of(TASK, RoundId(number))).reason


async def test_reveal__line_too_slow__said_at_once_and_before_the_next_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_watch, "SURE", 0.05)
    monkeypatch.setattr(upload_watch, "EVERY", 0.05)
    site = Site(tmp_path, Line([0, 1]))
    await site.open()
    site.journal.see(TASK, RoundId(1), 1)
    revealing = asyncio.create_task(site.reveal(1))
    async with asyncio.timeout(60):
        while not site.why(1):  # noqa: ASYNC110  (it is told to the journal)
            await asyncio.sleep(0.01)
    assert " MB/s need " in site.why(1)
    assert site.why(1).endswith("9 s are left")
    site.now = 100.0
    site.line.answered.set()
    assert await revealing == "it broke"
    assert " MB/s need " in site.why(1)
    site.journal.see(TASK, RoundId(2), 2)
    rules = cast("Any", SimpleNamespace(reveal_period=0.001))
    site.submission.foresee(RoundId(2), rules)
    assert site.why(2).endswith(", the reveal period has 0 s")
    assert not foresee_shortage(site.journal.notes(TASK), 1e9)
    site.journal.close()


async def test_reveal__line_fast_enough__nothing_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path, Line([0, 1000]))
    await site.open()
    site.line.answered.set()
    assert await site.reveal(1) == ""
    assert site.why(1) == ""
    assert site.journal.note_of(TASK, RoundId(1)).facts["upload"] != {}
    site.journal.close()


async def test_watch__went_on_from_an_earlier_process__counts_what_came_since() -> None:
    said: list[str] = []
    watch = UploadWatch(1000, lambda: 1e-9, said.append)
    watch.note(900)
    watch.check()
    watch.check()
    assert len(said) == 1
    assert "nothing gets through" in said[0]
