"""A member's acts as transactions of its own account, which pays the gas."""

from collections.abc import Sequence

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator, Registry, Token
from dao.chain.governance import Actions, Governor, Support, VotingPower
from dao.chain.governance_events import ProposalCreated
from dao.chain.sender import Sender
from dao.cli.member import Found, Outcome
from dao.core.errors import ConfigError, Reverted, RuleError
from dao.core.types import ZERO_ADDRESS, Address, Rules, TaskId, Wei, hex_of
from dao.gov.actions import Action
from dao.gov.drafts import Draft, draft
from dao.gov.schedule import NO_VOTES, VOTED, not_now, times_of

LIMIT = 600.0  # seconds for a transaction


class PaidMember:
    """The way of a Sender."""

    def __init__(self, chain: Chain, sender: Sender) -> None:
        self.account = sender.address
        self.deployment = chain.deployment
        self._chain = chain
        self._sender = sender

    async def find(self, text: str) -> Found:
        """See Way."""
        return found_of(await proposal_of(self._chain, text))

    async def rules(self, task: TaskId) -> Rules:
        """See Way."""
        return await Coordinator(self._chain).rules_of(task, self._chain.head())

    async def holds(self, contract: str) -> bool:
        """See Way."""
        at = self._chain.head()
        if contract == "token":
            return await Token(self._chain).balance_of(self.account, at) > 0
        return await Registry(self._chain).delegate_of(self.account, at) != ZERO_ADDRESS

    async def delegate(self, contract: str, to: Address) -> Outcome:
        """See Way."""
        votes = Token(self._chain) if contract == "token" else Registry(self._chain)
        return await self._send(votes.delegate(to))

    async def votes(self, found: Found) -> Wei:
        """See Way."""
        why = not_now("vote", await times_of(self._chain, found.number))
        if why is not None:
            raise RuleError(why)
        governor, at = Governor(self._chain), self._chain.head()
        if await governor.has_voted(found.number, self.account, at):
            raise RuleError(VOTED)
        since = await governor.snapshot_of(found.number, at)
        votes = await VotingPower(self._chain).past_votes_of(self.account, since, at)
        if not votes:
            raise RuleError(NO_VOTES)
        return votes

    async def vote(self, found: Found, support: Support, reason: str) -> Outcome:
        """See Way."""
        return await self._at_its_time(
            "vote", found, Governor(self._chain).vote(found.number, support, reason)
        )

    async def draft(self, title: str, text: str, actions: Sequence[Action]) -> Draft:
        """See Way."""
        return await draft(self._chain, title, text, actions)

    async def propose(self, draft: Draft) -> Outcome:
        """See Way."""
        return await self._send(Governor(self._chain).propose(draft.actions, draft.description))

    async def queue(self, found: Found) -> Outcome:
        """See Way."""
        call = Governor(self._chain).queue(found.actions, found.description)
        return await self._at_its_time("queue", found, call)

    async def execute(self, found: Found) -> Outcome:
        """See Way."""
        call = Governor(self._chain).execute(found.actions, found.description)
        return await self._at_its_time("execute", found, call)

    async def cancel(self, found: Found) -> Outcome:
        """Withdraw one's own proposal before voting on it begins. The governor takes no signature for this."""
        call = Governor(self._chain).cancel(found.actions, found.description)
        return await self._at_its_time("cancel", found, call)

    async def _at_its_time(self, act: str, found: Found, call: Call) -> Outcome:
        """Send; RuleError where it is not the time for it."""
        try:
            return await self._send(call)
        except Reverted:
            why = not_now(act, await times_of(self._chain, found.number))
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


async def proposals_of(chain: Chain) -> list[ProposalCreated]:
    """All proposals, the newest first."""
    return (await chain.past(ProposalCreated, to_block=chain.head().number))[::-1]


async def proposal_of(chain: Chain, text: str) -> ProposalCreated:
    """The proposal whose number begins with these digits; ConfigError when none or several have them."""
    events = await proposals_of(chain)
    return events[chosen([event.proposal_id for event in events], text)]


def found_of(event: ProposalCreated) -> Found:
    """A proposal as it was made."""
    actions = Actions(event.targets, event.values, event.calldatas)
    return Found(event.proposal_id, actions, event.description)


def chosen(numbers: Sequence[int], text: str) -> int:
    """The place of the one number that begins with these digits; ConfigError when none or several do."""
    found = [place for place, number in enumerate(numbers) if str(number).startswith(text)]
    if not text.isdecimal() or not found:
        raise ConfigError(f"proposal {text[:80]}: there is none with this number; dao proposals lists them")
    if len(found) > 1:
        raise ConfigError(f"proposal {text[:80]}: {len(found)} numbers begin so; give more digits")
    return found[0]
