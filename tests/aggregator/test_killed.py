"""A Superlink that is killed wherever it can be, and started again: its rounds complete, and each is paid once."""

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aggregator import finalizer
from aggregator.journal import SuperlinkJournal
from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.chain.client import Chain
from dao.chain.contracts import Distributor
from dao.chain.events import Aborted, Finalized, ResultPosted, RoundOpened
from dao.chain.signer import Signer
from dao.core.formats.cid import Cid
from dao.core.statement import build_account_tree
from dao.core.types import Digest, Phase, RoundId
from dao.errors import Refused, Reverted, Unreachable
from dao.runtime.failpoint import VARIABLE
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import Assignment
from tests.aggregator.test_retention import SWEEP_FAILPOINTS
from tests.aggregator.world import Made, Node, World
from tests.audit.stage import audit_of
from tests.faults.process import ROOT, Process
from tests.support import Network

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("torch_door"),  # which Process takes evaluators from
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

PASSWORD = "rehearsal"
FAILPOINTS = (  # in the order in which a round comes by
    "superlink-opened",
    "superlink-commit-journalled",
    "superlink-closing",
    "superlink-closed",
    "superlink-reveal-journalled",
    "superlink-published",
    "superlink-opened-next",
    "superlink-posted",
    "superlink-finalized",
)


class Steady(Node):
    """Tries again for as long as the Superlink is away."""

    async def make(self, chain: Chain, client: SuperlinkClient, round_id: RoundId) -> Made:
        while True:
            try:
                return await super().make(chain, client, round_id)
            except Unreachable:
                continue

    async def commit(self, chain: Chain, client: SuperlinkClient, made: Made) -> None:
        while True:
            try:
                return await super().commit(chain, client, made)
            except Unreachable:
                continue

    async def reveal(
        self, client: SuperlinkClient, round_id: RoundId, cid: Cid, root: Digest, sent: bytes
    ) -> None:
        while (
            await self.world.state(round_id)
        ).phase is Phase.CLOSED:  # it may have the update and not live to say so
            await super().reveal(client, round_id, cid, root, sent)
            if not isinstance(self.acks[-1], Unreachable | Refused):
                return


@asynccontextmanager
async def superlink(home: Path, failpoint: str = "") -> AsyncIterator[Process]:
    """`dao superlink start`, which may be killed at a failpoint."""
    arguments = ("superlink", "start", "--home", home)
    process = await Process.start("superlink", arguments, {VARIABLE: failpoint})
    try:
        yield process
    finally:
        for line in process.lines:
            print(line)  # noqa: T201  (where the test fails)
        if process.runs:
            await process.stop()


def prepare(world: World) -> str:
    """Write the Superlink's settings; the address that it will serve at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    lines = (
        f"task = {world.task}",
        f'listen = "{address}"',
        f'shards = "{world.assignment.shards}"',
        f'stores = ["{world.assignment.store}"]',
        "[chain]",
        f'rpc = "{world.network.anvil.ws}"',
    )
    (world.home / "config.toml").write_text("\n".join(lines))
    world.network.deployment.save(world.home / "deployment.json")
    password = world.home / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    world.network.anvil.fund(world.bonded.operator.address, 10**20)  # type: ignore[arg-type]
    return address


async def claim_all(world: World, round_id: int) -> int:
    """Have every owner paid, and try it a second time; the sum of what was paid."""
    manifest = await world.manifest(round_id)
    tree = build_account_tree(manifest.nodes, manifest.accounts)
    paid = 0
    async with world.network.chain() as chain:
        contract = Distributor(chain)
        for member in world.members:
            owner = member.owner.address
            async with world.network.sender(chain, member.owner) as sender:
                await sender.send(contract.claim(world.task, *tree.find(owner)))
                with pytest.raises(Reverted):
                    await sender.send(contract.claim(world.task, *tree.find(owner)))
            paid += await contract.claimed_of(world.task, owner, chain.head())
    return paid


async def test_failpoints__all_in_the_source__are_tried() -> None:
    source = "".join(path.read_text() for path in (ROOT / "aggregator").glob("*.py"))
    assert sorted(re.findall(r'failpoint\("(.*?)"\)', source)) == sorted(FAILPOINTS + SWEEP_FAILPOINTS)


async def test_superlink__killed_at_every_step__completes_its_rounds_and_pays_once(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    home = tmp_path / "superlink"
    home.mkdir()
    operator = await asyncio.to_thread(Signer.create, home / "operator.json", PASSWORD, 4096)
    periods: Any = {"commit_period": 300, "reveal_period": 300}
    world = await World.make(network, assignment, home, evaluator, operator=operator, **periods)
    address = prepare(world)
    nodes = [Steady(world, node.member, node.index) for node in world.nodes]
    async with network.chain() as chain, asyncio.timeout(250), asyncio.TaskGroup() as group:
        playing = [group.create_task(node.take_part(chain, address, range(1, 3))) for node in nodes]
        for failpoint in FAILPOINTS:
            async with superlink(home, failpoint) as process:
                if failpoint == "superlink-finalized":
                    await world.reaches(2, Phase.POSTED)
                    world.skip(world.rules.challenge_period + finalizer.LONGEST)  # no other result comes
                assert await process.ended() == -signal.SIGKILL, failpoint
        await asyncio.gather(*playing)
        async with superlink(home):
            await world.reaches(2, Phase.FINALIZED)
    budget = world.rules.round_budget
    for kind in (RoundOpened, ResultPosted, Finalized):
        assert [event.round for event in await world.past(kind) if event.round < 3] == [1, 2]
    assert not [event for event in await world.past(Aborted) if event.round < 3]
    assert [len((await world.manifest(round_id)).nodes) for round_id in (1, 2)] == [3, 3]
    assert await claim_all(world, 2) == 2 * budget
    journal = SuperlinkJournal(home / "journal.db")
    assert not any(journal.read_equivocations(world.task, RoundId(round_id)) for round_id in (1, 2))
    await journal.close()
    for round_id in (1, 2):
        checks = await audit_of(world, round_id, tmp_path / "cache")
        assert exit_code([*checks.values()]) == 0, checks
