"""A world whose Superlink runs in the test's own process, so that it can be told to misbehave towards one node."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aggregator.daemon import run_superlink
from aggregator.settings import SuperlinkSettings
from dao.core.types import Address
from tests.faults.world import World, open_world
from tests.support import Network


@dataclass
class Conduct:
    """How the Superlink treats the first node: honest, or as the test that patches it calls it."""

    node: Address
    how: str = "honest"


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
            prepare(world)
            await asyncio.gather(*(node.start() for node in world.nodes))
            yield world, conduct
            world.show()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
