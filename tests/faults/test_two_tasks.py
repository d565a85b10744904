"""One daemon with two tasks: the app of each sees its own data, and neither the other's nor the daemon's folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from node.settings import NodeSettings, write_task
from tests.faults.process import until
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def read_what_is_seen(log: Path) -> list[list[str]]:
    """Wait until an app has said what lies beside its data, and which of the paths that it was asked for are there."""

    def find_line() -> str:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return next((line for line in lines if line.startswith("sees ")), "")

    await until(lambda: bool(find_line()))
    seen: list[list[str]] = json.loads(find_line().removeprefix("sees "))
    return seen


async def test_daemon__of_two_tasks__lends_each_app_its_own_data_alone(world: World) -> None:
    round_id, _ = await world.play()
    node = world.nodes[1]
    await node.kill()
    settings = NodeSettings.load(node.home)
    plain = settings.tasks()[world.task]
    own, other = settings.at(plain.data), node.home / "theirs"
    shutil.copytree(own, other, ignore=shutil.ignore_patterns("desk"))
    asked = [node.home, own, other, other / "rows.safetensors"]
    for folder in (own, other):
        (folder / "look").write_text("\n".join(map(str, asked)), encoding="utf-8")
    # the world's has a bond for one task alone
    superlink = await world.network.new_member(world.rules.superlink_bond)
    second = await world.network.new_task(replace(world.rules, superlink=superlink.operator.address))
    await world.network.join(second, node.member)
    write_task(settings, second, plain.model_copy(update={"data": other}))
    try:
        await node.start()
        for task, name in ((world.task, "data"), (second, "theirs")):
            await node.running.says("event='ready'", f"task={task}")
            assert await read_what_is_seen(node.home / f"app-{task}.log") == [[name], []]
    finally:
        await node.kill()
        (own / "look").unlink()
        settings.task_file(second).unlink()
        await node.start()
    await world.play_after(round_id)
