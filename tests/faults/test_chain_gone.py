"""The chain's node dies and comes back, perhaps without its last blocks: daemons go on by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from dao.core.formats import reasons
from dao.core.types import Phase
from dao.devnet.anvil import Anvil, start_anvil
from node.journal import Step
from tests.faults.process import LIMIT, until
from tests.faults.world import World, open_world
from tests.support import deploy_network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


class Machine:
    """The machine of the chain's node, with the file that its state is saved to every second."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.state = folder, folder / "state.json"
        self.anvil = self._start(0)

    def _start(self, port: int) -> Anvil:
        return start_anvil(self._folder, port, state=self.state, block_time=1)

    async def saved(self) -> bytes:
        """Wait until all that has happened so far is in the file, and whole: it is written in place."""
        head, found = int(self.anvil.request("eth_blockNumber"), 16), b""

        def is_saved() -> bool:
            nonlocal found
            with suppress(OSError, ValueError):
                found = self.state.read_bytes()
                return int(json.loads(found)["best_block_number"]) >= head
            return False

        async with asyncio.timeout(LIMIT):
            await until(is_saved)
        return found

    async def kill(self) -> None:
        await asyncio.to_thread(self.anvil.kill)

    async def start(self, world: World, state: bytes) -> None:
        """Come back at the same address, with what was saved."""
        await asyncio.to_thread(self.state.write_bytes, state)
        self.anvil = await asyncio.to_thread(self._start, self.anvil.port)
        world.network = replace(world.network, anvil=self.anvil)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("chain"))
    yield machine
    machine.anvil.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("world")
    network = await asyncio.to_thread(deploy_network, machine.anvil, folder / "network")
    async with open_world(network, folder) as world:
        yield world


async def all_there(world: World) -> None:
    """The next round is played to its end, and no daemon was started again."""
    round_id, _ = await world.play()
    await world.counted(round_id, *world.nodes)
    await world.accounts(round_id)
    assert all(daemon.running.runs for daemon in (world.superlink, *world.nodes))


async def test_chain__killed_in_each_phase__daemons_reconnect_and_finish_the_round(
    world: World, machine: Machine
) -> None:
    round_id, (mine, theirs) = await world.begin()
    last = await machine.saved()
    await machine.kill()
    mine.begin()  # commits need no chain
    await machine.start(world, last)
    await world.superlink.said("committed", round=round_id, node=world.nodes[0].address)
    late = world.nodes[0]
    await late.steps(round_id, Step.RECEIVED)
    late.running.halt()
    theirs.begin()
    await world.superlink.said("revealed", round=round_id, node=world.nodes[1].address)
    last = await machine.saved()
    await machine.kill()
    late.running.wake()
    await machine.start(world, last)
    await world.counted(round_id, *world.nodes)
    last = await machine.saved()
    await machine.kill()
    await machine.start(world, last)
    await all_there(world)


async def test_chain__comes_back_without_its_last_blocks__the_round_is_played_again_from_there(
    world: World, machine: Machine
) -> None:
    round_id, (mine, theirs) = await world.begin()
    earlier = await machine.saved()
    mine.begin()
    theirs.begin()
    lost = await world.counted(round_id, *world.nodes)
    await world.begin(after=round_id)  # that round is gone with the blocks, while it is trained for
    await machine.kill()
    await machine.start(world, earlier)
    again = await world.counted(round_id, *world.nodes)
    assert [row.commitment for row in again.nodes] == [row.commitment for row in lost.nodes]
    await all_there(world)


async def test_chain__back_after_the_deadline_of_the_result__the_round_is_aborted_and_refunded(
    world: World, machine: Machine
) -> None:
    round_id, (mine, theirs) = await world.begin()
    late = world.nodes[0]
    mine.begin()
    await late.steps(round_id, Step.RECEIVED)
    late.running.halt()
    theirs.begin()
    await world.reaches(round_id, Phase.CLOSED)
    last = await machine.saved()
    await machine.kill()
    await machine.start(world, last)
    world.skip(world.rules.reveal_period + world.rules.result_period + 1)
    late.running.wake()
    await world.reaches(round_id, Phase.ABORTED)
    assert (await late.ends(round_id)).reason.startswith(reasons.NO_RESULT)
    await all_there(world)
