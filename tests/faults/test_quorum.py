"""Too few commit: the round ends, who did commit reads why, and the next round is a round like any other."""

from pathlib import Path

import pytest

from dao.core.formats import reasons
from dao.core.types import Phase
from node.journal import Step
from tests.faults.process import until
from tests.faults.world import open_world
from tests.support import Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def test_quorum__one_of_two_commits__says_that_commits_were_not_closed(
    living_network: Network, tmp_path: Path
) -> None:
    async with open_world(living_network, tmp_path, quorum=2) as world:
        await world.start()
        alone, other = world.nodes
        round_id, (mine, _) = await world.begin()
        mine.begin()
        await alone.steps(round_id, Step.RECEIVED)
        world.skip(world.rules.commit_period)
        await world.reaches(round_id, Phase.ABORTED)
        assert (await alone.ends(round_id)).reason == reasons.explain_no_closing(2)
        assert "commits were closed before the update was ready" in (await other.ends(round_id)).reason
        await until(lambda: not [*(alone.home / "content" / "pins").iterdir()])
        following, _ = await world.play()
        assert following > round_id
