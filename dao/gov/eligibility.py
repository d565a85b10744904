"""Whether what an account signed would count: it has the votes for it, and it is the time."""

from dao.chain.client import Chain
from dao.chain.contracts import Registry, Token
from dao.chain.governance import Governor, VotingPower
from dao.core.types import ZERO_ADDRESS, Address, Timestamp, Wei, hex_of
from dao.errors import AlreadyVoted, NotActive, NoVotes, Reverted, UnknownProposal
from dao.gov.schedule import NO_VOTES, VOTED, explain_refusal, read_times
from dao.gov.units import format_amount


async def check_tokens(chain: Chain, contract: str, account: Address) -> None:
    """Raise NoVotes where an account has no votes to delegate at the token or the registry."""
    if contract == "token":
        has = await Token(chain).balance_of(account, chain.head()) > 0
    else:
        has = await Registry(chain).delegate_of(account, chain.head()) != ZERO_ADDRESS
    if not has:
        raise NoVotes(f"{hex_of(account)}: has no tokens at the {contract}, so no votes there")


async def check_votes(chain: Chain, proposal: int, voter: Address) -> None:
    """Raise UnknownProposal, NotActive, AlreadyVoted or NoVotes where a vote would not count."""
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
    if await VotingPower(chain).past_votes_of(voter, Timestamp(times.starts_at), at) == 0:
        raise NoVotes(NO_VOTES)


async def check_threshold(chain: Chain, proposer: Address) -> None:
    """Raise NoVotes where an account has too few votes to propose, or none."""
    at = chain.head()
    needed = max(1, await Governor(chain).threshold(at))
    votes = await VotingPower(chain).past_votes_of(proposer, Timestamp(at.timestamp - 1), at)
    if votes < needed:
        has = (
            f"a proposal needs {format_amount(Wei(needed))} of votes, this account has {format_amount(votes)}"
        )
        raise NoVotes(f"{has}; votes count once they are delegated, to oneself or another")
