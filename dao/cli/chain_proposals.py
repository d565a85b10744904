"""Finds proposals in the chain's events, and one among many by the first digits of its number."""

from collections.abc import Sequence

from dao.chain.client import Chain
from dao.chain.governance import Actions
from dao.chain.governance_events import ProposalCreated
from dao.cli.dao_member import PublishedProposal
from dao.errors import ConfigError


async def read_proposals(chain: Chain) -> list[ProposalCreated]:
    """Return the events of all proposals, the newest first."""
    return (await chain.past(ProposalCreated, to_block=chain.head().number))[::-1]


async def find_proposal(chain: Chain, digits: str) -> ProposalCreated:
    """Return the event of the proposal whose number begins so; ConfigError when none or several do."""
    events = await read_proposals(chain)
    return events[index_of([event.proposal_id for event in events], digits)]


def proposal_in(event: ProposalCreated) -> PublishedProposal:
    """Return the proposal that an event published."""
    actions = Actions(event.targets, event.values, event.calldatas)
    return PublishedProposal(event.proposal_id, actions, event.description)


def index_of(numbers: Sequence[int], digits: str) -> int:
    """Return the index of the one number that begins with these digits; ConfigError when none or several do."""
    indices = [index for index, number in enumerate(numbers) if str(number).startswith(digits)]
    if not digits.isdecimal() or not indices:
        raise ConfigError(f"proposal {digits[:80]}: there is none with this number; dao proposals lists them")
    if len(indices) > 1:
        raise ConfigError(f"proposal {digits[:80]}: {len(indices)} numbers begin so; give more digits")
    return indices[0]
