"""Proposals by their number, from the chain's own events: queuing and executing must repeat their content."""

import asyncio

from dao.api.http.problems import Problem
from dao.chain.client import Chain
from dao.chain.governance import Actions
from dao.chain.governance_events import ProposalCreated
from dao.core.types import BlockNumber


class ProposalLog:
    """All proposals up to the final block, each read once."""

    def __init__(self) -> None:
        self._proposals: dict[int, ProposalCreated] = {}
        self._next: BlockNumber | None = None
        self._lock = asyncio.Lock()

    async def get(self, chain: Chain, proposal: int) -> tuple[Actions, str]:
        """Get a proposal's actions and description; Problem 404 where there is none of this number."""
        async with self._lock:
            if proposal not in self._proposals:
                await self._read(chain)
        created = self._proposals.get(proposal)
        if created is None:
            raise Problem(404, "not-found", "there is no such proposal, or not yet")
        return Actions(created.targets, created.values, created.calldatas), created.description

    async def _read(self, chain: Chain) -> None:
        final = chain.final().number
        created = await chain.past(ProposalCreated, from_block=self._next, to_block=final)
        # a number is the hash of the content: a proposal that a reorg undoes has the same content if it comes again
        self._proposals |= {event.proposal_id: event for event in created}
        self._next = BlockNumber(max(chain.deployment.block, final - 64))
