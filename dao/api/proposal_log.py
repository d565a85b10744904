"""Proposals by their number, as the chain's own events have them: what queuing and executing must repeat."""

import asyncio

from dao.api.http.problems import Problem
from dao.chain.client import Chain
from dao.chain.governance import Actions
from dao.chain.governance_events import ProposalCreated
from dao.core.types import BlockNumber


class Proposals:
    """All proposals up to the final block, each read once."""

    def __init__(self) -> None:
        self._known: dict[int, ProposalCreated] = {}
        self._next: BlockNumber | None = None
        self._lock = asyncio.Lock()

    async def get(self, chain: Chain, proposal: int) -> tuple[Actions, str]:
        """What a proposal does, and its description; Problem 404 where there is none."""
        async with self._lock:
            if proposal not in self._known:
                await self._read(chain)
        found = self._known.get(proposal)
        if found is None:
            raise Problem(404, "not-found", "there is no such proposal, or not yet")
        return Actions(found.targets, found.values, found.calldatas), found.description

    async def _read(self, chain: Chain) -> None:
        final = chain.final().number
        created = await chain.past(ProposalCreated, from_block=self._next, to_block=final)
        # a number is the hash of the content: one that a reorg undoes has the same content, should it come again
        self._known |= {event.proposal_id: event for event in created}
        self._next = BlockNumber(max(chain.deployment.block, final - 64))
