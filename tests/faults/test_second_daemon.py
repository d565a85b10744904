"""Two daemons with one key would sign two commits: the second is refused, and the first does not notice."""

import shutil
from pathlib import Path

import pytest

from tests.faults.process import Process
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def refused(world: World, role: str, home: Path) -> str:
    """Start a daemon that must refuse to, in one line; the line."""
    runtime = {"COMMONWEIGHT_RUNTIME": str(world.superlink.runtime)}
    second = await Process.start("second", (role, "start", "--home", home), runtime)
    assert await second.ended() == 1
    (line,) = second.lines
    assert line.startswith("dao: ")
    return line


async def test_second__same_home__is_refused_and_the_first_goes_on(world: World) -> None:
    round_, waiting = await world.begin()
    first = world.nodes[0]
    said = len(first.running.lines)
    line = await refused(world, "node", first.home)
    assert (
        f"home {first.home}: in use by a running daemon (process {first.running.pid}); stop that one first"
        in line
    )
    assert len(first.running.lines) == said
    for training in waiting:
        training.begin()
    await world.counted(round_, *world.nodes)


async def test_second__same_key_in_another_home__is_refused_and_the_first_goes_on(
    world: World, tmp_path: Path
) -> None:
    round_, waiting = await world.begin()
    first = world.nodes[0]
    home = tmp_path / "other"
    shutil.copytree(first.home, home)
    line = await refused(world, "node", home)
    assert f"operator {first.address}: in use by a running daemon (process {first.running.pid})" in line
    for training in waiting:
        training.begin()
    await world.counted(round_, *world.nodes)


async def test_second__superlink_in_the_same_home__is_refused_and_the_first_goes_on(world: World) -> None:
    round_, waiting = await world.begin()
    lead = world.superlink
    line = await refused(world, "superlink", lead.home)
    assert f"home {lead.home}: in use by a running daemon (process {lead.running.pid})" in line
    for training in waiting:
        training.begin()
    await world.counted(round_, *world.nodes)


async def test_second__once_the_first_was_killed__starts(world: World) -> None:
    round_, (_, theirs) = await world.begin()
    first = world.nodes[0]
    await first.restart()
    (await first.desk.asked(round_)).begin()
    theirs.begin()
    await world.counted(round_, *world.nodes)
