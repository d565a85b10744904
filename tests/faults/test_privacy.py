"""A node with private updates that dies between noise and commit pays once for its round, and passes beyond its budget."""

import signal

import pytest

from dao.core.formats.reasons import explain_pass
from dao.core.types import PassReason, RoundId
from dao.runtime.failpoint import VARIABLE
from node.journal import Step
from node.privacy.accounting import compute_epsilon
from node.privacy.ledger import USED_UP, PrivacyLedger
from node.settings import NodeSettings, PrivacySettings, write_task
from tests.faults.world import World, row_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
NOISE, DELTA = 0.5, 1e-6


async def test_private_node__killed_at_each_point_around_its_noise__pays_once_and_passes_beyond_the_budget(
    world: World,
) -> None:
    await world.play()
    victim, other = world.nodes
    await victim.kill()
    settings = NodeSettings.load(victim.home)
    plain = settings.tasks()[world.task]
    one = compute_epsilon([NOISE], DELTA)
    private = PrivacySettings(clip=4.0, noise=NOISE, epsilon_budget=1.2 * one, delta=DELTA)
    write_task(settings, world.task, plain.model_copy(update={"privacy": private}))
    theirs = await other.desk.asked()
    round_id = theirs.round
    for point in ("before-spent", "during-spent", "after-spent", "noised", "before-signed", "during-signed"):
        await victim.start(**{VARIABLE: point})
        (await victim.desk.asked(round_id)).begin()
        assert await victim.running.ended() == -signal.SIGKILL, point
    await victim.start()
    (await victim.desk.asked(round_id)).begin()
    theirs.begin()
    row = row_of(await world.posted(RoundId(round_id)), victim)
    assert row.square <= (100 * 2**32) ** 2  # 256 values, noise of 2 in each: far below what the app changed
    ledger = PrivacyLedger(victim.home / "privacy.db")
    assert ledger.read_noises() == [NOISE]
    assert (await victim.ends(round_id)).facts["epsilon"] == one
    (task,) = (await victim.status()).tasks
    assert task.privacy == f"epsilon {one:.3g} of {1.2 * one:g} spent, at delta 1e-06: {USED_UP}"

    following = await other.desk.asked()
    assert following.round > round_id
    await victim.steps(following.round, Step.PASSED)
    following.begin()
    manifest = await world.counted(RoundId(following.round), other)
    assert explain_pass(PassReason.NOT_READY) in [row.reason for row in manifest.passes]
    assert (await victim.ends(following.round)).reason.startswith(f"{USED_UP}: with this round's update")
    assert ledger.read_noises() == [NOISE]
    ledger.close()

    last = await other.desk.asked()
    await victim.steps(last.round, Step.PASSED)
    await victim.kill()
    write_task(settings, world.task, plain)
    await victim.start()
    last.begin()
    await world.play_after(RoundId(last.round))
