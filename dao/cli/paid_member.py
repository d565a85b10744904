"""A member that acts with transactions of its own account, which pays the gas."""

from collections.abc import Sequence

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator, Registry, Token
from dao.chain.governance import Governor, Support, VotingPower
from dao.chain.sender import Sender
from dao.cli.chain_proposals import find_proposal, proposal_in
from dao.cli.dao_member import Outcome, PublishedProposal
from dao.core.types import ZERO_ADDRESS, Address, Rules, TaskId, Wei, hex_of
from dao.errors import Reverted, RuleError
from dao.gov.actions import Action
from dao.gov.drafts import Draft, draft
from dao.gov.schedule import NO_VOTES, VOTED, explain_refusal, read_times

LIMIT = 600.0  # seconds for a transaction


class PaidMember:
    """A DaoMember whose acts a Sender sends."""

    def __init__(self, chain: Chain, sender: Sender) -> None:
        self.account = sender.address
        self.deployment = chain.deployment
        self._chain = chain
        self._sender = sender

    async def find(self, text: str) -> PublishedProposal:
        """See DaoMember."""
        return proposal_in(await find_proposal(self._chain, text))

    async def rules(self, task: TaskId) -> Rules:
        """See DaoMember."""
        return await Coordinator(self._chain).rules_of(task, self._chain.head())

    async def holds(self, contract: str) -> bool:
        """See DaoMember."""
        at = self._chain.head()
        if contract == "token":
            return await Token(self._chain).balance_of(self.account, at) > 0
        return await Registry(self._chain).delegate_of(self.account, at) != ZERO_ADDRESS

    async def delegate(self, contract: str, to: Address) -> Outcome:
        """See DaoMember."""
        votes = Token(self._chain) if contract == "token" else Registry(self._chain)
        return await self._send(votes.delegate(to))

    async def votes(self, proposal: PublishedProposal) -> Wei:
        """See DaoMember."""
        why = explain_refusal("vote", await read_times(self._chain, proposal.number))
        if why is not None:
            raise RuleError(why)
        governor, at = Governor(self._chain), self._chain.head()
        if await governor.has_voted(proposal.number, self.account, at):
            raise RuleError(VOTED)
        since = await governor.snapshot_of(proposal.number, at)
        votes = await VotingPower(self._chain).past_votes_of(self.account, since, at)
        if not votes:
            raise RuleError(NO_VOTES)
        return votes

    async def vote(self, proposal: PublishedProposal, support: Support, reason: str) -> Outcome:
        """See DaoMember."""
        call = Governor(self._chain).vote(proposal.number, support, reason)
        return await self._send_in_time("vote", proposal, call)

    async def draft(self, title: str, text: str, actions: Sequence[Action]) -> Draft:
        """See DaoMember."""
        return await draft(self._chain, title, text, actions)

    async def propose(self, draft: Draft) -> Outcome:
        """See DaoMember."""
        return await self._send(Governor(self._chain).propose(draft.actions, draft.description))

    async def queue(self, proposal: PublishedProposal) -> Outcome:
        """See DaoMember."""
        call = Governor(self._chain).queue(proposal.actions, proposal.description)
        return await self._send_in_time("queue", proposal, call)

    async def execute(self, proposal: PublishedProposal) -> Outcome:
        """See DaoMember."""
        call = Governor(self._chain).execute(proposal.actions, proposal.description)
        return await self._send_in_time("execute", proposal, call)

    async def cancel(self, proposal: PublishedProposal) -> Outcome:
        """Withdraw one's own proposal before voting on it begins. The governor takes no signature for this."""
        call = Governor(self._chain).cancel(proposal.actions, proposal.description)
        return await self._send_in_time("cancel", proposal, call)

    async def _send_in_time(self, act: str, proposal: PublishedProposal, call: Call) -> Outcome:
        """Send; RuleError where it is not the time for it."""
        try:
            return await self._send(call)
        except Reverted:
            why = explain_refusal(act, await read_times(self._chain, proposal.number))
            if why is None:
                raise
            raise RuleError(why) from None

    async def _send(self, call: Call) -> Outcome:
        receipt = await self._sender.send(call, limit=LIMIT)
        return {
            "transaction": hex_of(receipt.hash),
            "block": receipt.block,
            "gas_used": receipt.gas_used,
            "paid_by": hex_of(self.account),
        }
