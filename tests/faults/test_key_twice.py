"""A key that runs on two machines, where no lock is shared: the slower daemon says so, and not that it should train faster."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from node.journal import Step, SupernodeJournal
from node.submission import TWICE
from tests.faults.process import Process, until
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def test_key__on_two_machines__the_slower_one_says_that_it_runs_twice(
    world: World, tmp_path: Path
) -> None:
    await world.play()
    first, copy = world.nodes[0], tmp_path / "copy"
    await first.kill()
    shutil.copytree(first.home, copy, ignore=shutil.ignore_patterns("desk", ".*"))
    elsewhere = {"HOME": str(copy), "COMMONWEIGHT_RUNTIME": str(tmp_path / "locks")}
    await first.start()
    second = await Process.start("second", ("node", "start", "--home", copy), elsewhere)
    try:
        round_id, (one, theirs) = await world.begin()
        await first.desk.asked(round_id)  # the other machine trains, too
        (task,) = (await first.status()).tasks
        assert [
            line for line in task.waits if f"round {round_id} awaits the commit of this node since" in line
        ]
        assert not task.not_ready
        one.begin()
        theirs.begin()
        manifest = await world.posted(round_id)
        assert len(manifest.nodes) == 2

        def read_reasons() -> list[str]:
            found = []
            for home in (first.home, copy):
                with closing(
                    SupernodeJournal(home / "journal.db", first.domain, first.member.operator.address)
                ) as journal:
                    found += [
                        note.reason
                        for note in journal.notes()
                        if note.round == round_id and note.step is Step.ENDED
                    ]
            return found

        await until(lambda: len(read_reasons()) == 2)
        assert read_reasons().count(TWICE) == 1
        assert not world.equivocations(round_id)
    finally:
        await second.stop()
        await first.restart()
    following, trainings = await world.begin(after=round_id)
    for training in trainings:
        training.begin()
    await world.counted(following, *world.nodes)
