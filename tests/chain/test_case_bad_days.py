"""Days on which a case goes wrong: the chain takes blocks back, the accuser dies, another accuses at the same time."""

import asyncio
from pathlib import Path

import pytest

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator, Registry, Token
from dao.chain.convictions import convict_result
from dao.chain.demanding import demand_leaf, end_demand, list_open_demands, read_demand
from dao.chain.disputes import Accusation, Disputes, compute_announcement
from dao.chain.events import Convicted, Demanded, Expired
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import Phase, TaskId
from dao.errors import Reverted
from dao.proofs.leaf_places import parse_place
from tests.chain.bare_round import ROUND, STATEMENT, accuser, post, vote_prover
from tests.support import GAS_MONEY, RULES, Network, count_sent, mining

pytestmark = pytest.mark.asyncio
PLACE = parse_place("rows:0")


async def phase_of(chain: Chain, task: TaskId) -> Phase:
    return (await Coordinator(chain).round_of(task, ROUND, chain.head())).phase


class Forgetful(Sender):
    """Has the chain take blocks back as soon as it has sent something of this name, once."""

    network: Network
    label = "announce"
    blocks = 1

    async def send(self, call: Call, *arguments: object, **more: object):  # type: ignore[no-untyped-def]
        receipt = await super().send(call, *arguments, **more)  # type: ignore[arg-type]
        if call.label == self.label:
            self.label = ""
            await asyncio.to_thread(self.network.anvil.request, "anvil_reorg", self.blocks, [])
        return receipt


@pytest.mark.parametrize("blocks", [1, 2, 4])
async def test_reorg__takes_the_announcement_back__announced_again_and_convicted_once(
    busy_network: Network, tmp_path: Path, blocks: int
) -> None:
    signer = Signer.ephemeral()
    busy_network.anvil.fund(signer.address, GAS_MONEY)
    async with busy_network.chain() as chain:
        prover = await vote_prover(busy_network, chain)
        task, superlink, _ = await busy_network.new_round_ready(1, quorum=1)
        result = await post(busy_network, chain, task, superlink)
        await chain.reach(
            type(chain.head().number)(chain.head().number + blocks), limit=30
        )  # the round stays
        accusation = Accusation(prover, 0, task, ROUND, b"proof")
        async with Forgetful(chain, signer, tmp_path / "outbox.db") as sender:
            sender.network, sender.blocks = busy_network, blocks
            convicted = await convict_result(chain, sender, accusation, result, STATEMENT)
        assert convicted.slashed == RULES.superlink_bond
        assert await phase_of(chain, task) is Phase.VOID
        assert len(await chain.past(Convicted, task=task)) == 1
        stake = await Registry(chain).stake_of(superlink.operator.address, chain.head())
        assert stake == 0


async def test_accuser__dies_between_announcement_and_proof__goes_on_and_pays_each_once(
    busy_network: Network, tmp_path: Path
) -> None:
    signer = Signer.ephemeral()
    busy_network.anvil.fund(signer.address, GAS_MONEY)
    async with busy_network.chain() as chain:
        prover = await vote_prover(busy_network, chain)
        task, superlink, _ = await busy_network.new_round_ready(1, quorum=1)
        result = await post(busy_network, chain, task, superlink)
        accusation = Accusation(prover, 0, task, ROUND, b"proof")
        async with Sender(chain, signer, tmp_path / "outbox.db") as sender:
            digest = compute_announcement(sender.address, accusation)
            cut = asyncio.create_task(convict_result(chain, sender, accusation, result, STATEMENT))
            while not await Disputes(chain).announced_in(digest, chain.head()):
                await chain.changed(1)
            cut.cancel()
            await asyncio.gather(cut, return_exceptions=True)
        assert await phase_of(chain, task) is Phase.POSTED
        async with Sender(chain, signer, tmp_path / "outbox.db") as sender:
            await convict_result(chain, sender, accusation, result, STATEMENT)
        assert count_sent(busy_network.anvil, signer.address) == 2
        assert await phase_of(chain, task) is Phase.VOID


async def test_accusers__two_at_once__one_is_paid_and_the_bond_is_lost_once(busy_network: Network) -> None:
    async with (
        busy_network.chain() as chain,
        accuser(busy_network, chain) as one,
        accuser(busy_network, chain) as other,
    ):
        prover = await vote_prover(busy_network, chain)
        task, superlink, _ = await busy_network.new_round_ready(1, quorum=1)
        result = await post(busy_network, chain, task, superlink)
        accusations = [Accusation(prover, claim, task, ROUND, b"proof") for claim in (0, 1)]
        ended = await asyncio.gather(
            *(
                convict_result(chain, sender, accusation, result, STATEMENT)
                for sender, accusation in zip((one, other), accusations, strict=True)
            ),
            return_exceptions=True,
        )
        (late,) = (end for end in ended if isinstance(end, Exception))
        (first,) = (end for end in ended if isinstance(end, Convicted))
        assert isinstance(late, Reverted)
        assert "Void" in str(late)
        assert first.slashed == RULES.superlink_bond
        balances = [await Token(chain).balance_of(sender.address, chain.head()) for sender in (one, other)]
        assert sorted(balances) == [0, first.paid]


@pytest.mark.parametrize("blocks", [1, 3])
async def test_reorg__takes_a_demand_back__it_is_asked_again_with_one_bond_and_convicts(
    own_network: Network, blocks: int
) -> None:
    async with own_network.chain() as chain, accuser(own_network, chain) as sender:
        task, superlink, _ = await own_network.new_round_ready(1, quorum=1)
        await post(own_network, chain, task, superlink)
        own_network.anvil.request("anvil_mine", 3)
        first = await demand_leaf(chain, sender, task, ROUND, PLACE)
        own_network.anvil.request("anvil_reorg", blocks, [])
        async with mining(own_network.anvil), asyncio.timeout(30):
            while not await list_open_demands(chain, task):
                await chain.changed(1)
        again = await demand_leaf(chain, sender, task, ROUND, PLACE)
        assert len(await chain.past(Demanded, task=task)) == 1
        held = int(
            own_network.anvil.request(
                "eth_getBalance", "0x" + own_network.deployment.disputes.hex(), "latest"
            ),
            16,
        )
        assert held == again.bond == first.bond
        own_network.anvil.request("evm_increaseTime", again.deadline - chain.head().timestamp)
        own_network.anvil.request("evm_mine")
        while chain.head().timestamp < again.deadline:
            await chain.changed(1)
        assert (await end_demand(chain, sender, task, ROUND, PLACE)).convicted
        assert len(await chain.past(Expired, task=task)) == 1
        assert not (await read_demand(chain, task, ROUND, PLACE)).is_open
        assert await phase_of(chain, task) is Phase.VOID
