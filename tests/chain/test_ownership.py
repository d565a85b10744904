"""An operator that its owner replaces: what rounds see of it, and what is left to do when that was cut short."""

from dao.chain import ownership
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.deploy import TOKEN, timelock_execute
from dao.chain.events import RoundOpened
from dao.chain.rounds import RoundReader
from dao.chain.signer import Signer
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.types import Address, BlockNumber, Member, TaskId
from tests.support import Member as Keys
from tests.support import Network


def consent_of(chain: Chain, owner: Address, operator: Signer) -> bytes:
    registry = chain.deployment.registry
    return operator.sign(compute_operator_digest(chain.chain_id, registry, owner, operator.address))


async def rotate(network: Network, chain: Chain, keys: Keys, successor: Signer) -> list[ownership.Move]:
    owner = keys.owner.address
    async with network.sender(chain, keys.owner) as sender:
        supernode = await ownership.find_supernode(chain, owner)
        consent = consent_of(chain, owner, successor)
        return await ownership.rotate(chain, sender, supernode, successor.address, consent)


async def open_round(network: Network, chain: Chain, task: TaskId, superlink: Keys) -> RoundOpened:
    async with network.sender(chain, superlink.operator) as sender:
        opened = await sender.send(Coordinator(chain).open_round(task))
    (event,) = (event for event in opened.events if isinstance(event, RoundOpened))
    return event


async def test_rotate__a_round_open__it_keeps_the_old_operator_and_the_next_has_the_new(
    network: Network,
) -> None:
    task, superlink, (keys,) = await network.new_round_ready(1)
    successor, owner = Signer.ephemeral(), keys.owner.address
    async with network.chain() as chain:
        first = await open_round(network, chain, task, superlink)
        assert await rotate(network, chain, keys, successor) == [ownership.Move(task)]
        network.anvil.request("evm_increaseTime", 10_000)
        network.anvil.request("evm_mine")
        await chain.reach(BlockNumber(int(await chain.request("eth_blockNumber"), 16)), limit=10)
        async with network.sender(chain, keys.owner) as sender:
            await sender.send(Coordinator(chain).abort(task, first.round))
        second = await open_round(network, chain, task, superlink)
        reader, at = RoundReader(chain, task), chain.head()
        assert await reader.members_of(first, at) == {keys.operator.address: Member(owner, TOKEN)}
        assert await reader.members_of(second, at) == {successor.address: Member(owner, TOKEN)}
        assert second.eligible == 1


async def test_rotate__cut_short_before_the_tasks__goes_on_with_them(network: Network) -> None:
    task, _, (keys,) = await network.new_round_ready(1)
    successor, owner = Signer.ephemeral(), keys.owner.address
    async with network.chain() as chain:
        consent = consent_of(chain, owner, successor)
        async with network.sender(chain, keys.owner) as sender:
            await sender.send(Registry(chain).rotate(keys.operator.address, successor.address, consent))
        assert await rotate(network, chain, keys, successor) == [ownership.Move(task)]
        assert await ownership.list_seats(chain, owner) == [ownership.TaskSeat(task, successor.address)]


async def test_rotate__tasks_paused__the_stake_is_the_new_ones_and_the_task_says_why_not(
    own_network: Network,
) -> None:
    task, _, (keys,) = await own_network.new_round_ready(1)
    async with own_network.chain() as chain:
        async with own_network.dao(chain) as dao:
            await timelock_execute(chain, dao, [Coordinator(chain).pause(), Registry(chain).pause()])
        (move,) = await rotate(own_network, chain, keys, successor := Signer.ephemeral())
        assert (move.task, "paused by the DAO" in move.trouble) == (task, True)
        assert await Registry(chain).stake_of(successor.address, chain.head()) == TOKEN
