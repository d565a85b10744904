"""A node of the chain that does not show all events: nobody is accused for it, and nothing is said to hold."""

from pathlib import Path

import pytest

from dao.audit import exit_code
from dao.audit.auditor import CHECKS
from dao.chain.client import Chain
from dao.chain.event_codec import get_topic
from dao.chain.event_types import Event
from dao.chain.events import CommitsClosed, ForcedCommit, ForcedReveal, Joined, ResultPosted
from dao.cli.audit import _select_rounds
from dao.core.formats.manifest import dump_manifest
from dao.errors import ConfigError
from tests.audit.stage import TAMPERED, Stage, audit_of, failed, unchecked
from tests.chain.proxy import Proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "kind", [ResultPosted, CommitsClosed, Joined, ForcedCommit, ForcedReveal], ids=lambda k: k.__name__
)
async def test_audit__events_are_hidden__nothing_holds_and_nobody_is_accused(
    stage: Stage, kind: type[Event], tmp_path: Path
) -> None:
    network = stage.world.network
    async with (
        stage.posted(stage.honest, dump_manifest(stage.manifest)),
        Proxy(network.anvil).running() as proxy,
    ):
        proxy.hidden = frozenset({get_topic(kind)})
        async with await Chain.connect(proxy.ws, network.deployment) as chain:
            assert TAMPERED in await _select_rounds(chain, stage.world.task, "all")
            checks = await audit_of(stage.world, TAMPERED, tmp_path, stage.folder, chain=chain)
    assert (failed(checks), unchecked(checks), exit_code([*checks.values()])) == (set(), {*CHECKS}, 2)
    assert "the node of the chain does not show" in checks["record"].detail


async def test_chosen__round_without_result__says_so(stage: Stage) -> None:
    async with stage.world.network.chain() as chain:
        with pytest.raises(ConfigError, match=f"round {TAMPERED}: is closed and has no result to audit"):
            await _select_rounds(chain, stage.world.task, str(TAMPERED))
