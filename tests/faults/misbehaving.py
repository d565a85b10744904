"""A world whose Superlink runs in the test's own process, so that it can be told to misbehave towards one node."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import run_superlink
from aggregator.intake import Intake
from aggregator.settings import SuperlinkSettings
from dao.core.commits import SignedCommit
from dao.core.formats.signed_messages import compute_receipt_digest
from dao.core.types import Address
from dao.errors import RuleError
from tests.faults.world import World, open_world
from tests.support import Network


@dataclass
class Conduct:
    """How the Superlink treats the first node: honest, or as the test that patches it calls it."""

    node: Address
    how: str = "honest"
    leave: Callable[[], object] = lambda: None  # ends the Superlink, which then serves nothing any more


OnCommit = Callable[[Intake, SignedCommit], Awaitable[bytes]]
Corrupt = Callable[[pytest.MonkeyPatch, Conduct], None]


@asynccontextmanager
async def open_misbehaving(
    network: Network,
    folder: Path,
    corrupt: Corrupt,
    prepare: Callable[[World], None] = lambda _: None,
    **rules: Any,
) -> AsyncIterator[tuple[World, Conduct]]:
    """Run the Superlink that `corrupt` has patched, and the nodes once `prepare` has had the world."""
    with pytest.MonkeyPatch.context() as patch:
        async with open_world(network, folder, **rules) as world:
            conduct = Conduct(world.nodes[0].member.operator.address)
            patch.setenv("COMMONWEIGHT_RUNTIME", str(world.superlink.runtime))
            corrupt(patch, conduct)
            settings = SuperlinkSettings.load(world.superlink.home)
            serving = asyncio.create_task(run_superlink(settings, leave=False, say=print))
            conduct.leave = serving.cancel
            prepare(world)
            await asyncio.gather(*(node.start() for node in world.nodes))
            yield world, conduct
            world.show()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


def corrupt_commits(patch: pytest.MonkeyPatch, conduct: Conduct) -> None:
    """Have the node's commits refused, or forgotten after a receipt."""
    patch.setattr(Intake, "on_commit", on_commit_of(conduct, Intake.on_commit))


def on_commit_of(conduct: Conduct, honest: OnCommit) -> OnCommit:
    """Return how commits are taken; of the node: refused, or forgotten after a receipt."""

    async def on_commit(intake: Intake, commit: SignedCommit) -> bytes:
        how = conduct.how if commit.node == conduct.node else "honest"
        if how == "refuse":
            raise RuleError("commit: not today")
        if how == "forget":
            bound = commit.task, commit.round, commit.opening, commit.node, commit.commitment
            return intake._signer.sign(compute_receipt_digest(intake._domain, *bound))
        return await honest(intake, commit)

    return on_commit
