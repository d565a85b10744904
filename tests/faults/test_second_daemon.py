"""Two daemons with one key would sign two commits: the second is refused, and the first does not notice."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.faults.process import Process
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def refused(world: World, role: str, home: Path) -> str:
    """Start a daemon that must refuse to, in one line; the line."""
    runtime = {"COMMONWEIGHT_RUNTIME": str(world.superlink.runtime)}
    second = await Process.start("second", (role, "start", "--home", home), runtime)
    assert await second.ended() == 1
    (line,) = second.lines
    assert line.startswith("dao: ")
    return line


async def test_second__daemon_on_a_home_or_key_in_use__is_refused_and_the_first_goes_on(
    world: World, tmp_path: Path
) -> None:
    round_id, waiting = await world.begin()
    first, lead, copy = world.nodes[0], world.superlink, tmp_path / "copy"
    shutil.copytree(first.home, copy, ignore=shutil.ignore_patterns("desk"))  # a socket of the tests
    said = len(first.running.lines)
    by_home, by_key, superlink = await asyncio.gather(
        refused(world, "node", first.home),
        refused(world, "node", copy),
        refused(world, "superlink", lead.home),
    )
    in_use = "in use by another process ({}); wait for it, or stop it first"
    assert f"home {first.home}: {in_use.format(first.running.pid)}" in by_home
    assert f"operator {first.address}: {in_use.format(first.running.pid)}" in by_key
    assert f"home {lead.home}: {in_use.format(lead.running.pid)}" in superlink
    assert len(first.running.lines) == said
    for training in waiting:
        training.begin()
    await world.counted(round_id, *world.nodes)
