"""Proposals that are open for votes, made by a member with ether."""

from dao.chain.client import Chain
from dao.chain.contracts import Token
from dao.chain.deploy import TOKEN
from dao.chain.governance import Actions, Governor
from dao.core.types import Address, BlockNumber, Wei
from dao.gov.actions import compute_proposal_id
from tests.api.stage import PARAMS, Stage
from tests.support import Network

TO = Address(bytes([7] * 20))


async def later(network: Network, chain: Chain, seconds: int) -> None:
    """Let block time pass, and see that it did."""
    network.anvil.request("evm_increaseTime", seconds)
    network.anvil.request("evm_mine")
    await chain.reach(BlockNumber(int(network.anvil.request("eth_blockNumber"), 16)), limit=60.0)


async def propose(stage: Stage, text: str) -> int:
    """Have the members vote by themselves, the first propose a grant of a token, and voting begin."""
    network = stage.network
    async with network.chain() as chain, network.sender(chain, stage.members[0]) as sender:
        await sender.send(Token(chain).delegate(stage.members[0].address))
        for signer in stage.members[1:]:
            async with network.sender(chain, signer) as other:
                await other.send(Token(chain).delegate(signer.address))
        await later(network, chain, 1)
        actions = Actions.of([Token(chain).transfer(TO, Wei(TOKEN))])
        await sender.send(Governor(chain).propose(actions, text))
        await later(network, chain, PARAMS.voting_delay + 1)
        return compute_proposal_id(actions, text)
