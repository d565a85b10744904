"""What an operator is told when something does not answer: what it is, and not something else."""

import asyncio
import io
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from dao.chain.client import Chain
from dao.cli.node.status_table import print_status
from dao.core.types import Address, BlockNumber, Domain, RoundId, TaskId
from dao.errors import ContentError, NotFound
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.store.source import Source
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_source import SuperlinkSource
from node import status
from node.journal import Step, SupernodeJournal
from node.self_defence import NOTHING


async def test_rewards__no_source_has_the_manifest_in_time__the_superlink_is_named_not_the_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def searching(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(status, "read_standing", searching)
    task = status.TaskStatus(1)
    with pytest.raises(ContentError, match="does its Superlink run"):
        await status.read_rewards(
            cast("Chain", None), cast("Source", None), task, Address(bytes(20)), limit=0.01
        )
    assert task.claimable_wei is None


async def test_content__superlink_refuses_connections__one_line_that_names_it_and_no_internals(
    tmp_path: Path,
) -> None:
    client = SuperlinkClient("127.0.0.1:1", None, Domain(1, Address(bytes(20))), limit=0.2)
    disk = DiskStore(tmp_path)
    cid = cid_of_bytes(b"content")
    with pytest.raises(NotFound) as told:
        await LayeredStore(disk, [SuperlinkSource(client, disk)], attempts=1).get(cid)
    await client.close()
    assert told.value.why == "Superlink 127.0.0.1:1 does not answer; check that it runs, and the address"
    assert str(told.value) == f"{cid}: cannot be had: {told.value.why}"


def test_show__narrow_terminal__wraps_a_path_and_cuts_nothing_of_it() -> None:
    path = "/srv/data/of/the/hospital/with/a/very/long/name/" + "x" * 60 + "/mine.csv"
    row = status.RoundStatus(1, 12, "ended", f"load: no such file [{path}]", None, None, str(28 * 10**18), {})
    trouble = "the manifest of round 3 cannot be had: " + "; ".join(
        ["Superlink 127.0.0.1:1 does not answer"] * 3
    )
    found = status.NodeStatus("0x01", False, tasks=[status.TaskStatus(1, trouble=trouble)], rounds=[row])
    out = io.StringIO()
    print_status(found, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert f"[{path}]" in "".join("".join(lines).split())
    assert f"task 1: not known while the chain does not answer, ? tokens to claim; {trouble}" in lines


def test_round_status__fault_found_in_the_result__told_beside_the_reason(tmp_path: Path) -> None:
    task, fault = TaskId(1), "node 0x01: its score is wrong; proven"
    journal = SupernodeJournal(tmp_path / "journal.db", Domain(1, Address(bytes(20))), Address(b"\x01" * 20))
    for round_id, checked in (RoundId(3), NOTHING), (RoundId(4), fault):
        journal.see(task, round_id, BlockNumber(9))
        journal.reach(task, round_id, Step.ENDED, "you earned your part", {"checked": checked})
    shown = {note.round: status._round_status(note).reason for note in journal.notes()}
    journal.close()
    assert shown == {
        3: "you earned your part",
        4: f"you earned your part; {fault}",
    }


def test_show__task_that_is_not_ready__says_why_whom_it_waits_for_and_what_privacy_is_spent() -> None:
    task = status.TaskStatus(1, not_ready="load: ValueError", privacy="epsilon 2 of 8 spent, at delta 1e-06")
    task.waits = [f"round 5 awaits the commit of {n}" for n in range(7)]
    task.card = {"name": "Cells", "purpose": "Tells cells apart", "data": "images"}
    task.missing = ["round 4 missed this node"]
    found = status.NodeStatus("0x01", False, tasks=[task])
    out = io.StringIO()
    print_status(found, Console(file=out, width=200))
    lines = out.getvalue().splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("task 1 (Cells): "))
    assert lines[at + 1 : at + 11] == [
        "  purpose: Tells cells apart",
        "  privacy: epsilon 2 of 8 spent, at delta 1e-06",
        "  not ready: load: ValueError",
        *(f"  round 5 awaits the commit of {n}" for n in range(5)),
        "  and 2 more",
        "  round 4 missed this node",
    ]
