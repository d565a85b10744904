"""One daemon with two tasks: the app of each sees its own data, and neither the other's nor the daemon's folder."""

import os
import shutil
from pathlib import Path

import psutil
import pytest

from dao.app.sandbox import find_maker
from node.settings import NodeSettings, write_task
from tests.faults.test_lost import play_after
from tests.faults.world import World

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into another's root"),
    pytest.mark.skipif(find_maker() not in ("jail", "bubblewrap"), reason="this machine has no sandbox"),
]


def look_into_apps(daemon: int) -> list[tuple[Path, list[str]]]:
    """The root of each app that a daemon trains, and what lies in `/data` there; one that audits a round has no data."""
    found = []
    for process in psutil.Process(daemon).children(recursive=True):
        root = Path(f"/proc/{process.pid}/root")
        if not process.children() and (root / "app" / "app.py").exists() and (root / "data").exists():
            found.append((root, sorted(path.name for path in (root / "data").iterdir())))
    return found


async def test_daemon__of_two_tasks__lends_each_app_its_own_data_alone(world: World) -> None:
    round_id, _ = await world.play()
    node = world.nodes[1]
    await node.kill()
    settings = NodeSettings.load(node.home)
    plain = settings.tasks()[world.task]
    other = node.home / "theirs"
    shutil.copytree(settings.at(plain.data), other, ignore=shutil.ignore_patterns("desk"))
    second = await world.network.new_task(world.rules)
    await world.network.join(second, node.member)
    write_task(settings, second, plain.model_copy(update={"data": other}))
    try:
        await node.start()
        for task in (world.task, second):
            await node.running.says("event='ready'", f"task={task}")
        seen = look_into_apps(node.running.pid)
        assert sorted(names for _, names in seen) == [["data"], ["theirs"]]
        for root, _ in seen:
            assert not (root / str(node.home).lstrip("/")).exists()
            assert not (root / str(other).lstrip("/")).exists()
    finally:
        await node.kill()
        settings.task_file(second).unlink()
        await node.start()
    await play_after(world, round_id)
