"""The log of use: each training on the node's data, by whose decision, and what left; a kill loses nothing of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest, RoundId, TaskId
from dao.errors import ChainError
from node.uses import UNKNOWN, DataUse, UseLog, read_uses

APP, UPDATE = Digest(b"a" * 32), Cid(ContentCodec.RAW, Digest(b"u" * 32))
CARD = Digest(b"c" * 32)
COUNTS = {"rows": 30, "skipped": 2, "labels": {"B": 20, "M": 10}}
ROOT = Path(__file__).parents[2]


class Chain:
    """Says by whose decision the task is; does not answer the first time."""

    def __init__(self) -> None:
        self.asked = 0

    async def origin(self) -> str:
        self.asked += 1
        if self.asked == 1:
            raise ChainError("no answer")
        return "proposal 7"


async def test_uses__of_two_rounds__say_what_ran_and_what_left(tmp_path: Path) -> None:
    chain = Chain()
    log = UseLog(tmp_path, TaskId(1), chain.origin)
    for number in (1, 2, 3):
        await log.begin(RoundId(number), APP, CARD, COUNTS)
        await log.end(RoundId(number), 27)
    await log.leave(RoundId(2), UPDATE, 4096)
    first, second, _ = read_uses(tmp_path)
    assert (first.decided_by, first.update, first.left) == (UNKNOWN, None, None)
    assert (second.task, second.round, second.app) == (1, 2, f"0x{APP.hex()}")
    assert second.card == f"0x{CARD.hex()}"
    assert (second.decided_by, second.update, second.update_bytes) == ("proposal 7", str(UPDATE), 4096)
    assert (second.rows, second.skipped, second.used, second.labels) == (30, 2, 27, {"B": 20, "M": 10})
    assert second.ended is not None
    assert second.left is not None
    assert chain.asked == 2


async def test_uses__tried_twice_in_a_round__are_two(tmp_path: Path) -> None:
    log = UseLog(tmp_path, TaskId(1), Chain().origin)
    await log.begin(RoundId(1), APP, CARD, COUNTS)
    await log.begin(RoundId(1), APP, CARD, COUNTS)
    await log.end(RoundId(1), 27)
    assert [use.ended is None for use in read_uses(tmp_path)] == [True, False]


async def test_uses__lines__have_no_value_of_the_data(tmp_path: Path) -> None:
    log = UseLog(tmp_path, TaskId(1), Chain().origin)
    await log.begin(RoundId(1), APP, CARD, COUNTS)
    await log.end(RoundId(1), 27)
    await log.leave(RoundId(1), UPDATE, 4096)
    lines = [json.loads(line) for line in (tmp_path / "uses.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [
        {"time", "task", "round", "step", "app", "card", "decided_by", "rows", "skipped", "labels"},
        {"time", "task", "round", "step", "used"},
        {"time", "task", "round", "step", "update", "bytes"},
    ]


def test_uses__none_yet__are_none(tmp_path: Path) -> None:
    assert read_uses(tmp_path) == []


def test_uses__process_killed_between_lines__none_is_lost(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom node.uses import UseLog\n"
        "from dao.core.types import Digest, RoundId, TaskId\n"
        "async def main():\n"
        "    async def origin(): return 'proposal 7'\n"
        "    log = UseLog(Path(sys.argv[1]), TaskId(1), origin)\n"
        "    for number in range(1, 10**6):\n"
        "        await log.begin(RoundId(number), Digest(bytes(32)), Digest(bytes(32)), {})\n"
        "        print(number, flush=True)\n"
        "asyncio.run(main())\n"
    )
    line = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 5:
            pass
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout]
    uses = read_uses(tmp_path)
    assert [use.round for use in uses] == list(range(1, len(uses) + 1))
    assert len(uses) >= max(told, default=5)


async def test_uses__a_line_torn_by_a_power_cut__costs_that_line_alone(tmp_path: Path) -> None:
    log = UseLog(tmp_path, TaskId(1), Chain().origin)
    await log.begin(RoundId(1), APP, CARD, COUNTS)
    await log.begin(RoundId(2), APP, CARD, COUNTS)
    path = tmp_path / "uses.jsonl"
    os.truncate(path, path.stat().st_size - 7)
    await log.begin(RoundId(3), APP, CARD, COUNTS)
    assert [use.round for use in read_uses(tmp_path)] == [1, 3]


@pytest.mark.parametrize("line", ["7", "null", "{"])
def test_uses__a_line_that_is_no_object__is_left_out(tmp_path: Path, line: str) -> None:
    good = {"time": 5, "task": 1, "round": 1, "step": "run", "app": "0x", "decided_by": "proposal 1"}
    (tmp_path / "uses.jsonl").write_text(f"{line}\n{json.dumps(good)}\n")
    assert read_uses(tmp_path) == [DataUse(1, 1, "0x", "proposal 1", 5)]
