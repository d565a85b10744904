"""An index of a real chain on bad days: reorgs, a kill, a node that is away or behind, two that write."""

import asyncio
import itertools
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dao.chain.contracts import Coordinator, Registry, Token
from dao.chain.deploy import TOKEN, Params
from dao.chain.governance import Actions, Governor, Support
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.types import BlockNumber, Digest, RoundId, TaskId, Wei
from dao.devnet.anvil import Anvil
from dao.gov.actions import compute_proposal_id
from dao.index.database import migrate, open_database
from dao.runtime.failpoint import VARIABLE
from tests.chain.proxy import Proxy
from tests.index.world import LIMIT, facts_of, indexing
from tests.support import Member, Network, deploy_network

PARAMS = Params(voting_delay=10, voting_period=1000, late_extension=10)
ROOT = Path(__file__).parents[2]
_numbers = itertools.count()
COMMITMENT = Digest(b"\x07" * 32)
PROGRAM = """
import asyncio, sys
from pathlib import Path
from dao.chain.client import Chain
from dao.chain.deployment import Deployment
from dao.index.database import open_database
from dao.index.indexer import Indexer

async def main(url, deployment, place):
    async with await Chain.connect(url, Deployment.load(Path(deployment))) as chain:
        await Indexer(chain, open_database(place)).run()

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Lived:
    """What has happened since block `begin`: stakes, members, a round with a forced commit, delegations, a vote."""

    task: TaskId
    members: list[Member]
    proposal: int
    begin: int


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"), PARAMS)


def height(network: Network) -> BlockNumber:
    return BlockNumber(int(network.anvil.request("eth_blockNumber"), 16))


async def live(network: Network) -> Lived:
    """Have some of everything happen."""
    begin = height(network)
    task, superlink, members = await network.new_round_ready(2)
    one, other = members
    async with network.chain() as chain:
        governor, coordinator = Governor(chain), Coordinator(chain)

        async def pass_time(seconds: int) -> None:
            network.anvil.request("evm_increaseTime", seconds)
            network.anvil.request("evm_mine")
            await chain.reach(height(network), limit=LIMIT)

        async with network.sender(chain, other.owner) as sender:
            await sender.send(Token(chain).delegate(one.owner.address))
            await sender.send(Registry(chain).delegate(one.owner.address))
        async with network.sender(chain, superlink.operator) as sender:
            await sender.send(coordinator.open_round(task))
        async with network.sender(chain, other.operator) as sender:
            operator = other.operator.address
            opening = (await coordinator.round_of(task, RoundId(1), chain.head())).opening
            place = (task, RoundId(1), opening, operator, COMMITMENT)
            signature = other.operator.sign(compute_commit_digest(chain.domain, *place))
            await sender.send(coordinator.commit(task, RoundId(1), operator, COMMITMENT, signature))
        actions, text = Actions.of([Token(chain).transfer(one.owner.address, Wei(1))]), f"# {begin}"
        number = compute_proposal_id(actions, text)
        async with network.sender(chain, one.owner) as sender:
            await sender.send(Token(chain).delegate(one.owner.address))
            await pass_time(1)
            await sender.send(governor.propose(actions, text))
            await pass_time(11)
            await sender.send(governor.vote(number, Support.FOR, "it is due"))
            await sender.send(Registry(chain).unbond(one.operator.address, TOKEN))
    return Lived(task, members, number, begin)


async def from_zero(network: Network, folder: Path) -> dict[str, list[str]]:
    """What an index that begins now holds."""
    engine = open_database(folder / f"zero-{next(_numbers)}.db")
    migrate(engine)
    async with indexing(network, engine) as indexed:
        await indexed.caught_up()
    found = facts_of(engine)
    engine.dispose()
    return found


async def test_index__reorg_over_anything__equals_an_index_from_zero(
    network: Network, database: Engine, tmp_path: Path
) -> None:
    async with indexing(network, database) as indexed:
        for back in (1, 4, None):
            lived = await live(network)
            await indexed.caught_up()
            shown = indexed.reads.find_proposal(lived.proposal)
            assert shown is not None
            assert shown.in_favour > 0
            depth = height(network) - lived.begin if back is None else back
            network.anvil.request("anvil_reorg", depth, [])
            network.anvil.request("evm_mine")
            await indexed.caught_up()
            assert facts_of(database) == await from_zero(network, tmp_path)
            assert [change.topic for change in indexed.changes].count("reorg") >= 1
        assert indexed.reads.find_proposal(lived.proposal) is None
        assert indexed.reads.find_task(lived.task) is None
        for member in lived.members:
            assert indexed.reads.find_supernode(member.operator.address) is None


async def test_index__reorg_over_a_vote__shows_the_vote_that_was_cast_instead(
    network: Network, database: Engine
) -> None:
    async with indexing(network, database) as indexed:
        lived = await live(network)
        await indexed.caught_up()
        network.anvil.request("anvil_reorg", 2, [])  # the unbonding and the vote
        owner = lived.members[0].owner
        async with network.sender(indexed.chain, owner) as sender:
            await sender.send(Governor(indexed.chain).vote(lived.proposal, Support.AGAINST, "after all"))
        await indexed.caught_up()
        shown = indexed.reads.find_proposal(lived.proposal)
        assert shown is not None
        assert (shown.in_favour, shown.against > 0) == (0, True)
        (vote,) = indexed.reads.list_votes(lived.proposal).items
        assert (vote.voter, vote.support, vote.reason) == (owner.address, Support.AGAINST, "after all")


async def test_index__killed_within_a_transaction__goes_on_as_if_it_had_not(
    network: Network, place: str, tmp_path: Path
) -> None:
    engine = open_database(place)
    migrate(engine)
    await live(network)
    async with indexing(network, engine) as indexed:
        await indexed.caught_up()
    before = facts_of(engine)
    await live(network)
    network.deployment.save(tmp_path / "deployment.json")
    where = network.anvil.ws, str(tmp_path / "deployment.json"), place
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *where),
        env={**os.environ, VARIABLE: "index-before-position:kill", "PYTHONPATH": str(ROOT)},
    )
    assert await asyncio.wait_for(killed.wait(), LIMIT) == -signal.SIGKILL
    assert facts_of(engine) == before
    async with indexing(network, engine) as indexed:
        await indexed.caught_up()
    assert facts_of(engine) == await from_zero(network, tmp_path)
    engine.dispose()


async def test_index__two_on_one_database__write_everything_once(
    network: Network, database: Engine, tmp_path: Path
) -> None:
    async with indexing(network, database) as one, indexing(network, database) as other:
        await live(network)
        await asyncio.gather(one.caught_up(), other.caught_up())
    assert facts_of(database) == await from_zero(network, tmp_path)


async def test_index__node_away_behind_and_back__reads_go_on_and_nothing_is_lost(
    network: Network, database: Engine, tmp_path: Path
) -> None:
    async with Proxy(network.anvil).running() as proxy, indexing(network, database, url=proxy.ws) as indexed:
        lived = await live(network)
        await indexed.caught_up()
        before = facts_of(database)
        proxy.height = height(network) - 5  # another node behind the same address, and behind
        await proxy.drop()
        await live(network)
        proxy.hangs = True
        await proxy.drop()
        assert facts_of(database) == before
        assert indexed.reads.find_proposal(lived.proposal) is not None
        proxy.hangs, proxy.height = False, None
        await proxy.drop()
        await indexed.chain.reach(height(network), limit=LIMIT)
        await indexed.caught_up()
        assert facts_of(database) == await from_zero(network, tmp_path)
        assert "reorg" not in [change.topic for change in indexed.changes]
