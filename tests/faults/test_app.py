"""An app that dies, hangs, raises or writes nonsense costs its node at most the round, and the node says why."""

import os
import signal

import psutil
import pytest

from dao.core.formats.manifest import Manifest
from dao.core.formats.reasons import explain_pass
from dao.core.types import PassReason, RoundId
from tests.faults.world import World, row_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def went_without(world: World, round_id: RoundId) -> str:
    """The first node is absent from the round and the second is paid; why, in one line, as the first node tells."""
    victim, other = world.nodes
    manifest = await world.counted(round_id, other)
    assert [row.node for row in manifest.absent] == [victim.member.operator.address]
    assert victim.running.runs
    reason = (await victim.ends(round_id)).reason
    assert len(reason.splitlines()) == 1
    assert "Traceback" not in reason
    return reason


async def passed(world: World, round_id: RoundId, public: PassReason) -> str:
    """The first node passes, so that the round closes at once; why, in one line, as the node tells its owner alone."""
    victim, other = world.nodes
    manifest = await world.counted(round_id, other)
    state = await world.round(round_id)
    assert state.closed_at < state.opened_at + world.rules.commit_period
    assert [row.node for row in manifest.passes] == [victim.member.operator.address]
    assert (manifest.passes[0].reason, manifest.absent) == (explain_pass(public), ())
    assert victim.running.runs
    reason = (await victim.ends(round_id)).reason
    assert len(reason.splitlines()) == 1
    assert "Traceback" not in reason
    return reason


async def all_counted(world: World) -> Manifest:
    """The next round, without a fault, has everyone again."""
    following, _ = await world.play()
    return await world.counted(following, *world.nodes)


async def closes_without(world: World, round_id: RoundId) -> None:
    """Let the commit period pass, once the second node has committed."""
    await world.superlink.said("committed", round=round_id, node=world.nodes[1].address)
    world.skip(world.rules.commit_period)


async def test_trainer__killed_while_training__is_started_again_in_the_same_round(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    victim, daemon = world.nodes[0], world.nodes[0].running.pid
    os.kill(mine.pid, signal.SIGKILL)
    again = await victim.desk.asked(round_id)
    assert again.pid != mine.pid
    again.begin()
    theirs.begin()
    await world.counted(round_id, *world.nodes)
    assert victim.running.runs
    assert victim.running.pid == daemon


async def test_trainer__killed_between_rounds__is_started_again_for_the_next(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    mine.begin()
    await world.superlink.said("committed", round=round_id, node=world.nodes[0].address)
    os.kill(mine.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(mine.pid)] if psutil.pid_exists(mine.pid) else [], timeout=10)
    theirs.begin()
    await world.counted(round_id, *world.nodes)
    manifest = await all_counted(world)
    assert manifest.round == round_id + 1


async def test_app__raises__passes_and_keeps_its_words_to_itself(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    mine.begin("raise")
    theirs.begin()
    reason = await passed(world, round_id, PassReason.FAILED)
    assert reason.startswith("train: ValueError: no such column: age (app.py line ")
    assert str(world.nodes[0].home) in reason
    await all_counted(world)


async def test_app__gives_nan__passes_and_names_the_tensor(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    mine.begin("nan")
    theirs.begin()
    reason = await passed(world, round_id, PassReason.FAILED)
    assert reason.startswith("train: tensor 'mean': expected training to change values by less than ")
    assert reason.endswith("got nan")
    await all_counted(world)


async def test_app__ends_its_process_each_time__passes_with_its_last_words(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    theirs.begin()
    mine.begin("exit")
    for _ in range(2):
        (await world.nodes[0].desk.asked(round_id)).begin("exit")
    reason = await passed(world, round_id, PassReason.FAILED)
    assert "the app's process ended with status 9; its last words: " in reason
    assert "out of memory, giving up" in reason
    await all_counted(world)


async def test_app__hangs__is_absent_and_trains_in_the_next_round(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    theirs.begin()
    mine.begin("hang")
    await closes_without(world, round_id)
    reason = await went_without(world, round_id)
    assert reason.startswith("the commits were closed before the update was ready; train faster")
    await all_counted(world)
    assert not psutil.pid_exists(mine.pid)


async def test_app__hangs_until_its_time_is_up__is_killed_and_says_so(world: World) -> None:
    round_id, (_, theirs) = await world.begin()
    victim = world.nodes[0]
    await victim.kill()
    world.skip(world.rules.commit_period * 9 // 10)  # the app has a second of what is left
    await victim.start()
    theirs.begin()
    (await victim.desk.asked(round_id)).begin("hang")
    reason = await passed(world, round_id, PassReason.NO_TIME)
    assert reason.startswith("train: the app took longer than ")
    await all_counted(world)


async def test_app__writes_garbage_into_the_line__is_killed_and_trains_again(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    victim = world.nodes[0]
    mine.begin("garbage")
    said = await victim.running.says("no update yet", f"round={round_id}", "which is no answer")
    assert "not json" in said
    (await victim.desk.asked(round_id)).begin()
    theirs.begin()
    await world.counted(round_id, *world.nodes)


async def test_app__prints_garbage__is_counted(world: World) -> None:
    round_id, (mine, theirs) = await world.begin()
    mine.begin("chatter")
    theirs.begin()
    manifest = await world.counted(round_id, *world.nodes)
    assert row_of(manifest, world.nodes[0]).weight > 0
    assert b"\x1b[31m{]" in (world.nodes[0].home / f"app-{world.task}.log").read_bytes()
