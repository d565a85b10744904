"""The contract that records reveals by way of the chain, and who attests that their updates are there."""

from dao.chain.client import At
from dao.chain.contracts import Call, Contract
from dao.core.commits import Reveal
from dao.core.types import Address, Digest, RoundId, TaskId


class ForcedReveals(Contract):
    """ForcedReveals: which nodes of a round opened their commitments by way of the chain."""

    name = "ForcedReveals"

    async def count_of(self, task: TaskId, round_id: RoundId, at: At) -> int:
        """Return how many nodes of a round opened their commitments."""
        return int(await self._read("countOf", task, round_id, at=at))

    async def is_attested(self, task: TaskId, round_id: RoundId, node: Address, at: At) -> bool:
        """Return whether most of the members drawn attested that they have the update that a node opened its commitment to."""
        return bool(await self._read("isAttested", task, round_id, node, at=at))

    def reveal(self, task: TaskId, round_id: RoundId, reveal: Reveal) -> Call:
        """Open a commitment of the sender, a member of a closed round."""
        return self._call("reveal", task, round_id, reveal.cid.digest, reveal.body_root, reveal.salt)

    def attest(
        self, task: TaskId, round_id: RoundId, node: Address, commits_root: Digest, seed: Digest
    ) -> Call:
        """Attest that the sender, a member drawn, has a node's update; root and seed are those that the round was closed with."""
        return self._call("attest", task, round_id, node, commits_root, seed)
