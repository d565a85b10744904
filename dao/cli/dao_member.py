"""The interface of a member of the DAO, which PaidMember and RelayedMember implement; and a published proposal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dao.chain.deployment import Deployment
from dao.chain.governance import Actions, Support
from dao.cli.output import printable
from dao.core.types import Address, Rules, TaskId, Wei
from dao.gov.actions import compute_proposal_id

if TYPE_CHECKING:
    from dao.gov.actions import Action
    from dao.gov.drafts import Draft

Outcome = dict[str, object]


@dataclass(frozen=True)
class PublishedProposal:
    """A proposal as it was published; its number binds the rest."""

    number: int
    actions: Actions
    description: str

    @property
    def title(self) -> str:
        """The first line of its description, fit to be printed."""
        lines = (line.strip().lstrip("#").strip() for line in self.description.splitlines())
        return printable(next((line for line in lines if line), "untitled"))[:200]

    @property
    def is_whole(self) -> bool:
        """Whether actions and description are those of the number."""
        return compute_proposal_id(self.actions, self.description) == self.number


class DaoMember(Protocol):
    """A member of the DAO, who acts by transactions of its own account or by signatures that an API's relayer sends.

    Each act waits until it is in the chain, and returns its transaction.
    """

    account: Address
    deployment: Deployment

    async def find(self, text: str) -> PublishedProposal:
        """Find a proposal by its number or the first digits of it; ConfigError when none or several have them."""
        ...

    async def rules(self, task: TaskId) -> Rules:
        """Return the rules of a task's next round."""
        ...

    async def holds(self, contract: str) -> bool:
        """Return whether the account has tokens ("token") or stake ("registry")."""
        ...

    async def delegate(self, contract: str, to: Address) -> Outcome:
        """Delegate the votes of the account's tokens or stake."""
        ...

    async def votes(self, proposal: PublishedProposal) -> Wei:
        """Return the weight of the account's vote; RuleError where it has none, has voted, or voting is over."""
        ...

    async def vote(self, proposal: PublishedProposal, support: Support, reason: str) -> Outcome:
        """Vote."""
        ...

    async def draft(self, title: str, text: str, actions: "Sequence[Action]") -> "Draft":
        """Write a proposal, with what it would do and what would go wrong, in words."""
        ...

    async def propose(self, draft: "Draft") -> Outcome:
        """Propose."""
        ...

    async def queue(self, proposal: PublishedProposal) -> Outcome:
        """Put an accepted proposal into the timelock."""
        ...

    async def execute(self, proposal: PublishedProposal) -> Outcome:
        """Execute a queued proposal."""
        ...
