"""Whether what an account signed would count: it has the votes for it, and it is the time."""

from fractions import Fraction

from dao.chain.client import Chain
from dao.chain.contracts import Registry, Token
from dao.chain.governance import Governor, VotingPower
from dao.core.types import ZERO_ADDRESS, Address, Timestamp, Wei, hex_of
from dao.errors import AlreadyVoted, NotActive, NoVotes, Reverted, UnknownProposal
from dao.gov.schedule import NO_VOTES, VOTED, explain_refusal, read_times
from dao.gov.units import format_amount


async def read_share(chain: Chain, votes: Wei) -> Fraction:
    """Read which share of all votes, delegated or not, these are; 0 where there are none at all."""
    at = chain.head()
    supply = await VotingPower(chain).past_supply(Timestamp(at.timestamp - 1), at)
    return Fraction(votes, supply) if supply else Fraction(0)


async def check_tokens(chain: Chain, contract: str, account: Address) -> Wei:
    """Return the votes that an account has to delegate at the token or the registry; NoVotes where there are none."""
    at = chain.head()
    if contract == "token":
        votes = await Token(chain).balance_of(account, at)
        has_votes = votes > 0
    else:  # which has no count of an owner's stake but as votes of its delegate
        votes = await Registry(chain).votes_of(account, at)
        has_votes = await Registry(chain).delegate_of(account, at) != ZERO_ADDRESS
    if not has_votes:
        raise NoVotes(f"{hex_of(account)}: has no tokens at the {contract}, so no votes there")
    return votes


async def check_votes(chain: Chain, proposal: int, voter: Address) -> Wei:
    """Return what a vote counts; UnknownProposal, NotActive, AlreadyVoted or NoVotes where it would not."""
    governor, at = Governor(chain), chain.head()
    try:
        times = await read_times(chain, proposal)
    except Reverted as error:
        raise UnknownProposal("there is no such proposal", error.error) from None
    reason = explain_refusal("vote", times)
    if reason is not None:
        raise NotActive(reason)
    if await governor.has_voted(proposal, voter, at):
        raise AlreadyVoted(VOTED)
    votes = await VotingPower(chain).past_votes_of(voter, Timestamp(times.starts_at), at)
    if votes == 0:
        raise NoVotes(NO_VOTES)
    return votes


async def check_threshold(chain: Chain, proposer: Address) -> Wei:
    """Return an account's votes; NoVotes where it has too few to propose, or none."""
    at = chain.head()
    needed = max(1, await Governor(chain).threshold(at))
    votes = await VotingPower(chain).past_votes_of(proposer, Timestamp(at.timestamp - 1), at)
    if votes < needed:
        has = (
            f"a proposal needs {format_amount(Wei(needed))} of votes, this account has {format_amount(votes)}"
        )
        raise NoVotes(f"{has}; votes count once they are delegated, to oneself or another")
    return votes
