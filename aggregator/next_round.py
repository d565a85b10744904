"""Whether a task has a further round for this Superlink: whose it is, what is left of it, and when its card ends it."""

import asyncio
from collections.abc import Callable

from aggregator.publisher import Publisher
from dao.audit.look_back import LookBack
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.core.formats.manifest import Manifest
from dao.core.types import Address, TaskId, hex_of
from dao.errors import ChainError, ContentError, DaoError

LOOK_LIMIT = 5.0  # seconds that a result waits to know whether a round may follow it


class NextRound:
    """One task's, for the Superlink of an account."""

    def __init__(
        self, chain: Chain, task: TaskId, account: Address, publisher: Publisher, report: Callable[..., None]
    ) -> None:
        """`report` takes events, as `StatusStream.emit` does."""
        self._chain, self._task, self._account = chain, task, account
        self._report = report
        self._coordinator = Coordinator(chain)
        self._look_back = LookBack(chain, task, publisher.fetch_manifest, publisher.fetch_card)

    async def may_follow(self, manifest: Manifest, used_shards: int) -> bool:
        """Whether a round may follow this one at once; where that cannot be told, it is told once this one is posted."""
        try:
            async with asyncio.timeout(LOOK_LIMIT):
                return not (await self.explain_loss() or await self.explain_end(manifest, used_shards))
        except (DaoError, TimeoutError) as error:  # such as of a card that is none, or that nobody has
            self._report(
                "trouble", round=manifest.round, error=str(error) or "the task's card is slow to come"
            )
            return False

    async def explain_loss(self) -> str:
        """Return why this Superlink has the task no longer, "" where it has it."""
        at = self._chain.final()
        if (await self._coordinator.task_of(self._task, at)).closed:
            return "closed by the DAO"
        rules = await self._coordinator.rules_of(self._task, at)
        is_ours = rules.superlink == self._account
        return "" if is_ours else f"the DAO gave it to Superlink {hex_of(rules.superlink)}"

    async def explain_end(self, newest: Manifest | None, used_shards: int) -> str:
        """Return why no round may follow in a task that is this Superlink's, by the rules that it would open with; "" where one may.

        `newest`: the manifest of the round that it would follow; `used_shards` have been drawn by then. Where the rounds that the
        card's rule looks back at cannot be had, as at a successor, the rule is taken not to hold.
        """
        at = self._chain.final()
        rules = await self._coordinator.rules_of(self._task, at)
        if used_shards == rules.shards:
            return f"all {rules.shards} validation shards are used; append more by a vote"
        card = await self._look_back.read_card(rules.card)
        try:
            return await self._look_back.explain_stop(card, newest, at)
        except (ChainError, ContentError) as error:
            self._report("trouble", error=f"the card's rule to stop: {error}")
            return ""
