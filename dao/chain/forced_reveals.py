"""The contract that records reveals by way of the chain."""

from dao.chain.client import At
from dao.chain.contracts import Call, Contract
from dao.core.commits import Reveal
from dao.core.types import Digest, RoundId, TaskId


class ForcedReveals(Contract):
    """ForcedReveals: which commitments of a round were opened by way of the chain."""

    name = "ForcedReveals"

    async def count_of(self, task: TaskId, round_id: RoundId, at: At) -> int:
        """Return how many commitments of a round were opened."""
        return int(await self._read("countOf", task, round_id, at=at))

    async def is_revealed(self, task: TaskId, round_id: RoundId, commitment: Digest, at: At) -> bool:
        """Return whether a commitment of a round was opened."""
        return bool(await self._read("isRevealed", task, round_id, commitment, at=at))

    def reveal(self, task: TaskId, round_id: RoundId, reveal: Reveal) -> Call:
        """Open a commitment of a closed round. Anyone."""
        return self._call("reveal", task, round_id, reveal.cid.digest, reveal.body_root, reveal.salt)
