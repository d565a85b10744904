"""A node that cannot reach its Superlink when it has to reveal, and reveals by way of the chain."""

from dao.chain.client import Chain
from dao.chain.forced_reveals import ForcedReveals
from dao.core.commits import Reveal
from dao.core.types import RoundId
from dao.store.disk import DiskStore
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.world import Node


class CutOff(Node):
    """Opens its commits on chain; others find its updates in `serves`, if it has that."""

    serves: DiskStore | None = None

    async def play(self, chain: Chain, client: SuperlinkClient, round_id: RoundId) -> None:
        made = await self.make(chain, client, round_id)
        await self.commit(chain, client, made)
        if self.serves is not None:
            await self.serves.put_bytes(made.update)
        async with self.world.network.sender(chain, self.signer) as sender:
            reveal = Reveal(made.cid, made.root, self.salt)
            await sender.send(ForcedReveals(chain).reveal(self.world.task, round_id, reveal))
