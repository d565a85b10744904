"""An app that its owner has not approved does not run on his data: the node passes, and says what he does."""

import json

import pytest

from dao.core.formats.manifest import Manifest
from dao.core.formats.reasons import explain_pass
from dao.core.types import PassReason, RoundId, hex_of
from node.approvals import LIST
from node.journal import Step
from node.uses import read_uses
from tests.faults.process import Process
from tests.faults.test_lost import environment_of, run
from tests.faults.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def play_without(world: World) -> tuple[RoundId, Manifest]:
    """Play a round in which the second node alone trains."""
    training = await world.nodes[1].desk.asked()
    training.begin()
    return RoundId(training.round), await world.counted(RoundId(training.round), world.nodes[1])


async def test_app__changed_since_the_owner_approved__the_node_passes_until_he_approves(world: World) -> None:
    await world.play()
    victim = world.nodes[0]
    await victim.kill()
    trainings, listed = len(read_uses(victim.home)), victim.home / LIST
    listed.write_text(listed.read_text().replace(hex_of(world.rules.app_hash), "0x" + "11" * 32))
    await victim.start()
    round_id, manifest = await play_without(world)
    state = await world.round(round_id)
    if state.closed_at < state.opened_at + world.rules.commit_period:
        assert [row.reason for row in manifest.passes] == [explain_pass(PassReason.NOT_READY)]
    words = f"the app changed; read it and approve: dao node approve {world.task}"
    assert (await victim.ends(round_id)).reason == f"task {world.task}: {words}"
    (task,) = (await victim.status()).tasks
    assert task.approval == words
    assert len(read_uses(victim.home)) == trainings

    await victim.steps(round_id + 1, Step.PASSED)
    digests = hex_of(world.rules.app_hash), hex_of(world.rules.card)
    approving = ("node", "approve", world.task, *digests, "--home", victim.home)
    assert "from the next round on" in await run(world, *approving)
    passed_too, _ = await play_without(world)
    following = await world.play_after(passed_too)
    assert not (await victim.status()).tasks[0].approval
    shown = json.loads("\n".join(await run_lines(world, "node", "uses", "--home", victim.home, "--json")))
    use = next(use for use in shown if use["round"] == following)
    assert use["app"] == hex_of(world.rules.app_hash)
    assert use["decided_by"].startswith("account 0x")
    assert use["began"] <= use["ended"] <= use["left"]
    assert use["update"].startswith("bafk")
    assert use["update_bytes"] > 256


async def run_lines(world: World, *arguments: object) -> list[str]:
    """Run a command to its end, which must be a good one; return its lines."""
    process = await Process.start("dao", arguments, environment_of(world))
    assert await process.ended() == 0, process.lines
    return process.lines
